//! `POST /v1/events`: events in any of their written forms, one or many.

use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts as Head;
use outboard_core::event::{Event, Fault, Origin, Received, binary, cloud, read_any};
use serde::Serialize;

use super::body::whole;
use super::reply::{Refused, json};
use super::{Parts, Rules};
use crate::events::{PublishError, Receipt};

/// A list may be as large as so many of the largest events.
const BATCH: usize = 16;
/// A list may always be as large as this.
const BATCH_BYTES: usize = 16 << 20;

#[derive(Serialize)]
struct Accepted<'r> {
    receipts: Vec<Line<'r>>,
}

#[derive(Serialize)]
struct Line<'r> {
    id: &'r str,
    repeated: bool,
}

/// In which form events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `application/cloudevents+json`
    One,
    /// `application/cloudevents-batch+json`
    Batch,
    /// `application/json`: whichever it looks like.
    Any,
    /// The body is the data, and the headers are the rest.
    Binary,
}

pub(super) async fn publish(
    State(parts): State<Parts>,
    request: Request,
) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let form = Form::of(&head).ok_or_else(unknown_form)?;
    let body = whole(&head, body, form.most(&parts.rules.load()), form.what()).await?;
    let events = receive(|received| read(form, &head, &body, received));
    let events = events.map_err(|fault| Refused::new(400, fault.to_string()))?;
    let receipts = parts.events.publish(events).await?;
    let receipts = receipts.iter().map(|Receipt { id, repeated }| Line { id, repeated: *repeated });
    Ok(json(StatusCode::ACCEPTED, &Accepted { receipts: receipts.collect() }))
}

impl Form {
    /// As the HTTP binding of `CloudEvents` has it: what the type of the body says goes before the headers.
    fn of(head: &Head) -> Option<Self> {
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let is_binary =
            || head.headers.keys().any(|name| name.as_str().starts_with(binary::PREFIX));
        match essence.to_ascii_lowercase().as_str() {
            "application/cloudevents+json" => Some(Self::One),
            "application/cloudevents-batch+json" => Some(Self::Batch),
            _ if is_binary() => Some(Self::Binary),
            "application/json" => Some(Self::Any),
            _ => None,
        }
    }

    /// Bytes of a body. What is JSON there may be shorter as it is kept, so it is judged again when it is.
    fn most(self, rules: &Rules) -> usize {
        match self {
            Self::One | Self::Binary => rules.max_event,
            Self::Batch | Self::Any => {
                rules.max_event.saturating_mul(BATCH).min(BATCH_BYTES).max(rules.max_event)
            }
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::One | Self::Binary => "the event",
            Self::Batch | Self::Any => "the list of events",
        }
    }
}

/// Reads what a service sends now.
pub(super) fn receive<T>(read: impl FnOnce(&mut Received<'_>) -> T) -> T {
    let mut new_id = || uuid::Uuid::now_v7().to_string();
    let now = SystemTime::now();
    read(&mut Received { now, new_id: &mut new_id, origin: Origin::Service })
}

fn read(
    form: Form,
    head: &Head,
    body: &Bytes,
    received: &mut Received<'_>,
) -> Result<Vec<Event>, Fault> {
    match form {
        Form::One => cloud::read(body, received).map(|event| vec![event]),
        Form::Batch => cloud::read_batch(body, received),
        Form::Any => read_any(body, received),
        Form::Binary => {
            let headers =
                head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            binary::read(headers, body, received).map(|event| vec![event])
        }
    }
}

fn unknown_form() -> Refused {
    Refused::new(
        415,
        "the body must be application/cloudevents+json, application/cloudevents-batch+json or application/json, or \
         the headers CloudEvents' ce-specversion and so on",
    )
}

impl From<PublishError> for Refused {
    fn from(error: PublishError) -> Self {
        let status = match error {
            PublishError::TooMany(_) => 400,
            PublishError::TooLarge { .. } => 413,
            PublishError::Full => 429,
            PublishError::Unavailable(_) => 503,
        };
        let refused = Self::new(status, error.to_string());
        match error.retry_after() {
            Some(wait) => refused.retry_after(wait),
            None => refused,
        }
    }
}
