//! The forms in which events are shown. The JSON is a promise to scripts; the messages of the control socket are not.

use std::time::SystemTime;

use outboard_core::event::{Origin, Received, wire};
use outboard_proto::admin::v1 as admin;
use outboard_proto::event::v1 as event;
use serde::Serialize;
use serde_json::{Value, json};

/// All notifiers, and the space that events take.
#[derive(Serialize)]
pub(super) struct Listing {
    pub(super) outbox_bytes: u64,
    pub(super) outbox_limit_bytes: u64,
    pub(super) notifiers: Vec<Notifier>,
}

#[derive(Serialize)]
pub(super) struct Notifier {
    pub(super) instance: String,
    /// None: the instance is no longer there.
    pub(super) plugin: Option<String>,
    pub(super) types: Vec<String>,
    pub(super) pending: u64,
    pub(super) pending_bytes: u64,
    /// RFC 3339, in UTC.
    pub(super) oldest: Option<String>,
    #[serde(skip)]
    pub(super) oldest_time: Option<SystemTime>,
    pub(super) dead: u64,
    pub(super) last_error: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Shown {
    /// As `CloudEvents` JSON; without its data where that is no longer kept.
    pub(super) event: Value,
    pub(super) accepted: Option<String>,
    pub(super) deliveries: Vec<Delivery>,
}

#[derive(Serialize)]
pub(super) struct DeadLetter {
    pub(super) event: Value,
    pub(super) delivery: Delivery,
}

#[derive(Serialize)]
pub(super) struct Delivery {
    #[serde(rename = "delivery_id")]
    pub(super) id: String,
    pub(super) instance: String,
    /// `pending`, `delivered` or `dead`.
    pub(super) state: &'static str,
    pub(super) attempts: u32,
    pub(super) error: Option<String>,
    pub(super) updated: Option<String>,
    pub(super) replayed: bool,
}

#[derive(Serialize)]
pub(super) struct Count {
    pub(super) count: u64,
}

impl From<admin::ListNotifiersResponse> for Listing {
    fn from(response: admin::ListNotifiersResponse) -> Self {
        Self {
            outbox_bytes: response.outbox_bytes,
            outbox_limit_bytes: response.outbox_limit_bytes,
            notifiers: response.notifiers.into_iter().map(Notifier::from).collect(),
        }
    }
}

impl From<admin::Notifier> for Notifier {
    fn from(notifier: admin::Notifier) -> Self {
        let oldest_time = notifier.oldest.and_then(|oldest| SystemTime::try_from(oldest).ok());
        Self {
            instance: notifier.instance,
            plugin: unless_empty(notifier.plugin),
            types: notifier.types,
            pending: notifier.pending,
            pending_bytes: notifier.pending_bytes,
            oldest: oldest_time.map(rfc3339),
            oldest_time,
            dead: notifier.dead,
            last_error: unless_empty(notifier.last_error),
        }
    }
}

impl From<admin::ShowResponse> for Shown {
    fn from(response: admin::ShowResponse) -> Self {
        Self {
            event: cloud(response.event.unwrap_or_default()),
            accepted: response.accepted.and_then(time),
            deliveries: response.deliveries.into_iter().map(Delivery::from).collect(),
        }
    }
}

impl From<admin::DeadLetter> for DeadLetter {
    fn from(letter: admin::DeadLetter) -> Self {
        Self {
            event: cloud(letter.event.unwrap_or_default()),
            delivery: letter.delivery.unwrap_or_default().into(),
        }
    }
}

impl From<admin::Delivery> for Delivery {
    fn from(delivery: admin::Delivery) -> Self {
        Self {
            state: match delivery.state() {
                admin::DeliveryState::Unspecified => "unknown",
                admin::DeliveryState::Pending => "pending",
                admin::DeliveryState::Delivered => "delivered",
                admin::DeliveryState::Dead => "dead",
            },
            updated: delivery.updated.and_then(time),
            id: delivery.delivery_id,
            instance: delivery.instance,
            attempts: delivery.attempts,
            error: unless_empty(delivery.error),
            replayed: delivery.replayed,
        }
    }
}

/// An event as services write it, or what is left of it.
fn cloud(event: event::Event) -> Value {
    let rest = json!({ "id": event.id, "source": event.source, "type": event.r#type });
    if event.time.is_none() {
        return rest;
    }
    let mut received =
        Received { now: SystemTime::UNIX_EPOCH, new_id: &mut String::new, origin: Origin::Service };
    let whole = wire::from_proto(event, &mut received).ok();
    whole.and_then(|whole| serde_json::from_str(&whole.to_json()).ok()).unwrap_or(rest)
}

fn time(time: prost_types::Timestamp) -> Option<String> {
    SystemTime::try_from(time).ok().map(rfc3339)
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// What a message leaves out stands in it as empty.
fn unless_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
