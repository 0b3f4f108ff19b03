//! `Authenticator`: who people are, in the words of an author's plugin.

use std::sync::Arc;

use outboard_proto::plugin::v1::authenticate_response::Result as Answer;
use outboard_proto::plugin::v1::authenticator_server::Authenticator as Service;
use outboard_proto::plugin::v1::{
    AuthenticateRequest, AuthenticateResponse, AuthorizeRequest, AuthorizeResponse, Refusal,
};
use tonic::{Request, Response, Status};

use super::{Shared, guarded};
use crate::authenticator::{
    AuthError, Authenticator, Credentials, GroupMatch, Needed, Permission, User, cut,
};

pub(crate) struct AuthenticatorService<P: Authenticator>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: Authenticator> Service for AuthenticatorService<P> {
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let AuthenticateRequest { activation, email, token } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let credentials = Credentials { email, token };
        let answer = match guarded(self.0.plugin.authenticate(instance, credentials)).await? {
            Ok(user) => Answer::User(user.into_proto()),
            Err(error) => Answer::Refusal(refusal(&error)?),
        };
        Ok(Response::new(AuthenticateResponse { result: Some(answer) }))
    }

    async fn authorize(
        &self,
        request: Request<AuthorizeRequest>,
    ) -> Result<Response<AuthorizeResponse>, Status> {
        let matched = GroupMatch::from_proto(request.get_ref().r#match());
        let AuthorizeRequest { activation, user, required_groups, .. } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let user = user.ok_or_else(|| Status::invalid_argument("there is no user in it"))?;
        let needed = Needed { groups: required_groups, matched };
        let user = User::from_proto(user);
        let permission = match guarded(self.0.plugin.authorize(instance, user, needed)).await? {
            Ok(permission) => permission,
            Err(error) => Permission::Denied(refusal(&error)?.message),
        };
        Ok(Response::new(match permission {
            Permission::Allowed => AuthorizeResponse { allowed: true, reason: String::new() },
            Permission::Denied(why) => AuthorizeResponse { allowed: false, reason: cut(&why) },
            Permission::ByGroups => {
                return Err(Status::unimplemented("compare the groups"));
            }
        }))
    }
}

/// What can't be told is an error of the call.
fn refusal(error: &AuthError) -> Result<Refusal, Status> {
    let message = error.short_message();
    match error.refusal() {
        Some(reason) => Ok(Refusal { reason: reason.into_proto().into(), message }),
        None => Err(Status::unavailable(message)),
    }
}
