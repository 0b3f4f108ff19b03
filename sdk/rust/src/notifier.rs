//! What an author implements to be told of events.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use outboard_proto::plugin::v1::{NotifyOutcome, OnNotifyRequest, OnNotifyResponse};

use crate::event::Event;
use crate::plugin::Plugin;

/// What the host keeps of a message.
const LONGEST_MESSAGE: usize = 1024;

/// A plugin whose instances are told of events. Its manifest has `notify.types`, and its `main` calls
/// [`Server::notifier`](crate::Server::notifier).
///
/// ```
/// use std::sync::Arc;
///
/// use outboard_sdk::{Delivery, Endpoints, Init, Notifier, NotifyError, Plugin, Problems};
///
/// struct Diary;
///
/// impl Plugin for Diary {
///     type Parameters = serde_json::Value;
///     type Instance = ();
///
///     async fn init(
///         &self,
///         _: Init<Self::Parameters>,
///         _: &mut Endpoints<()>,
///     ) -> Result<(), Problems> {
///         Ok(())
///     }
/// }
///
/// impl Notifier for Diary {
///     async fn on_notify(&self, _: Arc<()>, delivery: Delivery) -> Result<(), NotifyError> {
///         tracing::info!(kind = delivery.event.kind, id = delivery.id, "dear diary");
///         Ok(())
///     }
/// }
/// ```
pub trait Notifier: Plugin {
    /// Delivers one event. Events of one [key](Event::key) come one at a time and in order, others at the same
    /// time. One may come again under the same [`Delivery::id`], even after this has succeeded: when the
    /// process or the host was lost before the answer was on disk.
    ///
    /// The host waits 30 s (`events.timeout`); then the future is dropped, and the event comes again. A panic is
    /// an error that can be retried.
    ///
    /// # Errors
    ///
    /// When it was not delivered; the error says whether to try again.
    fn on_notify(
        &self,
        instance: Arc<Self::Instance>,
        delivery: Delivery,
    ) -> impl Future<Output = Result<(), NotifyError>> + Send;
}

/// An event for one instance.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// The same each time this event comes to this instance, and for nothing else: what receivers can drop
    /// repeats by. 1 to 64 characters of `a-z`, `0-9` and `-`.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// An operator has asked for it once more, after it had been given up: it is outside the order.
    pub replayed: bool,
}

impl Delivery {
    /// The first attempt to deliver an event. The host makes deliveries; this is for an author's own tests.
    pub fn new(id: impl Into<String>, event: Event) -> Self {
        Self { id: id.into(), event, attempt: 1, replayed: false }
    }

    /// `None`, if there is no event in it.
    pub(crate) fn from_proto(request: OnNotifyRequest) -> Option<Self> {
        Some(Self {
            id: request.delivery_id,
            event: Event::from_proto(request.event?),
            attempt: request.attempt,
            replayed: request.replayed,
        })
    }
}

/// Why an event was not delivered, for an operator. Never a secret: the host keeps it and shows it. Limit: 1024
/// characters, the rest is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyError {
    message: String,
    is_final: bool,
    after: Option<Duration>,
}

impl NotifyError {
    /// Not now: the host tries again, later each time.
    pub fn retry(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: false, after: None }
    }

    /// Never: the host makes it a dead letter, which an operator can replay.
    pub fn reject(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: true, after: None }
    }

    /// Not before that time has passed, such as what a receiver said with `Retry-After`. Limit: 24 h. Without
    /// effect on what is rejected.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = Some(wait);
        self
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the host is not to try again.
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// What [`after`](Self::after) was told.
    pub fn retry_after(&self) -> Option<Duration> {
        self.after
    }

    pub(crate) fn into_proto(self) -> OnNotifyResponse {
        let outcome = if self.is_final { NotifyOutcome::Rejected } else { NotifyOutcome::Retry };
        let message = match self.message.as_str() {
            "" => "no reason was given; see the plugin's log".to_owned(),
            message => message.chars().take(LONGEST_MESSAGE).collect(),
        };
        let after = self.after.filter(|_| !self.is_final);
        OnNotifyResponse {
            outcome: outcome.into(),
            message,
            retry_after: after.and_then(|after| after.try_into().ok()),
        }
    }
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NotifyError {}
