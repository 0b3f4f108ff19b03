//! `outboard.host.v1.Schemes`: ways to authenticate beyond the password, of the session's user or, with another grant, of
//! anybody.

use outboard_core::grant::Group;
use outboard_core::identity::scheme::Availability;
use outboard_core::identity::user::User;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::schemes_server::Schemes;
use outboard_proto::host::v1::{ResultCode, SchemeAvailability};
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::Caller;
use super::outcome::outcome;
use super::visitor::Visitor;
use crate::identity::schemes::{At, Scheme};
use crate::identity::scopes::Checked;
use crate::identity::sessions::Session;
use crate::identity::{Failure, Origin};

/// What a plugin may hand to a scheme, in bytes.
const MOST_DATA: usize = 64 << 10;

/// The user that a call is about, and where.
struct About {
    user: User,
    /// None: somebody else's session, or none.
    session: Option<Session>,
    origin: Origin,
}

#[tonic::async_trait]
impl Schemes for Caller {
    async fn get(
        &self,
        request: Request<wire::GetSchemeRequest>,
    ) -> Result<Response<wire::GetSchemeResponse>, Status> {
        self.permit(&request, Group::Schemes)?;
        let found = self.0.services.identity.schemes().get(&request.get_ref().name).await;
        let (result, _, scheme) = ended(found.map(Some))?;
        let scheme = scheme.map(told);
        Ok(Response::new(wire::GetSchemeResponse { result, scheme }))
    }

    async fn list(
        &self,
        request: Request<wire::ListSchemesRequest>,
    ) -> Result<Response<wire::ListSchemesResponse>, Status> {
        let wire::ListSchemesRequest { handle, username } = request.get_ref();
        let about = self.about(&request, handle, username).await?;
        let listed = match &about {
            Ok(about) => self.0.services.identity.schemes().of_user(&about.user, about.at()).await,
            Err(failure) => Err(failure.clone()),
        };
        let (result, _, listed) = ended(listed.map(Some))?;
        let schemes = listed.unwrap_or_default().into_iter().map(|(scheme, _)| told(scheme));
        Ok(Response::new(wire::ListSchemesResponse { result, schemes: schemes.collect() }))
    }

    async fn register(
        &self,
        request: Request<wire::RegisterSchemeRequest>,
    ) -> Result<Response<wire::RegisterSchemeResponse>, Status> {
        let wire::RegisterSchemeRequest { handle, username, name, data } = request.get_ref();
        let about = self.about(&request, handle, username).await?;
        let data = json(data)?;
        let registered = match self.own(about, name).await {
            Ok(about) => {
                let schemes = self.0.services.identity.schemes();
                schemes.register(name, &about.user, about.at(), &data).await
            }
            Err(failure) => Err(failure),
        };
        let (result, errors, response) = ended(registered)?;
        let response = response.map(|response| response.to_string().into()).unwrap_or_default();
        Ok(Response::new(wire::RegisterSchemeResponse { result, response, errors }))
    }

    async fn get_registration(
        &self,
        request: Request<wire::GetRegistrationRequest>,
    ) -> Result<Response<wire::GetRegistrationResponse>, Status> {
        let wire::GetRegistrationRequest { handle, username, name } = request.get_ref();
        let about = self.about(&request, handle, username).await?;
        let registration = match self.own(about, name).await {
            Ok(about) => {
                self.0.services.identity.schemes().registration(name, &about.user, about.at()).await
            }
            Err(failure) => Err(failure),
        };
        let (result, _, response) = ended(registration)?;
        let response = response.map(|response| response.to_string().into()).unwrap_or_default();
        Ok(Response::new(wire::GetRegistrationResponse { result, response }))
    }

    async fn deregister(
        &self,
        request: Request<wire::DeregisterSchemeRequest>,
    ) -> Result<Response<wire::DeregisterSchemeResponse>, Status> {
        let wire::DeregisterSchemeRequest { handle, username, name } = request.get_ref();
        let about = self.about(&request, handle, username).await?;
        let done = match self.own(about, name).await {
            Ok(about) => {
                self.0.services.identity.schemes().deregister(name, &about.user, about.at()).await
            }
            Err(failure) => Err(failure),
        };
        let (result, ..) = ended(done.map(Some))?;
        Ok(Response::new(wire::DeregisterSchemeResponse { result }))
    }

