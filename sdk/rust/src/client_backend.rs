//! What an author implements to keep clients.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use outboard_proto::plugin::v1;
use serde_json::{Map, Value};

use crate::backend::{BackendError, BackendPage, BackendQuery};
use crate::plugin::Plugin;
use crate::scheme::properties;

/// A plugin whose instances of kind [`InstanceKind::ClientBackend`](crate::InstanceKind::ClientBackend) keep clients.
/// Its `main` calls [`Server::client_backend`](crate::Server::client_backend).
///
/// The host asks the backends in the order of their rank. It waits 5 s (`login.backend_timeout`); then the future is
/// dropped, and the question fails. What can be written is only asked where the operator has not made the instance
/// read-only; the defaults say that it is.
pub trait ClientBackend: Plugin {
    /// Clients whose id, name or description contains the pattern, by id, and how many there are in all.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn list_clients(
        &self,
        instance: Arc<Self::Instance>,
        query: BackendQuery,
    ) -> impl Future<Output = Result<BackendPage<BackendClient>, BackendError>> + Send;

    /// The client of that id, or none.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn get_client(
        &self,
        instance: Arc<Self::Instance>,
        client_id: String,
    ) -> impl Future<Output = Result<Option<BackendClient>, BackendError>> + Send;

    /// Whether this is the client's password; false also for a client that is not there. Not asked for a client with
    /// the property `client_secret`.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn check_client_password(
        &self,
        instance: Arc<Self::Instance>,
        client_id: String,
        password: String,
    ) -> impl Future<Output = Result<bool, BackendError>> + Send;

    /// Judges a new client (`client_id` is `None`) or a change, and gives what is wrong with it: each line begins with
    /// the name of the field.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotFound`], [`BackendError::Unavailable`].
    fn validate_client(
        &self,
        _instance: Arc<Self::Instance>,
        _client_id: Option<String>,
        _change: ClientChange,
    ) -> impl Future<Output = Result<Vec<String>, BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }

    /// Adds a client.
    ///
    /// # Errors
    ///
    /// [`BackendError::Exists`], [`BackendError::Invalid`], [`BackendError::Unavailable`].
    fn add_client(
        &self,
        _instance: Arc<Self::Instance>,
        _client: ClientChange,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }

    /// Replaces what is given, keeps the rest.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotFound`], [`BackendError::Invalid`], [`BackendError::Unavailable`].
    fn set_client(
        &self,
        _instance: Arc<Self::Instance>,
        _client_id: String,
        _change: ClientChange,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }

    /// Deletes a client. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn delete_client(
        &self,
        _instance: Arc<Self::Instance>,
        _client_id: String,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }
}

/// A client, as the backend has it. Printed, it does not show its properties: one may be a secret.
#[derive(Clone, PartialEq)]
pub struct BackendClient {
    /// 1 to 128 characters.
    pub client_id: String,
    /// For people. Limit: 256 characters.
    pub name: Option<String>,
    /// Limit: 512 characters.
    pub description: Option<String>,
    /// Whether it may be used.
    pub enabled: bool,
    /// Whether it can keep a secret.
    pub confidential: bool,
    /// Names of scopes.
    pub scopes: Vec<String>,
    /// All others. Limit: 1 MiB as JSON.
    pub properties: Map<String, Value>,
}

impl BackendClient {
    /// One that may be used, and nothing else.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            name: None,
            description: None,
            enabled: true,
            confidential: false,
            scopes: Vec::new(),
            properties: Map::new(),
        }
    }

    pub(crate) fn into_proto(self) -> v1::BackendClient {
        v1::BackendClient {
            client_id: self.client_id,
            name: self.name,
            description: self.description,
            enabled: Some(self.enabled),
            confidential: Some(self.confidential),
            scopes: self.scopes,
            has_scopes: true,
            properties: Value::Object(self.properties).to_string().into(),
        }
    }
}

impl fmt::Debug for BackendClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendClient").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// A new client, or what is to become different of one. Printed, it shows neither password nor properties.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientChange {
    /// Of a new client.
    pub client_id: Option<String>,
    /// Empty: taken away.
    pub name: Option<String>,
    /// Empty: taken away.
    pub description: Option<String>,
    /// Whether it may be used.
    pub enabled: Option<bool>,
    /// Whether it can keep a secret.
    pub confidential: Option<bool>,
    /// Names of scopes, instead of those before.
    pub scopes: Option<Vec<String>>,
    /// Those that are named are replaced, or taken away by null: [`merge_properties`](crate::merge_properties).
    pub properties: Map<String, Value>,
    /// A new one. Not to be logged.
    pub password: Option<String>,
}

impl ClientChange {
    pub(crate) fn from_proto(
        client: v1::BackendClient,
        password: Option<String>,
    ) -> Result<Self, &'static str> {
        Ok(Self {
            client_id: Some(client.client_id).filter(|id| !id.is_empty()),
            name: client.name,
            description: client.description,
            enabled: client.enabled,
            confidential: client.confidential,
            scopes: client.has_scopes.then_some(client.scopes),
            properties: properties(&client.properties)?,
            password,
        })
    }
}

impl fmt::Debug for ClientChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientChange").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
