//! A scheme of security keys and passkeys, the Web Authentication of the W3C, level 2.
//!
//! The library verifies what a browser sends (`party`); here stand which keys a user has (`keys`), what the host's storage
//! keeps of them (`vault`), and the steps of a registration (`enrolment`). A challenge is good once.

mod enrolment;
mod keys;
mod parameters;
mod party;
mod vault;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use outboard_sdk::{
    Availability, Endpoints, Failure, Init, InstanceKind, Plugin, Problems, RevokedUser, Scheme,
    SchemeError, Server, Subject,
};
use passki::PasskiError;
use serde_json::{Value, json};

use parameters::{Parameters, Rules};
use vault::{Ceremony, Vault};

struct WebAuthn;

/// The keys of its users, and its rules.
struct Instance {
    rules: Rules,
    vault: Vault,
}

impl Plugin for WebAuthn {
    type Parameters = Parameters;
    type Instance = Instance;

    async fn check(&self, _: &str, parameters: Parameters) -> Result<(), Problems> {
        parameters.read().map(drop)
    }

    async fn init(
        &self,
        init: Init<Parameters>,
        _: &mut Endpoints<Instance>,
    ) -> Result<Instance, Problems> {
        init.only(InstanceKind::Scheme)?;
        let rules = init.parameters.read()?;
        let vault = Vault::new(init.host.storage(), rules.challenge);
        Ok(Instance { rules, vault })
    }

    async fn revoke_user(&self, instance: Arc<Instance>, user: RevokedUser) -> Result<(), Failure> {
        Ok(instance.vault.forget(&user.id).await?)
    }
}

impl Scheme for WebAuthn {
    async fn can_use(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<Availability, SchemeError> {
        let (keys, _) = instance.vault.keys(&subject.user_id).await?;
        Ok(if keys.is_empty() { Availability::Available } else { Availability::Registered })
    }

    async fn register(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        data: Value,
    ) -> Result<Option<Value>, SchemeError> {
        enrolment::step(&instance, &subject, &data, SystemTime::now()).await
    }

    async fn registration(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<Option<Value>, SchemeError> {
        let (keys, _) = instance.vault.keys(&subject.user_id).await?;
        if keys.is_empty() { Err(SchemeError::NotFound) } else { Ok(Some(keys.told())) }
    }

    async fn deregister(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<(), SchemeError> {
        Ok(instance.vault.forget(&subject.user_id).await?)
    }

    async fn trigger(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        _: Value,
    ) -> Result<Option<Value>, SchemeError> {
        let (keys, _) = instance.vault.keys(&subject.user_id).await?;
        if keys.is_empty() {
            return Err(SchemeError::Unauthorized);
        }
        let (options, state) = instance.rules.party(&subject)?.ask(&keys)?;
        instance.vault.begin(Ceremony::Get, &subject, &state).await?;
        let field = json!({
            "name": "credential",
            "label": "Security key or passkey",
            "kind": "credential",
            "options": { "ceremony": "get", "publicKey": options },
        });
        let form = json!({ "fields": [field], "button": "Use a security key or passkey" });
        Ok(Some(json!({ "publicKey": options, "page": { "forms": [form] } })))
    }

    async fn validate(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        value: Value,
    ) -> Result<(), SchemeError> {
        let answer = party::answer(&value["credential"])?;
        let party = instance.rules.party(&subject)?;
        let Some(state) = instance.vault.end(Ceremony::Get, &subject).await? else {
            return Err(SchemeError::Unauthorized);
        };
        let now = SystemTime::now();
        let judged = instance
            .vault
            .change(&subject.user_id, |keys| party.verify(&subject, &answer, &state, keys, now));
        judged.await?.map_err(|error| {
            match error {
                PasskiError::CounterRegression => {
                    tracing::warn!(user = subject.user_id, "a key counts backwards; is it a copy?");
                }
                error => tracing::info!(user = subject.user_id, %error, "a key was refused"),
            }
            SchemeError::Unauthorized
        })
    }
}

fn main() -> ExitCode {
    Server::new("webauthn", WebAuthn)
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("Security key or passkey")
        .description("Security keys and passkeys: WebAuthn.")
        .scheme()
        .serve()
}
