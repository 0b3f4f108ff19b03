//! `outboard.host.v1.Users`: users, wherever they are kept.

use outboard_core::grant::Group;
use outboard_core::identity::property;
use outboard_core::identity::user::{Mode, User, UserDraft};
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::ResultCode;
use outboard_proto::host::v1::users_server::Users;
use tonic::{Request, Response, Status};

use super::Caller;
use super::outcome::{outcome, status};
use super::page::{page, whole};
use super::permit::Permitted;
use super::visitor::bounded;
use crate::clock::timestamp;
use crate::identity::{Failure, Forced, Origin, People};

#[tonic::async_trait]
impl Users for Caller {
    async fn list(
        &self,
        request: Request<wire::ListUsersRequest>,
    ) -> Result<Response<wire::ListUsersResponse>, Status> {
        self.permit(&request, Group::UsersRead)?;
        let wire::ListUsersRequest { pattern, offset, limit } = request.into_inner();
        let listed = self.people().list(&page(&pattern, offset, limit)?).await;
        let users = listed.map_err(|failure| status(&failure))?;
        let users = whole(users.iter().map(shown).collect());
        Ok(Response::new(wire::ListUsersResponse { users }))
    }

    async fn get(
        &self,
        request: Request<wire::GetUserRequest>,
    ) -> Result<Response<wire::GetUserResponse>, Status> {
        self.permit(&request, Group::UsersRead)?.concerns(&request.get_ref().username);
        self.got(&request.into_inner().username).await
    }

    async fn get_profile(
        &self,
        request: Request<wire::GetUserRequest>,
    ) -> Result<Response<wire::GetUserResponse>, Status> {
        self.permit(&request, Group::UsersRead)?.concerns(&request.get_ref().username);
        let mut answer = self.got(&request.into_inner().username).await?;
        if let Some(user) = &mut answer.get_mut().user {
            user.source.clear();
        }
        Ok(answer)
    }

    async fn check(
        &self,
        request: Request<wire::CheckUserRequest>,
    ) -> Result<Response<wire::CheckUserResponse>, Status> {
        let permitted = self.permit(&request, Group::UsersCheck)?;
        let request = request.into_inner();
        permitted.concerns(&request.username);
        bounded(&request.scopes)?;
        let origin = self.origin(&request.handle, &permitted)?;
        let response = match self.checked(&request, &origin).await {
            Ok((user, scopes)) => wire::CheckUserResponse {
                result: ResultCode::Ok.into(),
                user: Some(shown(&user)),
                scopes,
            },
            Err(failure) => {
                let result = outcome(failure)?.0.into();
                wire::CheckUserResponse { result, ..Default::default() }
            }
        };
        Ok(Response::new(response))
    }

    async fn validate(
        &self,
        request: Request<wire::ValidateUserRequest>,
    ) -> Result<Response<wire::ValidateUserResponse>, Status> {
        self.permit(&request, Group::UsersRead)?;
        let wire::ValidateUserRequest { username, user, password } = request.into_inner();
        let (name, mode) = match username.as_str() {
            "" => (None, Mode::Add),
            name => (Some(name), Mode::Update),
        };
        let judged = async {
            let draft = draft(user.unwrap_or_default(), password)?;
            self.people().validate(name, &draft, mode).await
        };
        let (result, errors) = ended(judged.await)?;
        Ok(Response::new(wire::ValidateUserResponse { result, errors }))
    }

    async fn add(
        &self,
        request: Request<wire::AddUserRequest>,
    ) -> Result<Response<wire::AddUserResponse>, Status> {
        let permitted = self.permit(&request, Group::UsersWrite)?;
        let wire::AddUserRequest { user, password } = request.into_inner();
        let user = user.unwrap_or_default();
        permitted.concerns(&user.username);
        let added = async { self.people().add(&draft(user, password)?).await };
        let response = match added.await {
            Ok(user) => wire::AddUserResponse {
                result: ResultCode::Ok.into(),
                errors: Vec::new(),
                user: Some(shown(&user)),
            },
            Err(failure) => {
                let (result, errors) = outcome(failure)?;
                wire::AddUserResponse { result: result.into(), errors, user: None }
            }
        };
        Ok(Response::new(response))
    }

