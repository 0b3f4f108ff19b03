//! What an author implements.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::SystemTime;

use outboard_proto::plugin::v1;
use serde::de::DeserializeOwned;

use crate::endpoints::Endpoints;
use crate::failure::Failure;
use crate::host::Host;
use crate::problem::{Problem, Problems};

/// A plugin: makes instances from parameters, and endpoints for them.
///
/// One value of it lives in the process and serves all instances. The host never makes two calls for
/// one activation at a time; calls for different activations are concurrent. Every call has a
/// deadline, 10 s unless the manifest says otherwise, at which its future is dropped. A panic fails
/// the call and does not end the process.
pub trait Plugin: Send + Sync + 'static {
    /// What an operator configures. `serde_json::Value` takes any object; a type with
    /// `#[serde(deny_unknown_fields)]` tells operators of misspelt names.
    type Parameters: DeserializeOwned + Send + 'static;

    /// The state of one activation, shared by its handlers. It is dropped after `close`, once its
    /// last handler has ended.
    type Instance: Send + Sync + 'static;

    /// Makes an activation, and says what it serves. The endpoints are published together, after this
    /// has succeeded.
    ///
    /// # Errors
    ///
    /// What is wrong with the parameters or with what they name; nothing of the activation remains.
    fn init(
        &self,
        init: Init<Self::Parameters>,
        endpoints: &mut Endpoints<Self::Instance>,
    ) -> impl Future<Output = Result<Self::Instance, Problems>> + Send;

    /// Judges parameters without side effects; also called for instances that do not run. Default:
    /// whatever is a `Parameters` is good.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    fn check(
        &self,
        _instance: &str,
        _parameters: Self::Parameters,
    ) -> impl Future<Output = Result<(), Problems>> + Send {
        ready(Ok(()))
    }

    /// Ends an activation: its routes are gone and its requests have ended. Not called when the process
    /// is lost. Default: drops it.
    fn close(
        &self,
        _instance: Arc<Self::Instance>,
        _reason: CloseReason,
    ) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// A user was deleted: forget what is kept about them. Repeated until it succeeds, so it must be
    /// idempotent. Default: nothing is kept.
    ///
    /// # Errors
    ///
    /// When it must be tried again.
    fn revoke_user(
        &self,
        _instance: Arc<Self::Instance>,
        _user: RevokedUser,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        ready(Ok(()))
    }

    /// Called once, before anything else. Default: nothing.
    ///
    /// # Errors
    ///
    /// When the process can't serve at all; the host reports it and starts the process again later.
    fn load(&self, _load: Load) -> impl Future<Output = Result<(), Failure>> + Send {
        ready(Ok(()))
    }

    /// Called once before the process is asked to exit, after every activation was closed. Default:
    /// nothing.
    fn unload(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// An activation to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Init<P> {
    /// Made by the host and never reused.
    pub activation: String,
    /// The instance's name, the first path segment of its endpoints.
    pub instance: String,
    /// What the operator configured, secrets resolved.
    pub parameters: P,
    /// Why now.
    pub reason: InitReason,
    /// What the instance is there for.
    pub kind: InstanceKind,
    /// The host's services for this activation. Keep it in the instance to call them later.
    pub host: Host,
}

impl<P> Init<P> {
    /// For a plugin whose instances are of one kind only: a problem that says so with one of another kind.
    ///
    /// # Errors
    ///
    /// If the operator says that the instance is there for something else.
    pub fn only(&self, kind: InstanceKind) -> Result<(), Problem> {
        if self.kind == kind {
            return Ok(());
        }
        let word = kind.word();
        Err(Problem::new(
            "",
            format!("the plugin can only be used with kind = {word:?}; write that"),
        ))
    }
}

/// What an instance is there for, as the operator says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceKind {
    /// Endpoints, events, or anything else that is none of the others.
    #[default]
    Plugin,
    /// It authenticates users: [`Scheme`](crate::Scheme).
    Scheme,
    /// It keeps users: [`UserBackend`](crate::UserBackend).
    UserBackend,
    /// It keeps clients: [`ClientBackend`](crate::ClientBackend).
    ClientBackend,
}

impl InstanceKind {
    /// As operators write it.
    fn word(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Scheme => "scheme",
            Self::UserBackend => "user",
            Self::ClientBackend => "client",
        }
    }

    pub(crate) fn from_proto(kind: v1::InstanceKind) -> Self {
        match kind {
            v1::InstanceKind::Unspecified | v1::InstanceKind::Plugin => Self::Plugin,
            v1::InstanceKind::Scheme => Self::Scheme,
            v1::InstanceKind::UserBackend => Self::UserBackend,
            v1::InstanceKind::ClientBackend => Self::ClientBackend,
        }
    }
}

/// Why an activation is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitReason {
    /// The supervisor starts, or an operator enabled the instance.
    Start,
    /// The process before this one was lost.
    Restart,
    /// This is a new version of the plugin; the old activation still serves.
    Upgrade,
    /// There are new parameters; the old activation still serves.
    Reconfigure,
    /// Another process of this plugin already serves this instance.
    Replica,
}

impl InitReason {
    pub(crate) fn from_proto(reason: v1::InitReason) -> Self {
        match reason {
            v1::InitReason::Unspecified | v1::InitReason::Start => Self::Start,
            v1::InitReason::Restart => Self::Restart,
            v1::InitReason::Upgrade => Self::Upgrade,
            v1::InitReason::Reconfigure => Self::Reconfigure,
            v1::InitReason::Replica => Self::Replica,
        }
    }
}

/// Why an activation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Another activation of the instance serves now.
    Replaced,
    /// An operator disabled the instance; its data stays.
    Disabled,
    /// The instance is gone for good, and its data with it.
    Deleted,
    /// The process is about to be stopped.
    Shutdown,
}

impl CloseReason {
    /// A reason that this version does not know must not look like a deletion.
    pub(crate) fn from_proto(reason: v1::CloseReason) -> Self {
        match reason {
            v1::CloseReason::Replaced => Self::Replaced,
            v1::CloseReason::Disabled => Self::Disabled,
            v1::CloseReason::Deleted => Self::Deleted,
            v1::CloseReason::Unspecified | v1::CloseReason::Shutdown => Self::Shutdown,
        }
    }
}

/// What the host tells when it has connected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// The supervisor's version, such as `0.1.0`.
    pub host_version: String,
    /// Which start of this plugin this process is, from 1.
    pub generation: u64,
}

/// A user that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokedUser {
    /// Never reused, unlike the name. At most 64 characters.
    pub id: String,
    /// The name that the user had. At most 128 characters.
    pub name: String,
    /// When it was deleted, if the host said so.
    pub deleted_at: Option<SystemTime>,
}
