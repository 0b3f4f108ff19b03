//! `outboard.admin.v1.Events`: what operators do with events.

use std::collections::{BTreeMap, BTreeSet};

use outboard_core::event::{Event, wire};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::events_server;
use outboard_proto::event::v1 as event;
use outboard_store::StoreError;
use outboard_store::outbox::{DeadLetter, Delivery, Queue, Selection, State, StoredEvent, Window};
use tonic::{Request, Response, Status};

use crate::clock::{now_ms, timestamp};
use crate::events::Events;

/// Dead letters in one answer: by default, and at most.
const SOME: u32 = 100;
const MOST: u32 = 1000;
/// Of their events.
const MOST_BYTES: u64 = 32 << 20;

pub(super) struct EventService {
    pub(super) events: Events,
}

#[tonic::async_trait]
impl events_server::Events for EventService {
    async fn list_notifiers(
        &self,
        _: Request<admin::ListNotifiersRequest>,
    ) -> Result<Response<admin::ListNotifiersResponse>, Status> {
        let queues = self.events.outbox().queues().await.map_err(|error| failed(&error))?;
        let by_name = queues.queues.into_iter().map(|queue| (queue.notifier.clone(), queue));
        Ok(Response::new(admin::ListNotifiersResponse {
            notifiers: self.notifiers(&by_name.collect()),
            outbox_bytes: queues.bytes,
            outbox_limit_bytes: self.events.settings().bounds.max_bytes,
        }))
    }

    async fn show(
        &self,
        request: Request<admin::ShowRequest>,
    ) -> Result<Response<admin::ShowResponse>, Status> {
        let admin::ShowRequest { id, source } = request.into_inner();
        let source = Some(source.as_str()).filter(|source| !source.is_empty());
        let shown = self.events.outbox().show(&id, source).await.map_err(|error| failed(&error))?;
        let shown = shown.ok_or_else(|| {
            let of = source.map(|source| format!(" of {source:?}")).unwrap_or_default();
            Status::not_found(format!(
                "no event has the id {id:?}{of}; those that were delivered are forgotten after events.retention"
            ))
        })?;
        Ok(Response::new(admin::ShowResponse {
            accepted: Some(timestamp(shown.event.accepted_ms)),
            event: Some(told(&shown.event)),
            deliveries: shown.deliveries.into_iter().map(delivery).collect(),
        }))
    }

    async fn list_dead(
        &self,
        request: Request<admin::ListDeadRequest>,
    ) -> Result<Response<admin::ListDeadResponse>, Status> {
        let admin::ListDeadRequest { instance, limit, after } = request.into_inner();
        let instance = Some(instance.as_str()).filter(|instance| !instance.is_empty());
        let limit = if limit == 0 { SOME } else { limit.min(MOST) };
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let window = Window { rows: limit, bytes: MOST_BYTES };
        let letters = self.events.outbox().dead(instance, after, window).await;
        let letters = letters.map_err(|error| failed(&error))?.into_iter().map(letter).collect();
        Ok(Response::new(admin::ListDeadResponse { letters }))
    }

    async fn replay(
        &self,
        request: Request<admin::ReplayRequest>,
    ) -> Result<Response<admin::ReplayResponse>, Status> {
        let selection = selection(request.into_inner().selection)?;
        let changed = self.events.outbox().replay(&selection, now_ms()).await;
        let changed = changed.map_err(|error| failed(&error))?;
        self.events.replayed(&changed.notifiers);
        let count = some(changed.count)?;
        tracing::info!(count, "dead letters are delivered once more, as asked");
        Ok(Response::new(admin::ReplayResponse { count }))
    }

    async fn drop(
        &self,
        request: Request<admin::DropRequest>,
    ) -> Result<Response<admin::DropResponse>, Status> {
        let selection = selection(request.into_inner().selection)?;
        let changed = self.events.outbox().drop_dead(&selection, now_ms()).await;
        let count = some(changed.map_err(|error| failed(&error))?.count)?;
        tracing::info!(count, "dead letters are forgotten, as asked");
        Ok(Response::new(admin::DropResponse { count }))
    }
}

impl EventService {
    /// Those that are told of events, and those for which some are kept.
    fn notifiers(&self, queues: &BTreeMap<String, Queue>) -> Vec<admin::Notifier> {
        let roles = self.events.roster().roles().unwrap_or_default();
        let counts = self.events.numbers().notifiers();
        let names: BTreeSet<&String> = roles.notifiers.keys().chain(queues.keys()).collect();
        let told = names.into_iter().map(|name| {
            let role = roles.notifiers.get(name);
            let queue = queues.get(name);
            let types = role.map(|role| role.types.to_string()).unwrap_or_default();
            let types = types.split(", ").filter(|pattern| !pattern.is_empty());
            admin::Notifier {
                instance: name.clone(),
                plugin: role.map(|role| role.plugin.clone()).unwrap_or_default(),
                types: types.map(ToOwned::to_owned).collect(),
                pending: queue.map_or(0, |queue| queue.pending),
                pending_bytes: queue.map_or(0, |queue| queue.pending_bytes),
                dead: queue.map_or(0, |queue| queue.dead),
                oldest: queue.and_then(|queue| queue.oldest_ms).map(timestamp),
                last_error: counts
                    .get(name.as_str())
                    .map(|counts| counts.last_error.clone())
                    .unwrap_or_default(),
            }
        });
        told.collect()
    }
}

fn selection(selection: Option<admin::Selection>) -> Result<Selection, Status> {
    let admin::Selection { delivery_ids: ids, instance: notifier } = selection.unwrap_or_default();
    match (ids.is_empty(), notifier.is_empty()) {
        (true, true) => Err(Status::invalid_argument(
            "neither ids of deliveries nor a notifier; name what is meant",
        )),
        (true, false) => Ok(Selection::AllOf { notifier }),
        (false, true) => Ok(Selection::Ids(ids)),
        (false, false) => Ok(Selection::IdsOf { notifier, ids }),
    }
}

/// A selection that matches nothing is more likely a slip than a wish.
fn some(count: u64) -> Result<u64, Status> {
    if count == 0 {
        return Err(Status::not_found(
            "no dead letter is like that; `outboard event dead` lists those that there are",
        ));
    }
    Ok(count)
}

fn failed(error: &StoreError) -> Status {
    Status::failed_precondition(error.to_string())
}

fn letter(letter: DeadLetter) -> admin::DeadLetter {
    admin::DeadLetter {
        position: u64::try_from(letter.event.seq).unwrap_or_default(),
        event: Some(told(&letter.event)),
        delivery: Some(delivery(letter.delivery)),
    }
}

fn delivery(delivery: Delivery) -> admin::Delivery {
    let state = match delivery.state {
        State::Pending => admin::DeliveryState::Pending,
        State::Delivered => admin::DeliveryState::Delivered,
        State::Dead => admin::DeliveryState::Dead,
    };
    admin::Delivery {
        delivery_id: delivery.delivery_id,
        instance: delivery.notifier,
        state: state.into(),
        attempts: delivery.attempts,
        error: delivery.error.unwrap_or_default(),
        updated: Some(timestamp(delivery.updated_ms)),
        replayed: delivery.replayed,
    }
}

/// The event as it was announced, or what is left of it.
fn told(stored: &StoredEvent) -> event::Event {
    let whole = stored.body.as_deref().and_then(|body| Event::from_json(body).ok());
    whole.map_or_else(
        || event::Event {
            id: stored.event_id.clone(),
            source: stored.source.clone(),
            r#type: stored.kind.clone(),
            ..event::Event::default()
        },
        |whole| wire::to_proto(&whole),
    )
}
