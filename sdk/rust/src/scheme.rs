//! What an author implements to authenticate users beyond their password.

use std::future::{Future, ready};
use std::sync::Arc;

use outboard_proto::plugin::v1;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::host::HostError;
use crate::plugin::Plugin;

/// A plugin whose instances of kind [`InstanceKind::Scheme`](crate::InstanceKind::Scheme) authenticate users. Its
/// `main` calls [`Server::scheme`](crate::Server::scheme).
///
/// What goes in and out is JSON of the scheme's own choice: the host passes it between the scheme and whoever signs
/// in. The host waits 10 s (`login.scheme_timeout`); then the future is dropped. An error and a panic let nobody in.
///
/// ```
/// use std::sync::Arc;
///
/// use outboard_sdk::{
///     Availability, Endpoints, Init, Plugin, Problems, Scheme, SchemeError, Subject,
/// };
/// use serde_json::Value;
///
/// /// Knows a word that everybody has.
/// struct Word;
///
/// impl Plugin for Word {
///     type Parameters = Value;
///     type Instance = ();
///
///     async fn init(&self, _: Init<Value>, _: &mut Endpoints<()>) -> Result<(), Problems> {
///         Ok(())
///     }
/// }
///
/// impl Scheme for Word {
///     async fn can_use(&self, _: Arc<()>, _: Subject) -> Result<Availability, SchemeError> {
///         Ok(Availability::Registered)
///     }
///
///     async fn validate(&self, _: Arc<()>, _: Subject, value: Value) -> Result<(), SchemeError> {
///         if value["word"] == "sesame" { Ok(()) } else { Err(SchemeError::Unauthorized) }
///     }
/// }
/// ```
pub trait Scheme: Plugin {
    /// Tells whether the user has registered this scheme, or could.
    ///
    /// # Errors
    ///
    /// When it can't be told now.
    fn can_use(
        &self,
        instance: Arc<Self::Instance>,
        subject: Subject,
    ) -> impl Future<Output = Result<Availability, SchemeError>> + Send;

    /// Registers the scheme for a user, or does a step of that. Default: there is nothing to register.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Invalid`] for data that are malformed, and the others as they are described.
    fn register(
        &self,
        _instance: Arc<Self::Instance>,
        _subject: Subject,
        _data: Value,
    ) -> impl Future<Output = Result<Option<Value>, SchemeError>> + Send {
        ready(Err(SchemeError::Unauthorized))
    }

    /// Tells what the user has registered, for the user's own eyes: no secret that was shown before. Default:
    /// nothing to tell.
    ///
    /// # Errors
    ///
    /// [`SchemeError::NotFound`], if nothing is registered.
    fn registration(
        &self,
        _instance: Arc<Self::Instance>,
        _subject: Subject,
    ) -> impl Future<Output = Result<Option<Value>, SchemeError>> + Send {
        ready(Ok(None))
    }

    /// Forgets all that the user has registered. Repeated until it succeeds when the user was deleted, so it must be
    /// idempotent. Default: nothing is kept.
    ///
    /// # Errors
    ///
    /// When it must be tried again.
    fn deregister(
        &self,
        _instance: Arc<Self::Instance>,
        _subject: Subject,
    ) -> impl Future<Output = Result<(), SchemeError>> + Send {
        ready(Ok(()))
    }

    /// Begins an authentication: sends a code, makes a challenge. Default: there is nothing to begin.
    ///
    /// # Errors
    ///
    /// As they are described.
    fn trigger(
        &self,
        _instance: Arc<Self::Instance>,
        _subject: Subject,
        _data: Value,
    ) -> impl Future<Output = Result<Option<Value>, SchemeError>> + Send {
        ready(Ok(None))
    }

    /// Succeeds if the value proves that it is the user. A value that was accepted must not be accepted again.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Unauthorized`], if it does not.
    fn validate(
        &self,
        instance: Arc<Self::Instance>,
        subject: Subject,
        value: Value,
    ) -> impl Future<Output = Result<(), SchemeError>> + Send;
}

/// The user, and where he is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Subject {
    /// Never reused, unlike the name.
    pub user_id: String,
    /// At most 128 characters.
    pub username: String,
    /// For people.
    pub name: Option<String>,
    /// Where to write to.
    pub email: Option<String>,
    /// IP address of the client.
    pub client_address: Option<String>,
    /// Of the client, its first 256 bytes. May be empty.
    pub user_agent: String,
    /// All other properties of the user.
    pub properties: Map<String, Value>,
    /// The same through all steps of one user in one browser, and good for nothing else. `None`: there is no session,
    /// such as when an administrator acts for the user.
    pub session: Option<String>,
    /// Where the pages that use the scheme are, such as `https://example.org`.
    pub origin: Option<String>,
}

impl Subject {
    /// A user without anything else. The host makes subjects; this is for an author's own tests.
    pub fn new(user_id: impl Into<String>, username: impl Into<String>) -> Self {
        Self { user_id: user_id.into(), username: username.into(), ..Self::default() }
    }

    /// The mistake, if it is one that no host should make.
    pub(crate) fn from_proto(subject: v1::Subject) -> Result<Self, &'static str> {
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        if subject.user_id.is_empty() || subject.username.is_empty() {
            return Err("the subject is nobody");
        }
        Ok(Self {
            user_id: subject.user_id,
            username: subject.username,
            name: said(subject.name),
            email: said(subject.email),
            client_address: said(subject.client_address),
            user_agent: subject.user_agent,
            properties: properties(&subject.properties)?,
            session: said(subject.session),
            origin: said(subject.origin),
        })
    }
}

/// A JSON object; nothing at all counts as an empty one.
pub(crate) fn properties(json: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let json = if json.is_empty() { b"{}" } else { json };
    serde_json::from_slice(json).map_err(|_| "the properties are no JSON object")
}

/// Whether a user can use a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Availability {
    /// Not this user.
    NotAvailable,
    /// The user could register it.
    Available,
    /// The user has registered it.
    Registered,
}

impl Availability {
    pub(crate) fn into_proto(self) -> v1::Availability {
        match self {
            Self::NotAvailable => v1::Availability::NotAvailable,
            Self::Available => v1::Availability::Available,
            Self::Registered => v1::Availability::Registered,
        }
    }
}

/// Why a scheme did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemeError {
    /// It is not the user, or he may not.
    #[error("it is not the user, or the user may not do that")]
    Unauthorized,
    /// What was sent is malformed. A line each, for whoever sent it. Limit: 100, the rest is dropped.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    /// The user has registered nothing.
    #[error("the user has registered nothing")]
    NotFound,
    /// It is not the user's mistake. For the log; never a secret.
    #[error("{0}")]
    Failed(String),
}

impl SchemeError {
    /// One thing that is malformed.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(vec![message.into()])
    }

    /// Something that is not the user's mistake.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

impl From<HostError> for SchemeError {
    fn from(error: HostError) -> Self {
        Self::Failed(error.message().to_owned())
    }
}
