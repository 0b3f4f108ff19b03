//! `UserBackend`: users that an author's plugin keeps.

use std::sync::Arc;

use outboard_proto::plugin::v1::user_backend_server::UserBackend as Service;
use outboard_proto::plugin::v1::{
    self, AddUserRequest, AddUserResponse, CheckUserPasswordRequest, CheckUserPasswordResponse,
    DeleteUserRequest, DeleteUserResponse, GetUserRequest, GetUserResponse, ListUsersRequest,
    ListUsersResponse, SetUserPasswordRequest, SetUserPasswordResponse, SetUserRequest,
    SetUserResponse, ValidateUserRequest, ValidateUserResponse,
};
use tonic::{Request, Response, Status};

use super::{Shared, guarded};
use crate::backend::{BackendError, BackendQuery};
use crate::user_backend::{BackendUser, UserBackend, UserChange};

pub(crate) struct UserBackendService<P: UserBackend>(pub(crate) Arc<Shared<P>>);

#[tonic::async_trait]
impl<P: UserBackend> Service for UserBackendService<P> {
    async fn list(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let ListUsersRequest { activation, pattern, offset, limit } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let query = BackendQuery { pattern, offset, limit };
        let page = guarded(self.0.plugin.list_users(instance, query)).await??;
        let users = page.entries.into_iter().map(BackendUser::into_proto).collect();
        Ok(Response::new(ListUsersResponse { users, total: page.total }))
    }

    async fn get(
        &self,
        request: Request<GetUserRequest>,
    ) -> Result<Response<GetUserResponse>, Status> {
        let GetUserRequest { activation, username } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let user = guarded(self.0.plugin.get_user(instance, username)).await??;
        let user = user.ok_or(BackendError::NotFound)?.into_proto();
        Ok(Response::new(GetUserResponse { user: Some(user) }))
    }

    async fn validate(
        &self,
        request: Request<ValidateUserRequest>,
    ) -> Result<Response<ValidateUserResponse>, Status> {
        let ValidateUserRequest { activation, username, user, password } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let username = Some(username).filter(|name| !name.is_empty());
        let change = read(user, password)?;
        let errors = guarded(self.0.plugin.validate_user(instance, username, change)).await??;
        Ok(Response::new(ValidateUserResponse { errors }))
    }

    async fn add(
        &self,
        request: Request<AddUserRequest>,
    ) -> Result<Response<AddUserResponse>, Status> {
        let AddUserRequest { activation, user, password } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        guarded(self.0.plugin.add_user(instance, read(user, password)?)).await??;
        Ok(Response::new(AddUserResponse {}))
    }

    async fn set(
        &self,
        request: Request<SetUserRequest>,
    ) -> Result<Response<SetUserResponse>, Status> {
        let SetUserRequest { activation, username, user } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        guarded(self.0.plugin.set_user(instance, username, read(user, None)?)).await??;
        Ok(Response::new(SetUserResponse {}))
    }

    async fn delete(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<DeleteUserResponse>, Status> {
        let DeleteUserRequest { activation, username } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        guarded(self.0.plugin.delete_user(instance, username)).await??;
        Ok(Response::new(DeleteUserResponse {}))
    }

    async fn check_password(
        &self,
        request: Request<CheckUserPasswordRequest>,
    ) -> Result<Response<CheckUserPasswordResponse>, Status> {
        let CheckUserPasswordRequest { activation, username, password } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        let checked = self.0.plugin.check_user_password(instance, username, password);
        let is_right = guarded(checked).await??;
        Ok(Response::new(CheckUserPasswordResponse { is_right }))
    }

    async fn set_password(
        &self,
        request: Request<SetUserPasswordRequest>,
    ) -> Result<Response<SetUserPasswordResponse>, Status> {
        let SetUserPasswordRequest { activation, username, password } = request.into_inner();
        let instance = self.0.instance(&activation)?;
        guarded(self.0.plugin.set_user_password(instance, username, password)).await??;
        Ok(Response::new(SetUserPasswordResponse {}))
    }
}

fn read(user: Option<v1::BackendUser>, password: Option<String>) -> Result<UserChange, Status> {
    let user = user.ok_or_else(|| Status::invalid_argument("there is no user in it"))?;
    UserChange::from_proto(user, password).map_err(Status::invalid_argument)
}
