//! The clients that the host knows.

use std::fmt;

use outboard_proto::host::v1;
use outboard_proto::host::v1::clients_client::ClientsClient;
use serde_json::{Map, Value};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::result::{done, found, got, properties};
use super::sessions::owned;
use super::users::Query;
use super::{Host, HostError, Stamp};
use crate::client_backend::ClientChange;

/// Larger than any page of a list that the host makes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The applications that act for users. Reading needs the grant `clients.read`, [`check`](Self::check)
/// `clients.check`, and changing `clients.write`: the manifest has them in `grants.callbacks`, and the operator grants
/// them. Cloning this is cheap.
#[derive(Debug, Clone)]
pub struct Clients(Host);

/// A client. Printed, it does not show its properties: one may be a secret.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Client {
    /// Compared byte by byte.
    pub client_id: String,
    /// For people.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it can keep a secret.
    pub confidential: bool,
    /// Names of scopes.
    pub scopes: Vec<String>,
    /// All others, such as `redirect_uri`.
    pub properties: Map<String, Value>,
    /// What keeps it: `database`, or an instance.
    pub source: String,
}

/// An application that says which client it is. Printed, it does not show the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientCheck<'a> {
    /// Which one that is.
    pub client_id: &'a str,
    /// The proof. `None`: it is not asked for.
    pub password: Option<&'a str>,
    /// [The request](crate::Request::handle) that it came with, so that wrong passwords count for its client.
    pub handle: Option<&'a str>,
}

/// What a user has granted to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantedScopes {
    /// For people. May be empty.
    pub client_name: String,
    /// Those of the scopes that the user has, granted ones first.
    pub scopes: Vec<GrantedScope>,
}

/// A scope, as a user has granted it to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantedScope {
    /// Its name.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// Whether it was granted.
    pub granted: bool,
    /// Whether it needs the password.
    pub password_required: bool,
    /// How many seconds that lasts. 0: as long as the session.
    pub password_max_age: u64,
}

impl Clients {
    pub(super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Lists clients by id.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::HostErrorKind::Denied) without the grant.
    pub async fn list(&self, query: &Query) -> Result<Vec<Client>, HostError> {
        let Query { pattern, offset, limit } = query.clone();
        let request = v1::ListClientsRequest { pattern, offset, limit };
        let clients = self.client()?.list(request).await?.into_inner().clients;
        Ok(clients.into_iter().map(Client::from_proto).collect())
    }

    /// The client of that id, or none.
    ///
    /// # Errors
    ///
    /// As with [`list`](Self::list).
    pub async fn get(&self, client_id: &str) -> Result<Option<Client>, HostError> {
        let request = v1::GetClientRequest { client_id: client_id.to_owned() };
        let answer = self.client()?.get(request).await?.into_inner();
        found(answer.result(), answer.client.map(Client::from_proto))
    }

    /// Whether a client is known and enabled, and its secret right.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::HostErrorKind::Refused): it is not; [`Limit`](crate::HostErrorKind::Limit): there were too
    /// many wrong passwords.
    pub async fn check(&self, check: &ClientCheck<'_>) -> Result<Client, HostError> {
        let request = v1::CheckClientRequest {
            client_id: check.client_id.to_owned(),
            password: check.password.map(str::to_owned),
            handle: check.handle.unwrap_or_default().to_owned(),
        };
        let answer = self.client()?.check(request).await?.into_inner();
        got(answer.result(), Vec::new(), answer.client).map(Client::from_proto)
    }

    /// Which of the scopes, at least one, a user has granted to a client, and which he could.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::HostErrorKind::NotFound): no such user or client;
    /// [`Invalid`](crate::HostErrorKind::Invalid): the client is disabled, or no scope was named.
    pub async fn granted_scopes(
        &self,
        client_id: &str,
        username: &str,
        scopes: &[&str],
    ) -> Result<GrantedScopes, HostError> {
        let (client_id, username) = (client_id.to_owned(), username.to_owned());
        let request = v1::GrantedScopesRequest { client_id, username, scopes: owned(scopes) };
        let answer = self.client()?.granted_scopes(request).await?.into_inner();
        done(answer.result(), Vec::new())?;
        let scopes = answer.scopes.into_iter().map(GrantedScope::from_proto).collect();
        Ok(GrantedScopes { client_name: answer.client_name, scopes })
    }

