//! `outboard.host.v1.Clients`: clients, wherever they are kept.

use outboard_core::grant::Group;
use outboard_core::identity::client::{Client, ClientDraft};
use outboard_core::identity::property;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::ResultCode;
use outboard_proto::host::v1::clients_server;
use tonic::{Request, Response, Status};

use super::Caller;
use super::outcome::{outcome, status};
use super::page::{page, whole};
use super::users::{ended, some_text};
use super::visitor::bounded;
use crate::identity::{Clients, Failure};

#[tonic::async_trait]
impl clients_server::Clients for Caller {
    async fn list(
        &self,
        request: Request<wire::ListClientsRequest>,
    ) -> Result<Response<wire::ListClientsResponse>, Status> {
        self.permit(&request, Group::ClientsRead)?;
        let wire::ListClientsRequest { pattern, offset, limit } = request.into_inner();
        let listed = self.clients().list(&page(&pattern, offset, limit)?).await;
        let clients = listed.map_err(|failure| status(&failure))?;
        let clients = whole(clients.iter().map(shown).collect());
        Ok(Response::new(wire::ListClientsResponse { clients }))
    }

    async fn get(
        &self,
        request: Request<wire::GetClientRequest>,
    ) -> Result<Response<wire::GetClientResponse>, Status> {
        self.permit(&request, Group::ClientsRead)?.concerns(&request.get_ref().client_id);
        let response = match self.clients().get(&request.into_inner().client_id).await {
            Ok(client) => wire::GetClientResponse {
                result: ResultCode::Ok.into(),
                client: Some(shown(&client)),
            },
            Err(failure) => {
                wire::GetClientResponse { result: outcome(failure)?.0.into(), client: None }
            }
        };
        Ok(Response::new(response))
    }

    async fn check(
        &self,
        request: Request<wire::CheckClientRequest>,
    ) -> Result<Response<wire::CheckClientResponse>, Status> {
        let permitted = self.permit(&request, Group::ClientsCheck)?;
        let wire::CheckClientRequest { client_id, password, handle } = request.into_inner();
        permitted.concerns(&client_id);
        let origin = self.origin(&handle, &permitted)?;
        let checked = self.clients().check(&client_id, password.as_deref(), &origin).await;
        let response = match checked {
            Ok(client) => wire::CheckClientResponse {
                result: ResultCode::Ok.into(),
                client: Some(shown(&client)),
            },
            Err(failure) => {
                wire::CheckClientResponse { result: outcome(failure)?.0.into(), client: None }
            }
        };
        Ok(Response::new(response))
    }

    async fn granted_scopes(
        &self,
        request: Request<wire::GrantedScopesRequest>,
    ) -> Result<Response<wire::GrantedScopesResponse>, Status> {
        let permitted = self.permit(&request, Group::ClientsRead)?;
        let request = request.into_inner();
        permitted.concerns(&request.username);
        bounded(&request.scopes)?;
        let response = match self.granted(&request).await {
            Ok(response) => response,
            Err(failure) => wire::GrantedScopesResponse {
                result: outcome(failure)?.0.into(),
                ..Default::default()
            },
        };
        Ok(Response::new(response))
    }

    async fn validate(
        &self,
        request: Request<wire::ValidateClientRequest>,
    ) -> Result<Response<wire::ValidateClientResponse>, Status> {
        self.permit(&request, Group::ClientsRead)?;
        let wire::ValidateClientRequest { client_id, client, password } = request.into_inner();
        let id = Some(client_id.as_str()).filter(|id| !id.is_empty());
        let judged = async {
            let draft = draft(client.unwrap_or_default(), password)?;
            self.clients().validate(id, &draft).await
        };
        let (result, errors) = ended(judged.await)?;
        Ok(Response::new(wire::ValidateClientResponse { result, errors }))
    }

