//! `outboard import`, from the supervisor's side.

use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::imports_server::{Imports, ImportsServer};
use tokio::sync::oneshot;
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};

use crate::import::{Import, ImportError};
use crate::task;

/// Of a message. A document has at most as much.
const MOST_BYTES: usize = 64 << 20;

struct Service(Import);

/// Adds the service.
pub(super) fn add_to(routes: &mut RoutesBuilder, import: Import) {
    routes.add_service(ImportsServer::new(Service(import)).max_decoding_message_size(MOST_BYTES));
}

#[tonic::async_trait]
impl Imports for Service {
    async fn import(
        &self,
        request: Request<admin::ImportRequest>,
    ) -> Result<Response<admin::ImportResponse>, Status> {
        let document = serde_json::from_slice(&request.get_ref().document).map_err(|error| {
            Status::invalid_argument(format!("the document is no JSON: {error}"))
        })?;
        // To its end, although the caller may go: half of it is worth less than all or nothing.
        let (import, (tell, told)) = (self.0.clone(), oneshot::channel());
        let loading = async move {
            // Nobody listens any more if the caller has gone.
            let _ = tell.send(import.load(&document).await);
        };
        task::spawn("import", loading).detach();
        let loaded = told.await.map_err(|_| Status::internal("loading the document panicked"))?;
        let done = loaded.map_err(|error| match &error {
            ImportError::Wrong(_) => Status::invalid_argument(error.to_string()),
            ImportError::Stopped(_) => Status::failed_precondition(error.to_string()),
        })?;
        Ok(Response::new(admin::ImportResponse { added: done.added, changed: done.changed }))
    }
}