    /// What is wrong with a new client (`client_id` is `None`) or with a change: a line each, which begins with the
    /// name of the field.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::HostErrorKind::NotFound), [`ReadOnly`](crate::HostErrorKind::ReadOnly).
    pub async fn validate(
        &self,
        client_id: Option<&str>,
        change: ClientChange,
    ) -> Result<Vec<String>, HostError> {
        let (client, password) = into_proto(change);
        let client_id = client_id.unwrap_or_default().to_owned();
        let request = v1::ValidateClientRequest { client_id, client: Some(client), password };
        let answer = self.client()?.validate(request).await?.into_inner();
        match answer.result() {
            v1::ResultCode::Invalid => Ok(answer.errors),
            result => done(result, answer.errors).map(|()| Vec::new()),
        }
    }

    /// Adds a client.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::HostErrorKind::Invalid), with what is wrong among the
    /// [problems](HostError::problems); [`Conflict`](crate::HostErrorKind::Conflict): the id is taken;
    /// [`ReadOnly`](crate::HostErrorKind::ReadOnly): nothing can be written.
    pub async fn add(&self, client: ClientChange) -> Result<Client, HostError> {
        let (client, password) = into_proto(client);
        let request = v1::AddClientRequest { client: Some(client), password };
        let answer = self.client()?.add(request).await?.into_inner();
        got(answer.result(), answer.errors, answer.client).map(Client::from_proto)
    }

    /// Changes what is given, and nothing else; not the id.
    ///
    /// # Errors
    ///
    /// As with [`add`](Self::add), and [`NotFound`](crate::HostErrorKind::NotFound).
    pub async fn set(&self, client_id: &str, change: ClientChange) -> Result<Client, HostError> {
        let (client, password) = into_proto(change);
        let client_id = client_id.to_owned();
        let request = v1::SetClientRequest { client_id, client: Some(client), password };
        let answer = self.client()?.set(request).await?.into_inner();
        got(answer.result(), answer.errors, answer.client).map(Client::from_proto)
    }

    /// Deletes a client, and what users have granted to it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::HostErrorKind::NotFound), [`ReadOnly`](crate::HostErrorKind::ReadOnly).
    pub async fn delete(&self, client_id: &str) -> Result<(), HostError> {
        let request = v1::DeleteClientRequest { client_id: client_id.to_owned() };
        let answer = self.client()?.delete(request).await?.into_inner();
        done(answer.result(), Vec::new())
    }

    fn client(&self) -> Result<ClientsClient<InterceptedService<Channel, Stamp>>, HostError> {
        let client = ClientsClient::new(self.0.channel()?);
        Ok(client.max_decoding_message_size(MAX_MESSAGE_BYTES))
    }
}

impl Client {
    fn from_proto(client: v1::Client) -> Self {
        Self {
            client_id: client.client_id,
            name: client.name,
            description: client.description,
            enabled: client.enabled.unwrap_or(true),
            confidential: client.confidential.unwrap_or_default(),
            scopes: client.scopes,
            properties: properties(&client.properties),
            source: client.source,
        }
    }
}

impl GrantedScope {
    fn from_proto(scope: v1::GrantedScope) -> Self {
        Self {
            name: scope.name,
            display_name: scope.display_name,
            description: scope.description,
            granted: scope.granted,
            password_required: scope.password_required,
            password_max_age: scope.password_max_age,
        }
    }
}

fn into_proto(change: ClientChange) -> (v1::Client, Option<String>) {
    let client = v1::Client {
        client_id: change.client_id.unwrap_or_default(),
        name: change.name,
        description: change.description,
        enabled: change.enabled,
        confidential: change.confidential,
        has_scopes: change.scopes.is_some(),
        scopes: change.scopes.unwrap_or_default(),
        properties: Value::Object(change.properties).to_string().into(),
        source: String::new(),
    };
    (client, change.password)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("client_id", &self.client_id)
            .field("enabled", &self.enabled)
            .field("scopes", &self.scopes)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCheck").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