    async fn add(
        &self,
        request: Request<wire::AddClientRequest>,
    ) -> Result<Response<wire::AddClientResponse>, Status> {
        let permitted = self.permit(&request, Group::ClientsWrite)?;
        let wire::AddClientRequest { client, password } = request.into_inner();
        let client = client.unwrap_or_default();
        permitted.concerns(&client.client_id);
        let added = async { self.clients().add(&draft(client, password)?).await };
        let response = match added.await {
            Ok(client) => wire::AddClientResponse {
                result: ResultCode::Ok.into(),
                errors: Vec::new(),
                client: Some(shown(&client)),
            },
            Err(failure) => {
                let (result, errors) = outcome(failure)?;
                wire::AddClientResponse { result: result.into(), errors, client: None }
            }
        };
        Ok(Response::new(response))
    }

    async fn set(
        &self,
        request: Request<wire::SetClientRequest>,
    ) -> Result<Response<wire::SetClientResponse>, Status> {
        let permitted = self.permit(&request, Group::ClientsWrite)?;
        let wire::SetClientRequest { client_id, client, password } = request.into_inner();
        permitted.concerns(&client_id);
        let changed = async {
            let draft = draft(client.unwrap_or_default(), password)?;
            self.clients().set(&client_id, &draft).await
        };
        let response = match changed.await {
            Ok(client) => wire::SetClientResponse {
                result: ResultCode::Ok.into(),
                errors: Vec::new(),
                client: Some(shown(&client)),
            },
            Err(failure) => {
                let (result, errors) = outcome(failure)?;
                wire::SetClientResponse { result: result.into(), errors, client: None }
            }
        };
        Ok(Response::new(response))
    }

    async fn delete(
        &self,
        request: Request<wire::DeleteClientRequest>,
    ) -> Result<Response<wire::DeleteClientResponse>, Status> {
        let permitted = self.permit(&request, Group::ClientsWrite)?;
        let client_id = request.into_inner().client_id;
        permitted.concerns(&client_id);
        let (result, _) = ended(self.clients().delete(&client_id).await)?;
        Ok(Response::new(wire::DeleteClientResponse { result }))
    }
}

impl Caller {
    fn clients(&self) -> Clients<'_> {
        self.0.services.identity.clients()
    }

    async fn granted(
        &self,
        request: &wire::GrantedScopesRequest,
    ) -> Result<wire::GrantedScopesResponse, Failure> {
        let identity = &self.0.services.identity;
        let user = identity.people().get(&request.username).await?;
        let grant = identity.consents().grant(&request.client_id, &user, &request.scopes).await?;
        let client = grant.client;
        let scopes = grant.scopes.into_iter().map(|(scope, granted)| wire::GrantedScope {
            name: scope.name,
            display_name: scope.display_name,
            description: scope.description,
            granted,
            password_required: scope.password_required,
            password_max_age: scope.password_max_age_s,
        });
        Ok(wire::GrantedScopesResponse {
            result: ResultCode::Ok.into(),
            client_name: client.name.unwrap_or_default(),
            scopes: scopes.collect(),
        })
    }
}

fn shown(client: &Client) -> wire::Client {
    wire::Client {
        client_id: client.id.to_string(),
        name: client.name.clone(),
        description: client.description.clone(),
        enabled: Some(client.enabled),
        confidential: Some(client.confidential),
        scopes: client.scopes.clone(),
        has_scopes: true,
        properties: serde_json::to_vec(&client.properties).unwrap_or_default().into(),
        source: client.source.clone(),
    }
}

fn draft(client: wire::Client, password: Option<String>) -> Result<ClientDraft, Failure> {
    Ok(ClientDraft {
        client_id: Some(client.client_id).filter(|id| !id.is_empty()),
        name: client.name.map(some_text),
        description: client.description.map(some_text),
        enabled: client.enabled,
        confidential: client.confidential,
        scopes: client.has_scopes.then_some(client.scopes),
        properties: property::read(&client.properties).map_err(Failure::invalid)?,
        password: password.map(|password| vec![password]),
    })
}
