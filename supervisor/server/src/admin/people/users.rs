//! `outboard.admin.v1.Users`.

use std::time::{Duration, SystemTime};

use outboard_core::identity::user::{MUST_CHANGE_PASSWORD, Mode, User, UserDraft};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::users_server::Users;
use outboard_store::identity::Revocation;
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::{People, bytes, object, page, status};
use crate::identity::{Failure, Forced};

#[tonic::async_trait]
impl Users for People {
    async fn list(
        &self,
        request: Request<admin::ListUsersRequest>,
    ) -> Result<Response<admin::ListUsersResponse>, Status> {
        let admin::ListUsersRequest { pattern, offset, limit, source } = request.into_inner();
        let listed = self.identity.people().list(&page(&pattern, offset, limit, &source)).await;
        let users = listed.map_err(|failure| status(&failure, "user"))?;
        let users = users.iter().map(shown).collect();
        Ok(Response::new(admin::ListUsersResponse { users }))
    }

    async fn get(
        &self,
        request: Request<admin::GetUserRequest>,
    ) -> Result<Response<admin::GetUserResponse>, Status> {
        let username = request.into_inner().username;
        let user = self.identity.people().get(&username).await;
        let user = user.map_err(|failure| of(&failure, &username))?;
        Ok(Response::new(admin::GetUserResponse { user: shown(&user) }))
    }

    async fn add(
        &self,
        request: Request<admin::AddUserRequest>,
    ) -> Result<Response<admin::AddUserResponse>, Status> {
        let admin::AddUserRequest { user, password, must_change } = request.into_inner();
        let mut draft = draft(&user, Mode::Add)?;
        if let Some(password) = password {
            draft.password = Some(vec![password]);
        }
        if must_change {
            draft.properties.insert(MUST_CHANGE_PASSWORD.to_owned(), Value::from("yes"));
        }
        let added = self.identity.people().add(&draft).await;
        let user = added.map_err(|failure| status(&failure, "user"))?;
        Ok(Response::new(admin::AddUserResponse { user: shown(&user) }))
    }

    async fn set(
        &self,
        request: Request<admin::SetUserRequest>,
    ) -> Result<Response<admin::SetUserResponse>, Status> {
        let admin::SetUserRequest { username, user } = request.into_inner();
        let draft = draft(&user, Mode::Update)?;
        let changed = self.identity.people().set(&username, &draft).await;
        let user = changed.map_err(|failure| of(&failure, &username))?;
        Ok(Response::new(admin::SetUserResponse { user: shown(&user) }))
    }

    async fn set_password(
        &self,
        request: Request<admin::SetUserPasswordRequest>,
    ) -> Result<Response<admin::SetUserPasswordResponse>, Status> {
        let admin::SetUserPasswordRequest { username, password, must_change } =
            request.into_inner();
        let must_change = if must_change { Value::from("yes") } else { Value::Null };
        let draft = UserDraft {
            password: Some(vec![password]),
            properties: [(MUST_CHANGE_PASSWORD.to_owned(), must_change)].into_iter().collect(),
            ..UserDraft::default()
        };
        let changed = self.identity.people().set(&username, &draft).await;
        changed.map_err(|failure| of(&failure, &username))?;
        Ok(Response::new(admin::SetUserPasswordResponse {}))
    }

    async fn delete(
        &self,
        request: Request<admin::DeleteUserRequest>,
    ) -> Result<Response<admin::DeleteUserResponse>, Status> {
        let admin::DeleteUserRequest { username, force } = request.into_inner();
        let (people, forced) =
            (self.identity.people(), if force { Forced::Yes } else { Forced::No });
        // Whose name it is is told by the id: the name may be another's soon.
        let id = people.get(&username).await.ok().map(|user| user.id.to_string());
        let deleted = people.delete(&username, forced).await;
        deleted.map_err(|failure| of(&failure, &username))?;
        let left = people.revocations().await.map_err(|failure| status(&failure, "user"))?;
        let left = left.into_iter().filter(|left| Some(&left.account) == id.as_ref());
        let waiting = left.map(|left| left.instance).collect();
        Ok(Response::new(admin::DeleteUserResponse { waiting }))
    }

    async fn list_revocations(
        &self,
        _: Request<admin::ListRevocationsRequest>,
    ) -> Result<Response<admin::ListRevocationsResponse>, Status> {
        let listed = self.identity.people().revocations().await;
        let revocations = listed.map_err(|failure| status(&failure, "user"))?;
        let revocations = revocations.into_iter().map(revocation).collect();
        Ok(Response::new(admin::ListRevocationsResponse { revocations }))
    }

    async fn give_up_revocations(
        &self,
        request: Request<admin::GiveUpRevocationsRequest>,
    ) -> Result<Response<admin::GiveUpRevocationsResponse>, Status> {
        let instance = request.into_inner().instance;
        let given_up = self.identity.people().give_up(&instance).await;
        given_up.map_err(|failure| status(&failure, &format!("instance {instance:?}")))?;
        Ok(Response::new(admin::GiveUpRevocationsResponse {}))
    }
}

fn of(failure: &Failure, username: &str) -> Status {
    status(failure, &format!("user {username:?}"))
}

fn draft(json: &[u8], mode: Mode) -> Result<UserDraft, Status> {
    let draft = UserDraft::from_json(&object(json)?, mode);
    draft.map_err(|errors| Status::invalid_argument(errors.join("\n")))
}

fn shown(user: &User) -> bytes::Bytes {
    let mut object = user.to_json();
    object["id"] = user.id.as_str().into();
    bytes(&object)
}

fn revocation(revocation: Revocation) -> admin::Revocation {
    let deleted = u64::try_from(revocation.deleted_ms).unwrap_or_default();
    admin::Revocation {
        user_id: revocation.account,
        username: revocation.username,
        source: revocation.source,
        instance: revocation.instance,
        deleted: Some((SystemTime::UNIX_EPOCH + Duration::from_millis(deleted)).into()),
        attempts: revocation.attempts,
        error: revocation.last_error.unwrap_or_default(),
    }
}
