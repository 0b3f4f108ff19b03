//! `outboard.admin.v1.Scopes`.

use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::scopes_server::Scopes;
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::{Access, limit, status};

#[tonic::async_trait]
impl Scopes for Access {
    async fn list(
        &self,
        request: Request<admin::ListScopesRequest>,
    ) -> Result<Response<admin::ListScopesResponse>, Status> {
        let admin::ListScopesRequest { pattern, offset, limit: wanted } = request.into_inner();
        let scopes = self.identity.scopes();
        let listed = scopes.list(&pattern, offset, limit(wanted)).await;
        let listed = listed.map_err(|failure| status(failure, "scope"))?;
        let shown = listed.iter().map(|scope| bytes(&scopes.show(scope))).collect();
        Ok(Response::new(admin::ListScopesResponse { scopes: shown }))
    }

    async fn add(
        &self,
        request: Request<admin::AddScopeRequest>,
    ) -> Result<Response<admin::AddScopeResponse>, Status> {
        let object = json(&request.get_ref().scope)?;
        let scopes = self.identity.scopes();
        let scope = scopes.add(&object).await.map_err(|failure| status(failure, "scope"))?;
        Ok(Response::new(admin::AddScopeResponse { scope: bytes(&scopes.show(&scope)) }))
    }

    async fn set(
        &self,
        request: Request<admin::SetScopeRequest>,
    ) -> Result<Response<admin::SetScopeResponse>, Status> {
        let admin::SetScopeRequest { name, scope } = request.get_ref();
        let scopes = self.identity.scopes();
        let scope = scopes.set(name, &json(scope)?).await;
        let scope = scope.map_err(|failure| status(failure, &format!("scope {name:?}")))?;
        Ok(Response::new(admin::SetScopeResponse { scope: bytes(&scopes.show(&scope)) }))
    }

    async fn delete(
        &self,
        request: Request<admin::DeleteScopeRequest>,
    ) -> Result<Response<admin::DeleteScopeResponse>, Status> {
        let name = &request.get_ref().name;
        let deleted = self.identity.scopes().delete(name).await;
        deleted.map_err(|failure| status(failure, &format!("scope {name:?}")))?;
        Ok(Response::new(admin::DeleteScopeResponse {}))
    }
}

fn json(bytes: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(bytes)
        .map_err(|error| Status::invalid_argument(format!("the scope is not JSON: {error}")))
}

fn bytes(value: &Value) -> prost::bytes::Bytes {
    value.to_string().into_bytes().into()
}
