//! A notifier that posts events to a Slack channel, through an incoming webhook.
//!
//! What a message looks like is decided in `message`, without any IO; what becomes of an event is what Slack
//! answered. The webhook's URL is a secret and appears nowhere.

mod message;
mod parameters;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::sync::Arc;

use outboard_sdk::{
    Delivery, Endpoints, HeaderMap, HeaderValue, Init, Notifier, NotifyError, Plugin, Problems,
    Server, header,
};
use outboard_sending::{Client, Target, Templates, answer, context};

use message::Message;
use parameters::Parameters;

struct Slack;

/// A channel.
struct Instance {
    target: Target,
    client: Client,
    templates: Templates,
}

impl Plugin for Slack {
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

impl Notifier for Slack {
    async fn on_notify(
        &self,
        instance: Arc<Instance>,
        delivery: Delivery,
    ) -> Result<(), NotifyError> {
        let Some(message) = instance.message(&delivery) else { return Ok(()) };
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let body = message.to_json().to_string().into();
        let answer = instance.client.post(&instance.target, headers, body).await?;
        answer.judge(|status| !answer::is_passing(status))
    }
}

impl Instance {
    /// `None`: the operator's template says nothing about this event.
    fn message(&self, delivery: &Delivery) -> Option<Message> {
        let kind = &delivery.event.kind;
        let own = self.templates.render(kind, &context(delivery), message::MOST_TEMPLATE_BYTES);
        match own {
            Some(Ok(text)) => Message::of_text(&text),
            Some(Err(why)) => {
                // Better told in another form than not at all.
                tracing::warn!(id = delivery.event.id, kind, why, "a template was not used");
                Some(Message::of_event(&delivery.event))
            }
            None => Some(Message::of_event(&delivery.event)),
        }
    }
}

fn main() -> ExitCode {
    Server::new("slack", Slack)
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("Slack")
        .description("Posts events to a Slack channel.")
        .notifier()
        .serve()
}
