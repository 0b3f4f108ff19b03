//! A notifier that sends events by mail, over SMTP.
//!
//! What a mail says is decided in `letter`, without any IO; what becomes of an event is what the mail server
//! answered.

mod letter;
mod parameters;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use outboard_sdk::{Delivery, Endpoints, Init, Notifier, NotifyError, Plugin, Problems, Server};
use outboard_sending::smtp::{NotSent, Relay};

use letter::Letters;
use parameters::Parameters;

struct Mail;

/// Recipients.
struct Instance {
    letters: Letters,
    relay: Relay,
}

impl Plugin for Mail {
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
        init.parameters.read()
    }
}

impl Notifier for Mail {
    async fn on_notify(
        &self,
        instance: Arc<Instance>,
        delivery: Delivery,
    ) -> Result<(), NotifyError> {
        let letter = instance.letters.write(&delivery, SystemTime::now())?;
        let Some(letter) = letter else { return Ok(()) };
        instance.relay.send(letter).await.map_err(|NotSent { message, is_final }| {
            if is_final { NotifyError::reject(message) } else { NotifyError::retry(message) }
        })
    }
}

fn main() -> ExitCode {
    Server::new("mail", Mail)
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("Mail")
        .description("Sends events by mail, over SMTP.")
        .notifier()
        .serve()
}
