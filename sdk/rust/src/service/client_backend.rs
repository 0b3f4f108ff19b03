//! `ClientBackend`: clients that an author's plugin keeps.

use std::sync::Arc;

use outboard_proto::plugin::v1::client_backend_server::ClientBackend as Service;
use outboard_proto::plugin::v1::{
    self, AddClientRequest, AddClientResponse, CheckClientPasswordRequest,
    CheckClientPasswordResponse, DeleteClientRequest, DeleteClientResponse, GetClientRequest,
    GetClientResponse, ListClientsRequest, ListClientsResponse, SetClientRequest,
    SetClientResponse, ValidateClientRequest, ValidateClientResponse,
};
use tonic::{Request, Response, Status};

use super::{Shared, guarded};
use crate::backend::{BackendError, BackendQuery};
use crate::client_backend::{BackendClient, ClientBackend, ClientChange};

pub(crate) struct ClientBackendService<P: ClientBackend>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: ClientBackend> Service for ClientBackendService<P> {
    async fn list(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let ListClientsRequest { activation, pattern, offset, limit } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let query = BackendQuery { pattern, offset, limit };
        let page = guarded(self.0.plugin.list_clients(instance, query)).await??;
        let clients = page.entries.into_iter().map(BackendClient::into_proto).collect();
        Ok(Response::new(ListClientsResponse { clients, total: page.total }))
    }

    async fn get(
        &self,
        request: Request<GetClientRequest>,
    ) -> Result<Response<GetClientResponse>, Status> {
        let GetClientRequest { activation, client_id } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let client = guarded(self.0.plugin.get_client(instance, client_id)).await??;
        let client = client.ok_or(BackendError::NotFound)?.into_proto();
        Ok(Response::new(GetClientResponse { client: Some(client) }))
    }

    async fn validate(
        &self,
        request: Request<ValidateClientRequest>,
    ) -> Result<Response<ValidateClientResponse>, Status> {
        let ValidateClientRequest { activation, client_id, client, password } =
            request.into_inner();
        let instance = self.0.instance(&activation)?;
        let client_id = Some(client_id).filter(|id| !id.is_empty());
        let change = read(client, password)?;
        let errors = guarded(self.0.plugin.validate_client(instance, client_id, change)).await??;
        Ok(Response::new(ValidateClientResponse { errors }))
    }

    async fn add(
        &self,
        request: Request<AddClientRequest>,
    ) -> Result<Response<AddClientResponse>, Status> {
        let AddClientRequest { activation, client, password } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        guarded(self.0.plugin.add_client(instance, read(client, password)?)).await??;
        Ok(Response::new(AddClientResponse {}))
    }

    async fn set(
        &self,
        request: Request<SetClientRequest>,
    ) -> Result<Response<SetClientResponse>, Status> {
        let SetClientRequest { activation, client_id, client, password } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let change = read(client, password)?;
        guarded(self.0.plugin.set_client(instance, client_id, change)).await??;
        Ok(Response::new(SetClientResponse {}))
    }

    async fn delete(
        &self,
        request: Request<DeleteClientRequest>,
    ) -> Result<Response<DeleteClientResponse>, Status> {
        let DeleteClientRequest { activation, client_id } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        guarded(self.0.plugin.delete_client(instance, client_id)).await??;
        Ok(Response::new(DeleteClientResponse {}))
    }

    async fn check_password(
        &self,
        request: Request<CheckClientPasswordRequest>,
    ) -> Result<Response<CheckClientPasswordResponse>, Status> {
        let CheckClientPasswordRequest { activation, client_id, password } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let checked = self.0.plugin.check_client_password(instance, client_id, password);
        let is_right = guarded(checked).await??;
        Ok(Response::new(CheckClientPasswordResponse { is_right }))
    }
}

fn read(
    client: Option<v1::BackendClient>,
    password: Option<String>,
) -> Result<ClientChange, Status> {
    let client = client.ok_or_else(|| Status::invalid_argument("there is no client in it"))?;
    ClientChange::from_proto(client, password).map_err(Status::invalid_argument)
}
