//! `Scheduled`: what an author's plugin does later.

use std::sync::Arc;

use outboard_proto::plugin::v1::scheduled_server::Scheduled as Service;
use outboard_proto::plugin::v1::{OnScheduleRequest, OnScheduleResponse};
use tonic::{Request, Response, Status};

use super::{Shared, guarded};
use crate::scheduled::{Due, Scheduled};

pub(crate) struct ScheduledService<P: Scheduled>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: Scheduled> Service for ScheduledService<P> {
    async fn on_schedule(
        &self,
        request: Request<OnScheduleRequest>,
    ) -> Result<Response<OnScheduleResponse>, Status> {
        let request = request.into_inner();
        let instance = self.0.instance(&request.activation)?;
        let due = Due::from_proto(request);
        let done = guarded(self.0.plugin.on_schedule(instance, due)).await?;
        done.map_err(|failure| Status::internal(failure.message()))?;
        Ok(Response::new(OnScheduleResponse {}))
    }
}
