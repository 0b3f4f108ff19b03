//! Taking events in: who is to be told of each, and whether there is room for it.

use std::sync::Arc;
use std::time::Duration;

use outboard_core::event::Event;
use outboard_store::outbox::{Accept, NewDelivery, NewEvent};

use super::Events;
use crate::plugin::roles::Roles;

/// In one call.
pub const MOST_EVENTS: usize = outboard_core::event::MOST;

/// For the answer that events are on disk.
const LONGEST: Duration = Duration::from_secs(30);

/// When to ask again where there is no room, or no answer from the database.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// An event is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event's.
    pub id: String,
    /// It was there already, and this one was left out.
    pub repeated: bool,
}

/// Why no event of a call was taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error("{0} events in one call, more than {MOST_EVENTS}; split it")]
    TooMany(usize),
    #[error(
        "event {index} has {bytes} bytes as JSON, more than {most}; send a link instead of the data, or have events.max_event raised"
    )]
    TooLarge { index: usize, bytes: usize, most: usize },
    #[error(
        "the outbox is full (events.max_bytes): too much waits to be delivered; try again later, and see `outboard event notifiers`"
    )]
    Full,
    #[error("{0}")]
    Unavailable(String),
}

impl PublishError {
    /// The same again may work, after this time.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany(_) | Self::TooLarge { .. } => None,
            Self::Full | Self::Unavailable(_) => Some(RETRY_AFTER),
        }
    }
}

impl Events {
    /// Takes events in, all or none, and returns when they are on disk.
    ///
    /// Dropping the future leaves open whether they are: whoever asks again with the same ids is told.
    pub async fn publish(&self, events: Vec<Event>) -> Result<Vec<Receipt>, PublishError> {
        let count = events.len();
        let accepted = tokio::time::timeout(LONGEST, self.try_publish(events)).await;
        accepted.unwrap_or_else(|_| {
            self.0.numbers.refuse("unavailable", count);
            let message = "the outbox was not written in time; see the supervisor's log".to_owned();
            Err(PublishError::Unavailable(message))
        })
    }

    async fn try_publish(&self, events: Vec<Event>) -> Result<Vec<Receipt>, PublishError> {
        if events.len() > MOST_EVENTS {
            self.0.numbers.refuse("too_many", events.len());
            return Err(PublishError::TooMany(events.len()));
        }
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let roles = self.roles().await?;
        let most = self.0.settings.max_event;
        let (mut accept, mut bytes) = (Accept { events: Vec::with_capacity(events.len()) }, 0);
        for (index, event) in events.iter().enumerate() {
            let new = new_event(event, &roles);
            let length = new.body.len();
            if length > most {
                self.0.numbers.refuse("too_large", events.len());
                return Err(PublishError::TooLarge { index, bytes: length, most });
            }
            bytes += length;
            accept.events.push(new);
        }
        let receipts = self.0.desk.accept(accept, bytes).await?;
        let ids = events.into_iter().map(|event| event.id);
        Ok(ids
            .zip(receipts)
            .map(|(id, receipt)| Receipt { id, repeated: receipt.repeated })
            .collect())
    }

    /// Who is to be told. At the start that takes a moment.
    async fn roles(&self) -> Result<Arc<Roles>, PublishError> {
        if let Some(roles) = self.0.roster.roles() {
            return Ok(roles);
        }
        let mut changes = self.0.roster.changes();
        let known = changes.wait_for(Option::is_some).await;
        let known = known.ok().and_then(|known| known.clone());
        known.ok_or_else(|| PublishError::Unavailable("the supervisor is stopping".to_owned()))
    }
}

fn new_event(event: &Event, roles: &Roles) -> NewEvent {
    let told = roles.notifiers.iter().filter(|(_, notifier)| notifier.types.matches(&event.kind));
    let deliveries = told.map(|(instance, _)| NewDelivery {
        notifier: instance.as_str().into(),
        delivery_id: uuid::Uuid::now_v7().to_string(),
    });
    NewEvent {
        source: event.source.clone(),
        event_id: event.id.clone(),
        kind: event.kind.clone(),
        key: event.key().map(ToOwned::to_owned),
        body: event.to_json(),
        deliveries: deliveries.collect(),
    }
}
