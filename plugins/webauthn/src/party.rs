//! The relying party: makes challenges, and verifies what browsers answer. Pure but for the randomness of challenges.

use std::time::{Duration, SystemTime};

use outboard_sdk::{SchemeError, Subject};
use passki::{
    AuthenticationCredential, AuthenticationOptions, AuthenticationState, Passki, PasskiError,
    RegistrationCredential, RegistrationOptions, RegistrationState, StoredPasskey,
    UserVerificationRequirement,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::keys::{Key, Keys};

/// Whom keys are bound to.
pub(crate) struct Party {
    library: Passki,
    verification: UserVerificationRequirement,
    /// What a browser is told; the storage judges.
    timeout_ms: u64,
}

impl Party {
    pub(crate) fn new(
        id: &str,
        origins: &[String],
        name: &str,
        verification: UserVerificationRequirement,
        timeout: Duration,
    ) -> Self {
        let library = Passki::new(id, origins, name);
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        Self { library, verification, timeout_ms }
    }

    #[cfg(test)]
    pub(crate) fn id(&self) -> &str {
        &self.library.rp_id
    }

    /// What a browser needs to make a key, and what is needed to verify it.
    pub(crate) fn invite(
        &self,
        subject: &Subject,
        keys: &Keys,
    ) -> Result<(Value, RegistrationState), SchemeError> {
        let own: Vec<StoredPasskey> = keys.passkeys();
        let mut options = RegistrationOptions::default();
        options.timeout = self.timeout_ms;
        options.user_verification = self.verification;
        options.exclude_credentials = Some(&own);
        let shown = subject.name.as_deref().unwrap_or(&subject.username);
        let begun = self.library.start_passkey_registration(
            &handle(subject),
            &subject.username,
            shown,
            options,
        );
        let (challenge, state) = begun.map_err(|error| failed(&error))?;
        Ok((json(&challenge)?, state))
    }

    /// The key that a browser has made.
    pub(crate) fn meet(
        &self,
        made: &RegistrationCredential,
        state: &RegistrationState,
        name: &str,
        now: SystemTime,
    ) -> Result<Key, PasskiError> {
        let passkey = self.library.finish_passkey_registration(made, state)?;
        Ok(Key::new(passkey, name, now))
    }

    /// What a browser needs to use one of the keys, and what is needed to verify that.
    pub(crate) fn ask(&self, keys: &Keys) -> Result<(Value, AuthenticationState), SchemeError> {
        let mut options = AuthenticationOptions::default();
        options.timeout = self.timeout_ms;
        options.user_verification = self.verification;
        let begun = self.library.start_passkey_authentication(&keys.passkeys(), options);
        let (challenge, state) = begun.map_err(|error| failed(&error))?;
        Ok((json(&challenge)?, state))
    }

    /// The keys as they are once one of them was used, if it was.
    pub(crate) fn verify(
        &self,
        subject: &Subject,
        answer: &AuthenticationCredential,
        state: &AuthenticationState,
        keys: &Keys,
        now: SystemTime,
    ) -> Result<Keys, PasskiError> {
        let id = Passki::base64_decode(&answer.raw_id)?;
        let passkey = keys.passkey(&id).ok_or(PasskiError::CredentialNotAllowed)?;
        let result = self.library.finish_passkey_authentication(answer, state, passkey)?;
        let is_own =
            result.user_handle.is_none_or(|said| said.is_empty() || said == handle(subject));
        if !is_own {
            return Err(PasskiError::CredentialNotAllowed);
        }
        Ok(keys.used(&id, result.counter, now))
    }
}

/// What a browser has sent, if it is that at all.
pub(crate) fn answer<T: DeserializeOwned>(credential: &Value) -> Result<T, SchemeError> {
    if credential.is_null() {
        return Err(SchemeError::invalid("credential: is missing"));
    }
    // The library's words would repeat what was sent.
    T::deserialize(credential).map_err(|_| {
        SchemeError::invalid("credential: is not what a browser's credential.toJSON() gives")
    })
}

/// Names the user to the key, which may show it to others: nothing that says who it is.
fn handle(subject: &Subject) -> Vec<u8> {
    Sha256::digest(&subject.user_id).to_vec()
}

fn json(options: &impl Serialize) -> Result<Value, SchemeError> {
    serde_json::to_value(options).map_err(|error| SchemeError::failed(error.to_string()))
}

fn failed(error: &PasskiError) -> SchemeError {
    SchemeError::failed(error.to_string())
}
