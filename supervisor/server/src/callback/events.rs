//! `outboard.host.v1.Events`: what plugins announce.

use std::time::SystemTime;

use outboard_core::event::{Event, Origin, Received, wire as core_wire};
use outboard_proto::event::v1 as event;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::events_server;
use tonic::{Request, Response, Status};

use super::Caller;
use crate::events::{MOST_EVENTS, PublishError};
use crate::grants::Badge;

#[tonic::async_trait]
impl events_server::Events for Caller {
    async fn emit(
        &self,
        request: Request<wire::EmitRequest>,
    ) -> Result<Response<wire::EmitResponse>, Status> {
        let instance = self.identify(&request)?.instance;
        let events = request.into_inner().events;
        if events.len() > MOST_EVENTS {
            return Err(status(&PublishError::TooMany(events.len())));
        }
        let source = format!("/plugins/{}/{instance}", self.0.plugin());
        let events = read(events, &source)?;
        refuse_ungranted(self.0.plugin(), self.0.badge(), &events)?;
        let receipts =
            self.0.services.events.publish(events).await.map_err(|error| status(&error))?;
        let receipts = receipts.into_iter();
        let receipts =
            receipts.map(|it| wire::EmitReceipt { event_id: it.id, repeated: it.repeated });
        Ok(Response::new(wire::EmitResponse { receipts: receipts.collect() }))
    }
}

fn read(events: Vec<event::Event>, source: &str) -> Result<Vec<Event>, Status> {
    let mut received = Received {
        now: SystemTime::now(),
        new_id: &mut || uuid::Uuid::now_v7().to_string(),
        origin: Origin::Plugin { source },
    };
    let events = core_wire::from_protos(events, &mut received);
    events.map_err(|fault| Status::invalid_argument(fault.to_string()))
}

fn refuse_ungranted(plugin: &str, badge: &Badge, events: &[Event]) -> Result<(), Status> {
    let ungranted = events.iter().map(|event| &event.kind).find(|kind| !badge.emits(kind));
    ungranted.map_or(Ok(()), |kind| {
        Err(Status::permission_denied(format!(
            "events of type {kind:?} are not granted; the author asks for them in plugin.toml, grants.emit = [{kind:?}], \
             and the operator gives them: `outboard plugin grant {plugin} --emit {kind}`, or in outboard.toml, [[plugin]] \
             name = {plugin:?}, grants.emit = [{kind:?}]"
        )))
    })
}

fn status(error: &PublishError) -> Status {
    let message = error.to_string();
    match error {
        PublishError::TooMany(_) | PublishError::Full => Status::resource_exhausted(message),
        PublishError::TooLarge { .. } => Status::out_of_range(message),
        PublishError::Unavailable(_) => Status::unavailable(message),
    }
}
