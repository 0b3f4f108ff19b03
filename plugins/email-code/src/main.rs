//! A scheme of one-time codes that users get by mail.
//!
//! A code is made in `codes`, written down in `vault` as a hash, and sent as `letter` says. Who has an e-mail has
//! registered the scheme.

mod codes;
mod letter;
mod parameters;
mod vault;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use outboard_sdk::{
    Availability, Endpoints, Failure, Init, InstanceKind, Plugin, Problems, RevokedUser, Scheme,
    SchemeError, Server, Subject,
};
use outboard_sending::smtp::Relay;
use serde_json::{Value, json};

use codes::Code;
use letter::Letters;
use parameters::{Parameters, Read};
use vault::Vault;

struct EmailCode;

/// How codes are, and how they get to users.
struct Instance {
    digits: u32,
    letters: Letters,
    relay: Relay,
    vault: Vault,
}

impl Plugin for EmailCode {
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
        let Read { digits, letters, relay, limits } = init.parameters.read()?;
        let vault = Vault::new(init.host.storage(), limits);
        Ok(Instance { digits, letters, relay, vault })
    }

    async fn revoke_user(&self, instance: Arc<Instance>, user: RevokedUser) -> Result<(), Failure> {
        Ok(instance.vault.forget(&user.id).await?)
    }
}

impl Scheme for EmailCode {
    async fn can_use(
        &self,
        _: Arc<Instance>,
        subject: Subject,
    ) -> Result<Availability, SchemeError> {
        Ok(subject.email.map_or(Availability::NotAvailable, |_| Availability::Registered))
    }

    /// There is nothing to do for it but to have an e-mail.
    async fn register(
        &self,
        _: Arc<Instance>,
        subject: Subject,
        _: Value,
    ) -> Result<Option<Value>, SchemeError> {
        address(&subject).map(|_| None)
    }

    async fn registration(
        &self,
        _: Arc<Instance>,
        subject: Subject,
    ) -> Result<Option<Value>, SchemeError> {
        let email = subject.email.ok_or(SchemeError::NotFound)?;
        let text = format!("Codes are sent to {email}.");
        Ok(Some(json!({ "email": email, "page": { "text": text } })))
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
        let email = address(&subject)?;
        let code = Code::new(instance.digits);
        let letter = instance.letters.write(email, &code, SystemTime::now());
        let letter = letter.map_err(SchemeError::Failed)?;
        instance.vault.keep(&subject, &code).await?;
        if let Err(error) = instance.relay.send(letter).await {
            instance.vault.withdraw(&subject.user_id).await?;
            return Err(SchemeError::failed(error.message));
        }
        Ok(Some(sent(email)))
    }

    async fn validate(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        value: Value,
    ) -> Result<(), SchemeError> {
        let code = codes::typed(&value).ok_or_else(|| SchemeError::invalid("code is missing"))?;
        let is_right = instance.vault.accept(&subject, &code).await?;
        if is_right { Ok(()) } else { Err(SchemeError::Unauthorized) }
    }
}

fn address(subject: &Subject) -> Result<&str, SchemeError> {
    let email = subject.email.as_deref();
    email.ok_or_else(|| SchemeError::invalid("email: is missing; codes can't be sent"))
}

/// What is told before anybody has proved who they are: no whole address.
fn sent(email: &str) -> Value {
    let text = format!("A code was sent to {}.", letter::masked(email));
    let field = json!({ "name": "code", "label": "Code", "kind": "code" });
    json!({ "page": { "text": text, "forms": [{ "fields": [field], "button": "Continue" }] } })
}

fn main() -> ExitCode {
    Server::new("email-code", EmailCode)
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("Code by mail")
        .description("One-time codes that users get by mail.")
        .scheme()
        .serve()
}
