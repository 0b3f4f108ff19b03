//! `outboard.admin.v1.Clients`.

use outboard_core::identity::client::{Client, ClientDraft};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::clients_server::Clients;
use tonic::{Request, Response, Status};

use super::{People, bytes, object, page, status};
use crate::identity::Failure;

#[tonic::async_trait]
impl Clients for People {
    async fn list(
        &self,
        request: Request<admin::ListClientsRequest>,
    ) -> Result<Response<admin::ListClientsResponse>, Status> {
        let admin::ListClientsRequest { pattern, offset, limit, source } = request.into_inner();
        let listed = self.identity.clients().list(&page(&pattern, offset, limit, &source)).await;
        let clients = listed.map_err(|failure| status(&failure, "client"))?;
        let clients = clients.iter().map(shown).collect();
        Ok(Response::new(admin::ListClientsResponse { clients }))
    }

    async fn get(
        &self,
        request: Request<admin::GetClientRequest>,
    ) -> Result<Response<admin::GetClientResponse>, Status> {
        let id = request.into_inner().client_id;
        let client = self.identity.clients().get(&id).await;
        let client = client.map_err(|failure| of(&failure, &id))?;
        Ok(Response::new(admin::GetClientResponse { client: shown(&client) }))
    }

    async fn add(
        &self,
        request: Request<admin::AddClientRequest>,
    ) -> Result<Response<admin::AddClientResponse>, Status> {
        let admin::AddClientRequest { client, password } = request.into_inner();
        let added = self.identity.clients().add(&draft(&client, password)?).await;
        let client = added.map_err(|failure| status(&failure, "client"))?;
        Ok(Response::new(admin::AddClientResponse { client: shown(&client) }))
    }

    async fn set(
        &self,
        request: Request<admin::SetClientRequest>,
    ) -> Result<Response<admin::SetClientResponse>, Status> {
        let admin::SetClientRequest { client_id, client, password } = request.into_inner();
        let changed = self.identity.clients().set(&client_id, &draft(&client, password)?).await;
        let client = changed.map_err(|failure| of(&failure, &client_id))?;
        Ok(Response::new(admin::SetClientResponse { client: shown(&client) }))
    }

    async fn delete(
        &self,
        request: Request<admin::DeleteClientRequest>,
    ) -> Result<Response<admin::DeleteClientResponse>, Status> {
        let id = request.into_inner().client_id;
        let deleted = self.identity.clients().delete(&id).await;
        deleted.map_err(|failure| of(&failure, &id))?;
        Ok(Response::new(admin::DeleteClientResponse {}))
    }
}

fn of(failure: &Failure, id: &str) -> Status {
    status(failure, &format!("client {id:?}"))
}

fn draft(json: &[u8], password: Option<String>) -> Result<ClientDraft, Status> {
    let draft = ClientDraft::from_json(&object(json)?);
    let mut draft = draft.map_err(|errors| Status::invalid_argument(errors.join("\n")))?;
    if let Some(password) = password {
        draft.password = Some(vec![password]);
    }
    Ok(draft)
}

fn shown(client: &Client) -> bytes::Bytes {
    bytes(&client.to_json())
}
