//! `Notifier`: events for an author's plugin.

use std::sync::Arc;

use outboard_proto::plugin::v1::notifier_server::Notifier as Service;
use outboard_proto::plugin::v1::{NotifyOutcome, OnNotifyRequest, OnNotifyResponse};
use tonic::{Request, Response, Status};

use super::{Shared, guarded};
use crate::notifier::{Delivery, Notifier, NotifyError};

pub(crate) struct NotifierService<P: Notifier>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: Notifier> Service for NotifierService<P> {
    async fn on_notify(
        &self,
        request: Request<OnNotifyRequest>,
    ) -> Result<Response<OnNotifyResponse>, Status> {
        let request = request.into_inner();
        let instance = self.0.instance(&request.activation)?;
        let delivery = Delivery::from_proto(request)
            .ok_or_else(|| Status::invalid_argument("there is no event in the request"))?;
        let notified = guarded(self.0.plugin.on_notify(instance, delivery)).await?;
        Ok(Response::new(notified.map_or_else(NotifyError::into_proto, |()| OnNotifyResponse {
            outcome: NotifyOutcome::Delivered.into(),
            ..OnNotifyResponse::default()
        })))
    }
}
