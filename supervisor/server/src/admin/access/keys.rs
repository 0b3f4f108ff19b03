//! `outboard.admin.v1.ApiKeys`.

use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::api_keys_server::ApiKeys;
use outboard_store::identity::ApiKey;
use tonic::{Request, Response, Status};

use super::{Access, limit, status};
use crate::clock::timestamp;
use crate::identity::Origin;

#[tonic::async_trait]
impl ApiKeys for Access {
    async fn create(
        &self,
        request: Request<admin::CreateApiKeyRequest>,
    ) -> Result<Response<admin::CreateApiKeyResponse>, Status> {
        let admin::CreateApiKeyRequest { label, mut scopes, issued_by } = request.into_inner();
        if scopes.is_empty() {
            scopes.push(self.identity.settings().admin_scope.clone());
        }
        let origin = Origin { address: "control socket".into(), user_agent: String::new() };
        let made = self.identity.keys().create(&label, &scopes, &issued_by, &origin).await;
        let (key, stored) = made.map_err(|failure| status(failure, "key"))?;
        Ok(Response::new(admin::CreateApiKeyResponse { key, stored: Some(shown(stored)) }))
    }

    async fn list(
        &self,
        request: Request<admin::ListApiKeysRequest>,
    ) -> Result<Response<admin::ListApiKeysResponse>, Status> {
        let admin::ListApiKeysRequest { pattern, offset, limit: wanted } = request.into_inner();
        let listed = self.identity.keys().list(&pattern, offset, limit(wanted)).await;
        let listed = listed.map_err(|failure| status(failure, "key"))?;
        let keys = listed.into_iter().map(shown).collect();
        Ok(Response::new(admin::ListApiKeysResponse { keys }))
    }

    async fn disable(
        &self,
        request: Request<admin::DisableApiKeyRequest>,
    ) -> Result<Response<admin::DisableApiKeyResponse>, Status> {
        let hash = &request.get_ref().hash;
        let disabled = self.identity.keys().disable(hash).await;
        disabled.map_err(|failure| status(failure, &format!("API key {hash:?}")))?;
        tracing::info!(key = hash, "disabled an API key, as asked");
        Ok(Response::new(admin::DisableApiKeyResponse {}))
    }
}

fn shown(key: ApiKey) -> admin::ApiKey {
    admin::ApiKey {
        hash: key.hash,
        label: key.label,
        scopes: key.scopes,
        created: Some(timestamp(key.created_ms)),
        issued_by: key.issued_by,
        issued_for: key.issued_for,
        user_agent: key.user_agent,
        uses: key.uses.into(),
        enabled: key.enabled,
    }
}