    async fn set(
        &self,
        request: Request<wire::SetUserRequest>,
    ) -> Result<Response<wire::SetUserResponse>, Status> {
        let permitted = self.permit(&request, Group::UsersWrite)?;
        let wire::SetUserRequest { username, user } = request.into_inner();
        permitted.concerns(&username);
        let changed = async {
            let draft = draft(user.unwrap_or_default(), None)?;
            self.people().set(&username, &draft).await
        };
        let response = match changed.await {
            Ok(user) => wire::SetUserResponse {
                result: ResultCode::Ok.into(),
                errors: Vec::new(),
                user: Some(shown(&user)),
            },
            Err(failure) => {
                let (result, errors) = outcome(failure)?;
                wire::SetUserResponse { result: result.into(), errors, user: None }
            }
        };
        Ok(Response::new(response))
    }

    async fn set_password(
        &self,
        request: Request<wire::SetPasswordRequest>,
    ) -> Result<Response<wire::SetPasswordResponse>, Status> {
        let permitted = self.permit(&request, Group::UsersWrite)?;
        let wire::SetPasswordRequest { username, password } = request.into_inner();
        permitted.concerns(&username);
        let (result, errors) = ended(self.people().set_password(&username, &password).await)?;
        Ok(Response::new(wire::SetPasswordResponse { result, errors }))
    }

    async fn delete(
        &self,
        request: Request<wire::DeleteUserRequest>,
    ) -> Result<Response<wire::DeleteUserResponse>, Status> {
        let permitted = self.permit(&request, Group::UsersWrite)?;
        let username = request.into_inner().username;
        permitted.concerns(&username);
        let (result, _) = ended(self.people().delete(&username, Forced::No).await)?;
        Ok(Response::new(wire::DeleteUserResponse { result }))
    }
}

impl Caller {
    fn people(&self) -> People<'_> {
        self.0.services.identity.people()
    }

    async fn got(&self, username: &str) -> Result<Response<wire::GetUserResponse>, Status> {
        let response = match self.people().get(username).await {
            Ok(user) => {
                wire::GetUserResponse { result: ResultCode::Ok.into(), user: Some(shown(&user)) }
            }
            Err(failure) => {
                wire::GetUserResponse { result: outcome(failure)?.0.into(), user: None }
            }
        };
        Ok(Response::new(response))
    }

    async fn checked(
        &self,
        request: &wire::CheckUserRequest,
        origin: &Origin,
    ) -> Result<(User, Vec<String>), Failure> {
        let people = self.people();
        let user = match &request.password {
            Some(password) => people.check_password(&request.username, password, origin).await?,
            None => people.get(&request.username).await?,
        };
        if request.password.is_some() && user.must_change_password() {
            // It lets nobody in, whoever asks.
            return Err(Failure::Unauthorized);
        }
        let scopes = people.scopes_by_password(&user, &request.scopes).await?;
        if !user.enabled || (scopes.is_empty() && !request.scopes.is_empty()) {
            return Err(Failure::Unauthorized);
        }
        Ok((user, scopes))
    }

    /// Whom wrong passwords are counted for: the client of a request, else the plugin.
    pub(super) fn origin(&self, handle: &str, caller: &Permitted) -> Result<Origin, Status> {
        if handle.is_empty() {
            let address = format!("plugin {}", caller.plugin);
            return Ok(Origin { address, user_agent: String::new() });
        }
        Ok(self.visitor(handle, caller)?.origin)
    }
}

/// A change that tells nothing but how it ended.
pub(super) fn ended(done: Result<(), Failure>) -> Result<(i32, Vec<String>), Status> {
    match done {
        Ok(()) => Ok((ResultCode::Ok.into(), Vec::new())),
        Err(failure) => outcome(failure).map(|(result, errors)| (result.into(), errors)),
    }
}

/// A user, as plugins see users.
pub(super) fn shown(user: &User) -> wire::User {
    let last_login = user.last_login_ms.map(timestamp);
    wire::User {
        id: user.id.to_string(),
        username: user.username.shown().to_owned(),
        name: user.name.clone(),
        email: user.email.clone(),
        enabled: Some(user.enabled),
        scopes: user.scopes.clone(),
        has_scopes: true,
        properties: serde_json::to_vec(&user.properties).unwrap_or_default().into(),
        source: user.source.clone(),
        passwords: user.passwords,
        last_login,
    }
}

fn draft(user: wire::User, password: Option<String>) -> Result<UserDraft, Failure> {
    Ok(UserDraft {
        username: Some(user.username).filter(|name| !name.is_empty()),
        name: user.name.map(some_text),
        email: user.email.map(some_text),
        enabled: user.enabled,
        scopes: user.has_scopes.then_some(user.scopes),
        properties: property::read(&user.properties).map_err(Failure::invalid)?,
        password: password.map(|password| vec![password]),
    })
}

/// Nothing but an empty text takes a text away.
pub(super) fn some_text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
