//! `outboard.host.v1.Host`: where a plugin stands, and one more way in.

use std::sync::Arc;

use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::host_server::Host;
use tonic::{Request, Response, Status};

use super::room::activation;
use super::{Caller, Room};
use crate::{task, version};

#[tonic::async_trait]
impl Host for Caller {
    async fn announce(
        &self,
        _: Request<wire::AnnounceRequest>,
    ) -> Result<Response<wire::AnnounceResponse>, Status> {
        let id = announce(&self.0).await?;
        Ok(Response::new(wire::AnnounceResponse { broker_id: id }))
    }

    async fn info(
        &self,
        request: Request<wire::InfoRequest>,
    ) -> Result<Response<wire::InfoResponse>, Status> {
        let instance = self.0.instance(&activation(&request)?)?;
        Ok(Response::new(wire::InfoResponse {
            host_version: version().to_owned(),
            plugin: self.0.plugin().to_owned(),
            generation: self.0.generation(),
            base_path: self.0.site.base_path(&instance),
            external_url: self.0.site.external_url(&instance),
            instance,
        }))
    }
}

/// Offers the host's services under a new broker id, good for one dial.
pub async fn announce(room: &Arc<Room>) -> Result<u32, Status> {
    let broker = room.broker().ok_or_else(|| {
        Status::failed_precondition("the process is not connected yet; call again after Load")
    })?;
    if !room.may_announce() {
        return Err(Status::resource_exhausted(
            "announced too often to this process; keep a connection instead of dialling anew",
        ));
    }
    let id = broker.next_id();
    let refused = |error| Status::failed_precondition(format!("the broker: {error}"));
    let incoming = broker.accept(id).await.map_err(refused)?;
    task::spawn("host services over the broker", super::serve(room.clone(), incoming)).detach();
    Ok(id)
}
