//! A notifier that posts events to a URL, as `CloudEvents` in JSON, signed as Standard Webhooks has it.

mod parameters;
mod signature;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use outboard_sdk::{
    Bytes, Delivery, Endpoints, HeaderMap, HeaderName, HeaderValue, Init, Notifier, NotifyError,
    Plugin, Problems, Server, StatusCode, header,
};
use outboard_sending::{Client, Target};

use parameters::Parameters;
use signature::Signers;

struct Webhook;

/// A receiver.
struct Instance {
    target: Target,
    client: Client,
    signers: Signers,
    /// Sent with each event.
    headers: HeaderMap,
}

impl Plugin for Webhook {
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

impl Notifier for Webhook {
    async fn on_notify(
        &self,
        instance: Arc<Instance>,
        delivery: Delivery,
    ) -> Result<(), NotifyError> {
        let body = Bytes::from(delivery.event.to_cloud_event_text());
        let headers = instance.headers(&delivery.id, SystemTime::now(), &body)?;
        let answer = instance.client.post(&instance.target, headers, body).await?;
        answer.judge(is_final)
    }
}

impl Instance {
    /// The id is the same each time this event is sent here, so that a receiver can drop repeats; time and signature
    /// are of this attempt.
    fn headers(&self, id: &str, now: SystemTime, body: &[u8]) -> Result<HeaderMap, NotifyError> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut headers = self.headers.clone();
        let json = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
        let about = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", self.signers.sign(id, now, body)),
        ];
        for (name, value) in about.into_iter().filter(|(_, value)| !value.is_empty()) {
            let value = HeaderValue::try_from(value)
                .map_err(|_| NotifyError::reject("the delivery's id is no visible ASCII"))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }
}

/// What a receiver says of this event. All else, a wrong password or path among it, is something that an operator
/// may mend while the event waits.
fn is_final(status: StatusCode) -> bool {
    [
        StatusCode::BAD_REQUEST,
        StatusCode::GONE,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
    ]
    .contains(&status)
}

fn main() -> ExitCode {
    Server::new("webhook", Webhook)
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("Webhook")
        .description("Posts events to a URL, as CloudEvents, signed.")
        .notifier()
        .serve()
}
