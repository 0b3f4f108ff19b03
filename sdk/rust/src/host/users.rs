//! The users that the host knows.

use std::fmt;
use std::time::SystemTime;

use outboard_proto::host::v1;
use outboard_proto::host::v1::users_client::UsersClient;
use serde_json::{Map, Value};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::result::{done, found, got, properties};
use super::sessions::owned;
use super::{Host, HostError, Stamp};
use crate::user_backend::UserChange;

/// Larger than any page of a list that the host makes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The users of the host and of its backends. Reading needs the grant `users.read`, [`check`](Self::check)
/// `users.check`, and changing `users.write`: the manifest has them in `grants.callbacks`, and the operator grants
/// them. Cloning this is cheap.
#[derive(Debug, Clone)]
pub struct Users(Host);

/// A user. Printed, it does not show the properties.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct User {
    /// Never reused, unlike the name.
    pub id: String,
    /// As it is written; compared without regard to case.
    pub username: String,
    /// For people.
    pub name: Option<String>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Whether the user may sign in.
    pub enabled: bool,
    /// Names of scopes.
    pub scopes: Vec<String>,
    /// All others: strings, or lists of strings.
    pub properties: Map<String, Value>,
    /// What keeps the user: `database`, or an instance. Empty where that is not told.
    pub source: String,
    /// How many passwords there are.
    pub passwords: u32,
    /// When the user signed in last.
    pub last_login: Option<SystemTime>,
}

/// Which users, or clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// To be contained in a name, full name or e-mail, without regard to ASCII case. Empty: all.
    pub pattern: String,
    /// How many to leave out first.
    pub offset: u64,
    /// At most so many. 0: 100; limit: 1000.
    pub limit: u32,
}

/// Somebody who says who he is. Printed, it does not show the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserCheck<'a> {
    /// Who that is.
    pub username: &'a str,
    /// The proof. `None`: it is not asked for.
    pub password: Option<&'a str>,
    /// Scopes that the user wants, at most 100.
    pub scopes: &'a [&'a str],
    /// [The request](crate::Request::handle) that it came with, so that wrong passwords count for its client.
    pub handle: Option<&'a str>,
}

/// Somebody who is who he says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CheckedUser {
    /// Who that is.
    pub user: User,
    /// Those of the scopes that the user has, and that need nothing but a password.
    pub scopes: Vec<String>,
}

impl Users {
    pub(super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Lists users by name, those of the source with the lowest rank first.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::HostErrorKind::Denied) without the grant.
    pub async fn list(&self, query: &Query) -> Result<Vec<User>, HostError> {
        let Query { pattern, offset, limit } = query.clone();
        let request = v1::ListUsersRequest { pattern, offset, limit };
        let users = self.client()?.list(request).await?.into_inner().users;
        Ok(users.into_iter().map(User::from_proto).collect())
    }

    /// The user of that name, or nobody.
    ///
    /// # Errors
    ///
    /// As with [`list`](Self::list).
    pub async fn get(&self, username: &str) -> Result<Option<User>, HostError> {
        let request = v1::GetUserRequest { username: username.to_owned() };
        let answer = self.client()?.get(request).await?.into_inner();
        found(answer.result(), answer.user.map(User::from_proto))
    }

    /// The same, as the user sees himself.
    ///
    /// # Errors
    ///
    /// As with [`list`](Self::list).
    pub async fn profile(&self, username: &str) -> Result<Option<User>, HostError> {
        let request = v1::GetUserRequest { username: username.to_owned() };
        let answer = self.client()?.get_profile(request).await?.into_inner();
        found(answer.result(), answer.user.map(User::from_proto))
    }

    /// Whether somebody is who he says.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::HostErrorKind::Refused): the password is wrong, the user disabled, or none of the scopes can
    /// be had so; [`NotFound`](crate::HostErrorKind::NotFound); [`Limit`](crate::HostErrorKind::Limit): there were too
    /// many wrong passwords.
    pub async fn check(&self, check: &UserCheck<'_>) -> Result<CheckedUser, HostError> {
        let request = v1::CheckUserRequest {
            username: check.username.to_owned(),
            password: check.password.map(str::to_owned),
            scopes: owned(check.scopes),
            handle: check.handle.unwrap_or_default().to_owned(),
        };
        let answer = self.client()?.check(request).await?.into_inner();
        let user = got(answer.result(), Vec::new(), answer.user)?;
        Ok(CheckedUser { user: User::from_proto(user), scopes: answer.scopes })
    }

