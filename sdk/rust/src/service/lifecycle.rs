//! `Lifecycle`: loading, and the life of instances.

use std::sync::Arc;
use std::time::SystemTime;

use outboard_proto::host::v1::Endpoint;
use outboard_proto::plugin::v1::lifecycle_server::Lifecycle;
use outboard_proto::plugin::v1::{
    Capability, CheckRequest, CheckResponse, CloseRequest, CloseResponse, InitRequest,
    InitResponse, LoadRequest, LoadResponse, RevokeUserRequest, RevokeUserResponse, UnloadRequest,
    UnloadResponse,
};
use tonic::{Request, Response, Status};

use super::{Shared, guarded};
use crate::activation::Activation;
use crate::endpoints::Endpoints;
use crate::host::Host;
use crate::parameters;
use crate::plugin::{CloseReason, Init, InitReason, InstanceKind, Load, Plugin, RevokedUser};
use crate::problem::{Problem, Problems};

/// What the host takes in one call.
const ENDPOINTS_PER_CALL: usize = 1000;

pub(crate) struct LifecycleService<P: Plugin>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: Plugin> Lifecycle for LifecycleService<P> {
    async fn load(&self, request: Request<LoadRequest>) -> Result<Response<LoadResponse>, Status> {
        let LoadRequest { broker_id, host_version, generation } = request.into_inner();
        let shared = &self.0;
        if let Err(error) = shared.connection.open(broker_id).await {
            // Many plugins never call their host; those that do get this error again.
            tracing::warn!(%error, "the host's services can't be reached");
        }
        guarded(shared.plugin.load(Load { host_version, generation }))
            .await?
            .map_err(|failure| Status::failed_precondition(failure.message()))?;
        let about = shared.about.clone();
        Ok(Response::new(LoadResponse {
            name: about.name,
            version: about.version,
            display_name: about.display_name,
            description: about.description,
            capabilities: [Capability::HttpHandle, Capability::HttpServe]
                .into_iter()
                .chain(about.capabilities)
                .map(Into::into)
                .collect(),
        }))
    }

    async fn unload(&self, _: Request<UnloadRequest>) -> Result<Response<UnloadResponse>, Status> {
        guarded(self.0.plugin.unload()).await?;
        Ok(Response::new(UnloadResponse {}))
    }

    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let problems = match self.activate(request.into_inner()).await {
            Ok(()) => Vec::new(),
            Err(problems) => problems.into_proto(),
        };
        Ok(Response::new(InitResponse { problems }))
    }

    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let CheckRequest { instance, parameters, .. } = request.into_inner();
        let judged = match parameters::read(&parameters) {
            Ok(parameters) => guarded(self.0.plugin.check(&instance, parameters)).await?,
            Err(problem) => Err(problem.into()),
        };
        let problems = judged.err().map(Problems::into_proto).unwrap_or_default();
        Ok(Response::new(CheckResponse { problems }))
    }

    async fn close(
        &self,
        request: Request<CloseRequest>,
    ) -> Result<Response<CloseResponse>, Status> {
        let reason = CloseReason::from_proto(request.get_ref().reason());
        let CloseRequest { activation, .. } = request.into_inner();
        // Closing what is not there is no error: a host that repeats itself means the same.
        let instance = self.0.remove(&activation).and_then(|activation| activation.instance());
        if let Some(instance) = instance {
            guarded(self.0.plugin.close(instance, reason)).await?;
        }
        Ok(Response::new(CloseResponse {}))
    }

    async fn revoke_user(
        &self,
        request: Request<RevokeUserRequest>,
    ) -> Result<Response<RevokeUserResponse>, Status> {
        let RevokeUserRequest { activation, user_id, user_name, deleted_at } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let deleted_at = deleted_at.and_then(|at| SystemTime::try_from(at).ok());
        let user = RevokedUser { id: user_id, name: user_name, deleted_at };
        guarded(self.0.plugin.revoke_user(instance, user))
            .await?
            .map_err(|failure| Status::unavailable(failure.message()))?;
        Ok(Response::new(RevokeUserResponse {}))
    }
}

impl<P: Plugin> LifecycleService<P> {
    /// Makes an activation and stages its endpoints. The host publishes them after the answer, so it is
    /// early enough to enter it in the table last, when nothing can fail any more.
    async fn activate(&self, request: InitRequest) -> Result<(), Problems> {
        let reason = InitReason::from_proto(request.reason());
        let kind = InstanceKind::from_proto(request.kind());
        let InitRequest { activation: id, instance, parameters, .. } = request;
        let parameters = parameters::read(&parameters)?;
        let host = Host::new(self.0.connection.channel().await, &id);
        let activation = Arc::new(Activation::new(host.clone()));
        let mut endpoints = Endpoints::new(Arc::clone(&activation));
        let init = Init { activation: id.clone(), instance, parameters, reason, kind, host };
        let made = guarded(self.0.plugin.init(init, &mut endpoints)).await;
        let made = made.map_err(|_| Problem::new("", "init panicked; see the plugin's log"))?;
        activation.serve(made?);
        stage(&activation.host, &endpoints.into_staged()).await?;
        self.0.insert(&id, &activation);
        Ok(())
    }
}

async fn stage(host: &Host, endpoints: &[Endpoint]) -> Result<(), Problems> {
    for some in endpoints.chunks(ENDPOINTS_PER_CALL) {
        host.add_endpoints(some.to_vec())
            .await
            .map_err(|error| Problem::new("", format!("its endpoints were refused: {error}")))?;
    }
    Ok(())
}
