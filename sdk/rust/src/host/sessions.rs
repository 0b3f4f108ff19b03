//! Who sent a request.

use std::time::SystemTime;

use outboard_proto::host::v1;
use outboard_proto::host::v1::sessions_client::SessionsClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::result::{done, odd};
use super::users::User;
use super::{Host, HostError, Stamp};

/// The sessions of the host, each named by the [handle](crate::Request::handle) of a request of it. The manifest has
/// `grants.callbacks = ["sessions"]`, and the operator grants it.
///
/// A session is read anew with each call, so that it ends with a log-out. Cloning this is cheap.
#[derive(Debug, Clone)]
pub struct Sessions(Host);

/// Whether anybody is signed in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Signed {
    /// Somebody is.
    In(Box<Session>),
    /// The request came without a session.
    Nobody,
    /// The session has ended.
    Ended,
}

/// A session with somebody signed in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Session {
    /// Who that is.
    pub user: User,
    /// How far the session has come with each of the scopes that were named and exist.
    pub scopes: Vec<ScopeState>,
}

/// How far a session has come with a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeState {
    /// Its name.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// For people.
    pub description: String,
    /// The user has it, and each of its groups has a scheme that can be used.
    pub available: bool,
    /// Whether the password is needed.
    pub password_required: bool,
    /// Whether it was given recently enough.
    pub password_authenticated: bool,
    /// When it was given last in this session.
    pub password_last_login: Option<SystemTime>,
    /// The schemes beyond the password.
    pub groups: Vec<SchemeGroup>,
    /// Everything is there that it needs.
    pub satisfied: bool,
}

/// Schemes of which some must be authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemeGroup {
    /// Its name, within the scope.
    pub name: String,
    /// How many of them.
    pub required: u32,
    /// Those that can be used.
    pub schemes: Vec<SchemeState>,
}

/// A scheme as a session's user has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemeState {
    /// The plugin.
    pub module: String,
    /// The instance.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// The user has registered it.
    pub registered: bool,
    /// The session has authenticated with it, and that still counts.
    pub authenticated: bool,
    /// When it did so last.
    pub last_login: Option<SystemTime>,
}

impl Sessions {
    pub(super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Tells who is signed in, and how far the session has come with each of the scopes, at most 100. That somebody is
    /// signed in does not mean that a scope is satisfied: see [`ScopeState::satisfied`].
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::HostErrorKind::Denied) without the grant, and for a handle that is over or another's.
    pub async fn check(&self, handle: &str, scopes: &[&str]) -> Result<Signed, HostError> {
        let request = v1::CheckSessionRequest { handle: handle.to_owned(), scopes: owned(scopes) };
        let answer = self.client()?.check(request).await?.into_inner();
        let scopes = |states: Vec<v1::ScopeState>| states.into_iter().map(ScopeState::from_proto);
        match (answer.result(), answer.user) {
            // With UNAUTHORIZED: none of the scopes exists.
            (v1::ResultCode::Ok | v1::ResultCode::Unauthorized, Some(user)) => {
                let scopes = scopes(answer.scopes).collect();
                Ok(Signed::In(Box::new(Session { user: User::from_proto(user), scopes })))
            }
            (v1::ResultCode::Unauthorized, None) => Ok(Signed::Nobody),
            (v1::ResultCode::NotFound, _) => Ok(Signed::Ended),
            (result, _) => done(result, Vec::new()).and_then(|()| Err(odd())),
        }
    }

    /// Whether the session satisfies all of the scopes, at least one. False without a session.
    ///
    /// # Errors
    ///
    /// As with [`check`](Self::check); [`Invalid`](crate::HostErrorKind::Invalid) without a scope.
    pub async fn is_satisfied(&self, handle: &str, scopes: &[&str]) -> Result<bool, HostError> {
        let request =
            v1::IsScopeSatisfiedRequest { handle: handle.to_owned(), scopes: owned(scopes) };
        Ok(self.client()?.is_scope_satisfied(request).await?.into_inner().satisfied)
    }

    /// Counts a use of whatever the user has authenticated with for these scopes; a scheme may run out by that. False:
    /// there is no session.
    ///
    /// # Errors
    ///
    /// As with [`check`](Self::check).
    pub async fn count_use(&self, handle: &str, scopes: &[&str]) -> Result<bool, HostError> {
        let request = v1::CountUseRequest { handle: handle.to_owned(), scopes: owned(scopes) };
        match self.client()?.count_use(request).await?.into_inner().result() {
            v1::ResultCode::Unauthorized => Ok(false),
            result => done(result, Vec::new()).map(|()| true),
        }
    }

    /// Tells when the user has authenticated last, for these scopes.
    ///
    /// # Errors
    ///
    /// As with [`check`](Self::check).
    pub async fn last_login(
        &self,
        handle: &str,
        scopes: &[&str],
    ) -> Result<Option<SystemTime>, HostError> {
        let request = v1::LastLoginRequest { handle: handle.to_owned(), scopes: owned(scopes) };
        let at = self.client()?.last_login(request).await?.into_inner().at;
        Ok(at.and_then(|at| SystemTime::try_from(at).ok()))
    }

    fn client(&self) -> Result<SessionsClient<InterceptedService<Channel, Stamp>>, HostError> {
        Ok(SessionsClient::new(self.0.channel()?))
    }
}

pub(super) fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl ScopeState {
    fn from_proto(state: v1::ScopeState) -> Self {
        Self {
            name: state.name,
            display_name: state.display_name,
            description: state.description,
            available: state.available,
            password_required: state.password_required,
            password_authenticated: state.password_authenticated,
            password_last_login: state
                .password_last_login
                .and_then(|at| SystemTime::try_from(at).ok()),
            groups: state.groups.into_iter().map(SchemeGroup::from_proto).collect(),
            satisfied: state.satisfied,
        }
    }
}

impl SchemeGroup {
    fn from_proto(group: v1::SchemeGroup) -> Self {
        let schemes = group.schemes.into_iter().map(SchemeState::from_proto).collect();
        Self { name: group.name, required: group.required, schemes }
    }
}

impl SchemeState {
    fn from_proto(state: v1::SchemeState) -> Self {
        Self {
            module: state.module,
            name: state.name,
            display_name: state.display_name,
            registered: state.registered,
            authenticated: state.authenticated,
            last_login: state.last_login.and_then(|at| SystemTime::try_from(at).ok()),
        }
    }
}
