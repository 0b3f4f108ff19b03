//! Ways to authenticate beyond the password, as users have them.

use outboard_proto::host::v1;
use outboard_proto::host::v1::schemes_client::SchemesClient;
use serde_json::Value;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::result::{done, found, json, odd};
use super::{Host, HostError, Stamp};
use crate::scheme::Availability;

/// The schemes of users. The manifest has `grants.callbacks = ["schemes"]`, and the operator grants it. Cloning this is
/// cheap.
#[derive(Debug, Clone)]
pub struct Schemes(Host);

/// Whose scheme it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose<'a> {
    handle: Option<&'a str>,
    username: Option<&'a str>,
}

/// A scheme: an instance of a plugin that authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemeInfo {
    /// The plugin.
    pub module: String,
    /// The instance.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// How long it counts, in seconds. 0: as long as the session.
    pub expiration: u64,
    /// How often it may be used after that. 0: any number of times.
    pub max_use: u32,
    /// Whether users may register it themselves.
    pub allow_user_register: bool,
    /// Whether users may not see it on their profile.
    pub forbid_user_profile: bool,
    /// Whether it is no way to get back into an account.
    pub forbid_user_reset_credential: bool,
    /// Whether it is in use.
    pub enabled: bool,
}

impl<'a> Whose<'a> {
    /// The user's whose session is behind [the handle](crate::Request::handle) of a request.
    #[must_use]
    pub fn session(handle: &'a str) -> Self {
        Self { handle: Some(handle), username: None }
    }

    /// Some user's, which needs the grant `schemes.any_user`.
    #[must_use]
    pub fn user(username: &'a str) -> Self {
        Self { handle: None, username: Some(username) }
    }

    /// The same, for a request on whose behalf it is done: schemes want to know its client.
    #[must_use]
    pub fn by(self, handle: &'a str) -> Self {
        Self { handle: Some(handle), ..self }
    }

    fn handle(self) -> String {
        self.handle.unwrap_or_default().to_owned()
    }

    fn username(self) -> String {
        self.username.unwrap_or_default().to_owned()
    }
}

impl Schemes {
    pub(super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Tells about a scheme, if there is one of that name.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::HostErrorKind::Denied) without the grant.
    pub async fn get(&self, name: &str) -> Result<Option<SchemeInfo>, HostError> {
        let request = v1::GetSchemeRequest { name: name.to_owned() };
        let answer = self.client()?.get(request).await?.into_inner();
        found(answer.result(), answer.scheme.map(SchemeInfo::from_proto))
    }

    /// Lists the schemes that a user can use: enabled, and in a group of a scope that is his.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::HostErrorKind::Denied) without the grant, and for a handle that is over or another's;
    /// [`Refused`](crate::HostErrorKind::Refused): nobody is signed in; [`NotFound`](crate::HostErrorKind::NotFound).
    pub async fn list(&self, whose: Whose<'_>) -> Result<Vec<SchemeInfo>, HostError> {
        let request = v1::ListSchemesRequest { handle: whose.handle(), username: whose.username() };
        let answer = self.client()?.list(request).await?.into_inner();
        done(answer.result(), Vec::new())?;
        Ok(answer.schemes.into_iter().map(SchemeInfo::from_proto).collect())
    }

    /// Registers a scheme for a user, or a step of it, with what the scheme wants; gives what it answers.
    ///
    /// # Errors
    ///
    /// As with [`list`](Self::list); [`Invalid`](crate::HostErrorKind::Invalid), with what is wrong among the
    /// [problems](HostError::problems).
    pub async fn register(
        &self,
        whose: Whose<'_>,
        name: &str,
        data: &Value,
    ) -> Result<Option<Value>, HostError> {
        let request = v1::RegisterSchemeRequest {
            handle: whose.handle(),
            username: whose.username(),
            name: name.to_owned(),
            data: data.to_string().into(),
        };
        let answer = self.client()?.register(request).await?.into_inner();
        done(answer.result(), answer.errors)?;
        json(&answer.response)
    }

    /// Tells how a user has registered a scheme, in the scheme's words.
    ///
    /// # Errors
    ///
    /// As with [`list`](Self::list).
    pub async fn registration(
        &self,
        whose: Whose<'_>,
        name: &str,
    ) -> Result<Option<Value>, HostError> {
        let request = v1::GetRegistrationRequest {
            handle: whose.handle(),
            username: whose.username(),
            name: name.to_owned(),
        };
        let answer = self.client()?.get_registration(request).await?.into_inner();
        done(answer.result(), Vec::new())?;
        json(&answer.response)
    }

    /// Takes a registration back.
    ///
    /// # Errors
    ///
    /// As with [`list`](Self::list).
    pub async fn deregister(&self, whose: Whose<'_>, name: &str) -> Result<(), HostError> {
        let request = v1::DeregisterSchemeRequest {
            handle: whose.handle(),
            username: whose.username(),
            name: name.to_owned(),
        };
        let answer = self.client()?.deregister(request).await?.into_inner();
        done(answer.result(), Vec::new())
    }

    /// Whether a user can use a scheme.
    ///
    /// # Errors
    ///
    /// As with [`list`](Self::list).
    pub async fn can_use(&self, whose: Whose<'_>, name: &str) -> Result<Availability, HostError> {
        let request = v1::CanUseSchemeRequest {
            handle: whose.handle(),
            username: whose.username(),
            name: name.to_owned(),
        };
        let answer = self.client()?.can_use(request).await?.into_inner();
        done(answer.result(), Vec::new())?;
        match answer.availability() {
            v1::SchemeAvailability::NotAvailable => Ok(Availability::NotAvailable),
            v1::SchemeAvailability::Available => Ok(Availability::Available),
            v1::SchemeAvailability::Registered => Ok(Availability::Registered),
            v1::SchemeAvailability::Unspecified => Err(odd()),
        }
    }

    fn client(&self) -> Result<SchemesClient<InterceptedService<Channel, Stamp>>, HostError> {
        Ok(SchemesClient::new(self.0.channel()?))
    }
}

impl SchemeInfo {
    fn from_proto(scheme: v1::Scheme) -> Self {
        Self {
            module: scheme.module,
            name: scheme.name,
            display_name: scheme.display_name,
            expiration: scheme.expiration,
            max_use: scheme.max_use,
            allow_user_register: scheme.allow_user_register,
            forbid_user_profile: scheme.forbid_user_profile,
            forbid_user_reset_credential: scheme.forbid_user_reset_credential,
            enabled: scheme.enabled,
        }
    }
}
