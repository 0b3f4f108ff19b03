//! `outboard.host.v1.Sessions`: what an activation may know of whoever sent a request.

use outboard_core::grant::Group;
use outboard_core::identity::evaluate;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::ResultCode;
use outboard_proto::host::v1::sessions_server::Sessions;
use tonic::{Request, Response, Status};

use super::Caller;
use super::outcome::status;
use super::users::shown;
use super::visitor::{Visitor, bounded};
use crate::clock::timestamp;
use crate::identity::scopes::{Checked, SignedInUser};

#[tonic::async_trait]
impl Sessions for Caller {
    async fn check(
        &self,
        request: Request<wire::CheckSessionRequest>,
    ) -> Result<Response<wire::CheckSessionResponse>, Status> {
        let visitor = self.behind(&request, &request.get_ref().handle)?;
        let names = request.into_inner().scopes;
        let checked = self.session(&visitor, &names).await?;
        Ok(Response::new(match checked {
            Checked::NoCookie => refused(ResultCode::Unauthorized),
            Checked::NoSession => refused(ResultCode::NotFound),
            Checked::User(signed_in) if signed_in.user.must_change_password() => {
                refused(ResultCode::Unauthorized)
            }
            Checked::User(signed_in) => told(*signed_in, &names),
        }))
    }

    async fn is_scope_satisfied(
        &self,
        request: Request<wire::IsScopeSatisfiedRequest>,
    ) -> Result<Response<wire::IsScopeSatisfiedResponse>, Status> {
        let visitor = self.behind(&request, &request.get_ref().handle)?;
        let names = request.into_inner().scopes;
        if names.is_empty() {
            return Err(Status::invalid_argument("no scope; name at least one"));
        }
        let satisfied = match self.session(&visitor, &names).await? {
            Checked::User(signed_in) => evaluate::are_satisfied(&signed_in.states, &names),
            Checked::NoCookie | Checked::NoSession => false,
        };
        Ok(Response::new(wire::IsScopeSatisfiedResponse { satisfied }))
    }

    async fn count_use(
        &self,
        request: Request<wire::CountUseRequest>,
    ) -> Result<Response<wire::CountUseResponse>, Status> {
        let Visitor { cookie, origin } = self.behind(&request, &request.get_ref().handle)?;
        let names = request.into_inner().scopes;
        bounded(&names)?;
        let scopes = self.0.services.identity.scopes();
        let counted = scopes.count_use(cookie.as_deref(), &names, &origin).await;
        let is_there = counted.map_err(|failure| status(&failure))?;
        let result = if is_there { ResultCode::Ok } else { ResultCode::Unauthorized };
        Ok(Response::new(wire::CountUseResponse { result: result.into() }))
    }

    async fn last_login(
        &self,
        request: Request<wire::LastLoginRequest>,
    ) -> Result<Response<wire::LastLoginResponse>, Status> {
        let visitor = self.behind(&request, &request.get_ref().handle)?;
        let names = request.into_inner().scopes;
        bounded(&names)?;
        let scopes = self.0.services.identity.scopes();
        let at = scopes.last_login(visitor.cookie.as_deref(), &names).await;
        let at = at.map_err(|failure| status(&failure))?;
        Ok(Response::new(wire::LastLoginResponse { at: at.map(timestamp) }))
    }
}

impl Caller {
    fn behind<T>(&self, request: &Request<T>, handle: &str) -> Result<Visitor, Status> {
        let caller = self.permit(request, Group::Sessions)?;
        self.visitor(handle, &caller)
    }

    async fn session(&self, visitor: &Visitor, names: &[String]) -> Result<Checked, Status> {
        bounded(names)?;
        let scopes = self.0.services.identity.scopes();
        let checked = scopes.check(visitor.cookie.as_deref(), names, &visitor.origin).await;
        checked.map_err(|failure| status(&failure))
    }
}

fn refused(result: ResultCode) -> wire::CheckSessionResponse {
    wire::CheckSessionResponse { result: result.into(), user: None, scopes: Vec::new() }
}

fn told(signed_in: SignedInUser, names: &[String]) -> wire::CheckSessionResponse {
    let SignedInUser { user, states, .. } = signed_in;
    let is_none = states.is_empty() && !names.is_empty();
    let result = if is_none { ResultCode::Unauthorized } else { ResultCode::Ok };
    let user = wire::User { source: String::new(), passwords: 0, ..shown(&user) };
    wire::CheckSessionResponse {
        result: result.into(),
        user: Some(user),
        scopes: states.into_iter().map(state).collect(),
    }
}

fn state(state: evaluate::ScopeState) -> wire::ScopeState {
    wire::ScopeState {
        satisfied: state.is_satisfied(),
        name: state.name,
        display_name: state.display_name,
        description: state.description,
        available: state.is_available,
        password_required: state.password_required,
        password_authenticated: state.password_authenticated,
        password_last_login: state.password_last_login_ms.map(timestamp),
        groups: state.groups.into_iter().map(group).collect(),
    }
}

fn group(group: evaluate::GroupState) -> wire::SchemeGroup {
    wire::SchemeGroup {
        name: group.name,
        required: group.required,
        schemes: group.schemes.into_iter().map(scheme).collect(),
    }
}

fn scheme(scheme: evaluate::SchemeState) -> wire::SchemeState {
    wire::SchemeState {
        module: scheme.module,
        name: scheme.name,
        display_name: scheme.display_name,
        registered: scheme.is_registered,
        authenticated: scheme.is_authenticated,
        last_login: scheme.last_login_ms.map(timestamp),
    }
}
