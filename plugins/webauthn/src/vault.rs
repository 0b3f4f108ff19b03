//! What is kept in the host's storage: for each user the keys, and for each session of one the challenge that is not
//! answered yet. All of it is tagged with the user's id.

use std::time::Duration;

use outboard_sdk::{HostError, HostErrorKind, Put, SchemeError, Storage, Subject, Taken};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::Keys;

/// The tag of all that belongs to a user.
const USER: &str = "user";
/// How often somebody else may be faster.
const MOST_RACES: usize = 5;

/// What a challenge is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ceremony {
    Create,
    Get,
}

/// The storage of one instance.
pub(crate) struct Vault {
    storage: Storage,
    /// How long a challenge is good.
    challenge: Duration,
}

impl Vault {
    pub(crate) fn new(storage: Storage, challenge: Duration) -> Self {
        Self { storage, challenge }
    }

    /// The user's keys, and the version of what is stored, if anything is.
    pub(crate) async fn keys(&self, user: &str) -> Result<(Keys, Option<u64>), SchemeError> {
        match self.storage.get(&keys_of(user)).await? {
            Some(entry) => Ok((read(&entry.value)?, Some(entry.version))),
            None => Ok((Keys::default(), None)),
        }
    }

    /// Makes of the user's keys what `change` says, or nothing at all; again, if they have changed meanwhile.
    pub(crate) async fn change<E>(
        &self,
        user: &str,
        change: impl Fn(&Keys) -> Result<Keys, E>,
    ) -> Result<Result<(), E>, SchemeError> {
        for _ in 0..MOST_RACES {
            let (keys, version) = self.keys(user).await?;
            let after = match change(&keys) {
                Ok(after) => after,
                Err(error) => return Ok(Err(error)),
            };
            let put = Put::new(keys_of(user), written(&after)?).tag(USER, user);
            let put = match version {
                Some(version) => put.if_version(version),
                None => put.if_absent(),
            };
            match self.storage.put(put).await {
                Ok(_) => return Ok(Ok(())),
                Err(error) if error.kind() == HostErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(SchemeError::failed("the user's keys change all the time"))
    }

    /// Keeps a challenge; the one before it is no longer good.
    pub(crate) async fn begin(
        &self,
        ceremony: Ceremony,
        subject: &Subject,
        state: &impl Serialize,
    ) -> Result<(), SchemeError> {
        let put = Put::new(challenge_of(ceremony, subject), written(state)?);
        let put = put.tag(USER, &subject.user_id).expires_in(self.challenge);
        self.storage.put(put).await?;
        Ok(())
    }

    /// Gives the challenge to one caller, once.
    pub(crate) async fn end<T: DeserializeOwned>(
        &self,
        ceremony: Ceremony,
        subject: &Subject,
    ) -> Result<Option<T>, SchemeError> {
        match self.storage.take(&challenge_of(ceremony, subject)).await? {
            Taken::Value(entry) => read(&entry.value).map(Some),
            _ => Ok(None),
        }
    }

    /// Forgets all about a user.
    pub(crate) async fn forget(&self, user: &str) -> Result<(), HostError> {
        self.storage.delete_by_tag(USER, user).await?;
        Ok(())
    }
}

fn keys_of(user: &str) -> String {
    format!("keys/{user}")
}

fn challenge_of(ceremony: Ceremony, subject: &Subject) -> String {
    let ceremony = match ceremony {
        Ceremony::Create => "create",
        Ceremony::Get => "get",
    };
    let session = subject.session.as_deref().unwrap_or_default();
    format!("{ceremony}/{}/{session}", subject.user_id)
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, SchemeError> {
    serde_json::to_vec(value).map_err(|error| SchemeError::failed(error.to_string()))
}

fn read<T: DeserializeOwned>(value: &[u8]) -> Result<T, SchemeError> {
    serde_json::from_slice(value).map_err(|_| SchemeError::failed("what is stored can't be read"))
}