    async fn can_use(
        &self,
        request: Request<wire::CanUseSchemeRequest>,
    ) -> Result<Response<wire::CanUseSchemeResponse>, Status> {
        let wire::CanUseSchemeRequest { handle, username, name } = request.get_ref();
        let about = self.about(&request, handle, username).await?;
        let told = match &about {
            Ok(about) => {
                self.0.services.identity.schemes().can_use(name, &about.user, about.at()).await
            }
            Err(failure) => Err(failure.clone()),
        };
        let (result, _, told) = ended(told.map(Some))?;
        let availability = told.map_or(SchemeAvailability::Unspecified, availability).into();
        Ok(Response::new(wire::CanUseSchemeResponse { result, availability }))
    }
}

impl Caller {
    /// The session's user, or the one that is named, which takes another grant unless it is the same. A handle may only
    /// be missing where somebody is named.
    async fn about<T>(
        &self,
        request: &Request<T>,
        handle: &str,
        username: &str,
    ) -> Result<Result<About, Failure>, Status> {
        let caller = self.permit(request, Group::Schemes)?;
        let visitor = if handle.is_empty() && !username.is_empty() {
            None
        } else {
            Some(self.visitor(handle, &caller)?)
        };
        if !username.is_empty() {
            caller.also(Group::SchemesAnyUser)?;
            caller.concerns(username);
        }
        Ok(self.found(visitor, username).await)
    }

    async fn found(&self, visitor: Option<Visitor>, username: &str) -> Result<About, Failure> {
        let Visitor { cookie, origin } = visitor.unwrap_or_default();
        let identity = &self.0.services.identity;
        if username.is_empty() {
            return match identity.scopes().check(cookie.as_deref(), &[], &origin).await? {
                Checked::User(signed_in) if !signed_in.user.must_change_password() => {
                    Ok(About { user: signed_in.user, session: Some(signed_in.session), origin })
                }
                Checked::User(_) | Checked::NoCookie | Checked::NoSession => {
                    Err(Failure::Unauthorized)
                }
            };
        }
        let user = identity.people().get(username).await?;
        let session = match cookie {
            Some(cookie) => identity.sessions().find(&cookie).await?,
            None => None,
        };
        let session = session.filter(|session| session.has(&user.id));
        Ok(About { user, session, origin })
    }

    /// The same, if the scheme is one of the user's.
    async fn own(&self, about: Result<About, Failure>, name: &str) -> Result<About, Failure> {
        let about = about?;
        let schemes = self.0.services.identity.schemes();
        schemes.get(name).await?;
        let is_own = schemes.is_of_user(name, &about.user).await?;
        is_own.then_some(about).ok_or(Failure::Unauthorized)
    }
}

impl About {
    fn at(&self) -> At<'_> {
        At { session: self.session.as_ref(), origin: &self.origin }
    }
}

/// Code, complaints, and what there is to tell.
fn ended<T>(done: Result<Option<T>, Failure>) -> Result<(i32, Vec<String>, Option<T>), Status> {
    match done {
        Ok(told) => Ok((ResultCode::Ok.into(), Vec::new(), told)),
        Err(failure) => {
            let (code, errors) = outcome(failure)?;
            Ok((code.into(), errors, None))
        }
    }
}

fn json(data: &[u8]) -> Result<Value, Status> {
    if data.len() > MOST_DATA {
        return Err(Status::invalid_argument(format!(
            "data has {} bytes, more than {MOST_DATA}",
            data.len()
        )));
    }
    if data.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(data)
        .map_err(|error| Status::invalid_argument(format!("data is not JSON: {error}")))
}

fn told(scheme: Scheme) -> wire::Scheme {
    let Scheme { module, name, display_name, settings } = scheme;
    wire::Scheme {
        module,
        name,
        display_name,
        expiration: settings.expiration_s,
        max_use: settings.max_use,
        allow_user_register: settings.allow_user_register,
        forbid_user_profile: settings.forbid_user_profile,
        forbid_user_reset_credential: settings.forbid_user_reset_credential,
        enabled: true,
    }
}

fn availability(availability: Availability) -> SchemeAvailability {
    match availability {
        Availability::NotAvailable => SchemeAvailability::NotAvailable,
        Availability::Available => SchemeAvailability::Available,
        Availability::Registered => SchemeAvailability::Registered,
    }
}
