//! What an author implements to keep users.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use outboard_proto::plugin::v1;
use serde_json::{Map, Value};

use crate::backend::{BackendError, BackendPage, BackendQuery};
use crate::plugin::Plugin;
use crate::scheme::properties;

/// A plugin whose instances of kind [`InstanceKind::UserBackend`](crate::InstanceKind::UserBackend) keep users. Its
/// `main` calls [`Server::user_backend`](crate::Server::user_backend).
///
/// The host asks the backends in the order of their rank, and keeps what belongs to a user beside them: sessions,
/// consents, an id that is never reused. It waits 5 s (`login.backend_timeout`); then the future is dropped, and the
/// question fails. What can be written is only asked where the operator has not made the instance read-only; the
/// defaults say that it is.
pub trait UserBackend: Plugin {
    /// Users whose name, full name or e-mail contains the pattern, by name, and how many there are in all.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn list_users(
        &self,
        instance: Arc<Self::Instance>,
        query: BackendQuery,
    ) -> impl Future<Output = Result<BackendPage<BackendUser>, BackendError>> + Send;

    /// The user of that name, compared as the backend does, or nobody.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn get_user(
        &self,
        instance: Arc<Self::Instance>,
        username: String,
    ) -> impl Future<Output = Result<Option<BackendUser>, BackendError>> + Send;

    /// Whether this is the user's password; false also for nobody.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn check_user_password(
        &self,
        instance: Arc<Self::Instance>,
        username: String,
        password: String,
    ) -> impl Future<Output = Result<bool, BackendError>> + Send;

    /// Judges a new user (`username` is `None`) or a change, and gives what is wrong with it: each line begins with
    /// the name of the field.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotFound`], [`BackendError::Unavailable`].
    fn validate_user(
        &self,
        _instance: Arc<Self::Instance>,
        _username: Option<String>,
        _change: UserChange,
    ) -> impl Future<Output = Result<Vec<String>, BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }

    /// Adds a user.
    ///
    /// # Errors
    ///
    /// [`BackendError::Exists`], [`BackendError::Invalid`], [`BackendError::Unavailable`].
    fn add_user(
        &self,
        _instance: Arc<Self::Instance>,
        _user: UserChange,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }

    /// Replaces what is given, keeps the rest.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotFound`], [`BackendError::Invalid`], [`BackendError::Unavailable`].
    fn set_user(
        &self,
        _instance: Arc<Self::Instance>,
        _username: String,
        _change: UserChange,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }

    /// Gives the user a new password.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotFound`], [`BackendError::Unavailable`].
    fn set_user_password(
        &self,
        _instance: Arc<Self::Instance>,
        _username: String,
        _password: String,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }

    /// Deletes a user. Nobody of that name is no error.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn delete_user(
        &self,
        _instance: Arc<Self::Instance>,
        _username: String,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        ready(Err(BackendError::ReadOnly))
    }
}

/// A user, as the backend has it.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendUser {
    /// As the backend writes it. 1 to 128 characters.
    pub username: String,
    /// For people. Limit: 256 characters.
    pub name: Option<String>,
    /// Limit: 512 characters.
    pub email: Option<String>,
    /// Whether the user may sign in.
    pub enabled: bool,
    /// Names of scopes.
    pub scopes: Vec<String>,
    /// All others: strings, or lists of strings. Limit: 1 MiB as JSON.
    pub properties: Map<String, Value>,
}

impl BackendUser {
    /// One who may sign in, and nothing else.
    pub fn new(username: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            name: None,
            email: None,
            enabled: true,
            scopes: Vec::new(),
            properties: Map::new(),
        }
    }

    pub(crate) fn into_proto(self) -> v1::BackendUser {
        v1::BackendUser {
            username: self.username,
            name: self.name,
            email: self.email,
            enabled: Some(self.enabled),
            scopes: self.scopes,
            has_scopes: true,
            properties: Value::Object(self.properties).to_string().into(),
        }
    }
}

/// A new user, or what is to become different of one. Printed, it does not show the password.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct UserChange {
    /// Of a new user.
    pub username: Option<String>,
    /// Empty: taken away.
    pub name: Option<String>,
    /// Empty: taken away.
    pub email: Option<String>,
    /// Whether the user may sign in.
    pub enabled: Option<bool>,
    /// Names of scopes, instead of those before.
    pub scopes: Option<Vec<String>>,
    /// Those that are named are replaced, or taken away by null: [`merge_properties`](crate::merge_properties).
    pub properties: Map<String, Value>,
    /// Of a new user. Not to be logged.
    pub password: Option<String>,
}

impl UserChange {
    pub(crate) fn from_proto(
        user: v1::BackendUser,
        password: Option<String>,
    ) -> Result<Self, &'static str> {
        Ok(Self {
            username: Some(user.username).filter(|name| !name.is_empty()),
            name: user.name,
            email: user.email,
            enabled: user.enabled,
            scopes: user.has_scopes.then_some(user.scopes),
            properties: properties(&user.properties)?,
            password,
        })
    }
}

impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange")
            .field("username", &self.username)
            .field("name", &self.name)
            .field("email", &self.email)
            .field("enabled", &self.enabled)
            .field("scopes", &self.scopes)
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}