    /// What is wrong with a new user (`username` is `None`) or with a change: a line each, which begins with the name
    /// of the field.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::HostErrorKind::NotFound), [`ReadOnly`](crate::HostErrorKind::ReadOnly).
    pub async fn validate(
        &self,
        username: Option<&str>,
        change: UserChange,
    ) -> Result<Vec<String>, HostError> {
        let (user, password) = into_proto(change);
        let username = username.unwrap_or_default().to_owned();
        let request = v1::ValidateUserRequest { username, user: Some(user), password };
        let answer = self.client()?.validate(request).await?.into_inner();
        match answer.result() {
            v1::ResultCode::Invalid => Ok(answer.errors),
            result => done(result, answer.errors).map(|()| Vec::new()),
        }
    }

    /// Adds a user, who has no password unless the change has one.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::HostErrorKind::Invalid), with what is wrong among the
    /// [problems](HostError::problems); [`Conflict`](crate::HostErrorKind::Conflict): the name is taken;
    /// [`ReadOnly`](crate::HostErrorKind::ReadOnly): nothing can be written.
    pub async fn add(&self, user: UserChange) -> Result<User, HostError> {
        let (user, password) = into_proto(user);
        let request = v1::AddUserRequest { user: Some(user), password };
        let answer = self.client()?.add(request).await?.into_inner();
        got(answer.result(), answer.errors, answer.user).map(User::from_proto)
    }

    /// Changes what is given, and nothing else; not the name, nor the password.
    ///
    /// # Errors
    ///
    /// As with [`add`](Self::add), and [`NotFound`](crate::HostErrorKind::NotFound).
    pub async fn set(&self, username: &str, change: UserChange) -> Result<User, HostError> {
        let (user, _) = into_proto(change);
        let request = v1::SetUserRequest { username: username.to_owned(), user: Some(user) };
        let answer = self.client()?.set(request).await?.into_inner();
        got(answer.result(), answer.errors, answer.user).map(User::from_proto)
    }

    /// Gives a new password. The old one is not asked for, and sessions stay.
    ///
    /// # Errors
    ///
    /// As with [`set`](Self::set).
    pub async fn set_password(&self, username: &str, password: &str) -> Result<(), HostError> {
        let (username, password) = (username.to_owned(), password.to_owned());
        let request = v1::SetPasswordRequest { username, password };
        let answer = self.client()?.set_password(request).await?.into_inner();
        done(answer.result(), answer.errors)
    }

    /// Deletes a user. Each instance is told, this one, too: [`Plugin::revoke_user`](crate::Plugin::revoke_user).
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::HostErrorKind::NotFound), [`ReadOnly`](crate::HostErrorKind::ReadOnly).
    pub async fn delete(&self, username: &str) -> Result<(), HostError> {
        let request = v1::DeleteUserRequest { username: username.to_owned() };
        let answer = self.client()?.delete(request).await?.into_inner();
        done(answer.result(), Vec::new())
    }

    fn client(&self) -> Result<UsersClient<InterceptedService<Channel, Stamp>>, HostError> {
        let client = UsersClient::new(self.0.channel()?);
        Ok(client.max_decoding_message_size(MAX_MESSAGE_BYTES))
    }
}

impl User {
    pub(super) fn from_proto(user: v1::User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            name: user.name,
            email: user.email,
            enabled: user.enabled.unwrap_or(true),
            scopes: user.scopes,
            properties: properties(&user.properties),
            source: user.source,
            passwords: user.passwords,
            last_login: user.last_login.and_then(|at| SystemTime::try_from(at).ok()),
        }
    }
}

fn into_proto(change: UserChange) -> (v1::User, Option<String>) {
    let user = v1::User {
        username: change.username.unwrap_or_default(),
        name: change.name,
        email: change.email,
        enabled: change.enabled,
        has_scopes: change.scopes.is_some(),
        scopes: change.scopes.unwrap_or_default(),
        properties: Value::Object(change.properties).to_string().into(),
        ..v1::User::default()
    };
    (user, change.password)
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("enabled", &self.enabled)
            .field("scopes", &self.scopes)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UserCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserCheck")
            .field("username", &self.username)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
