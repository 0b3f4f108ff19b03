//! `plugin.GRPCController`: the host asks for the end.

use outboard_proto::goplugin::Empty;
use outboard_proto::goplugin::grpc_controller_server::GrpcController;
use tonic::{Request, Response, Status};

use super::stop::Stop;

pub(super) struct Controller(pub(super) Stop);

#[tonic::async_trait]
impl GrpcController for Controller {
    /// Answers first: the host's patience begins with the answer, and a graceful end sends it.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.request("the host asked for it");
        Ok(Response::new(Empty {}))
    }
}
