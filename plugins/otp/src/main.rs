//! A scheme of one-time passwords that an app or a token shows: TOTP (RFC 6238) and HOTP (RFC 4226).
//!
//! Whether a code is right is decided in `codes`, without any IO. Secrets are in the host's storage (`vault`), each under
//! its user's id, and are shown once, while the user registers (`enrolment`).

mod codes;
mod enrolment;
mod parameters;
mod picture;
mod vault;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use outboard_sdk::{
    Availability, Endpoints, Failure, Host, Init, InstanceKind, Plugin, Problems, RevokedUser,
    Scheme, SchemeError, Server, Subject,
};
use serde_json::{Value, json};

use parameters::{Parameters, Rules};
use vault::Vault;

struct Otp;

/// The secrets of its users, and its rules.
struct Instance {
    rules: Rules,
    vault: Vault,
}

impl Instance {
    fn new(rules: Rules, host: &Host) -> Self {
        let vault = Vault::new(host.storage(), rules.attempts);
        Self { rules, vault }
    }
}

impl Plugin for Otp {
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
        Ok(Instance::new(init.parameters.read()?, &init.host))
    }

    async fn revoke_user(&self, instance: Arc<Instance>, user: RevokedUser) -> Result<(), Failure> {
        Ok(instance.vault.forget(&user.id).await?)
    }
}

impl Scheme for Otp {
    async fn can_use(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<Availability, SchemeError> {
        let found = instance.vault.registration(&subject.user_id).await?;
        Ok(found.map_or(Availability::Available, |_| Availability::Registered))
    }

    async fn register(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        data: Value,
    ) -> Result<Option<Value>, SchemeError> {
        enrolment::step(&instance, &subject, &data, now()).await
    }

    async fn registration(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<Option<Value>, SchemeError> {
        let found = instance.vault.registration(&subject.user_id).await?;
        let (found, _) = found.ok_or(SchemeError::NotFound)?;
        let issuer = instance.rules.issuer(&subject);
        let text =
            format!("Codes of {} digits, from the entry “{issuer}” of your app.", found.digits);
        let mut told = found.told();
        told["issuer"] = issuer.into();
        told["page"] = json!({ "text": text });
        Ok(Some(told))
    }

    async fn deregister(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<(), SchemeError> {
        Ok(instance.vault.forget(&subject.user_id).await?)
    }

    async fn validate(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        value: Value,
    ) -> Result<(), SchemeError> {
        let code = codes::typed(&value).ok_or_else(|| SchemeError::invalid("code is missing"))?;
        let is_right = instance.vault.accept(&subject.user_id, |registration| {
            registration.accept(&code, now(), &instance.rules)
        });
        if is_right.await? { Ok(()) } else { Err(SchemeError::Unauthorized) }
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn main() -> ExitCode {
    Server::new("otp", Otp)
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("One-time password")
        .description("One-time passwords that an app or a token shows: TOTP and HOTP.")
        .scheme()
        .serve()
}
