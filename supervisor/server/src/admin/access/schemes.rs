//! `outboard.admin.v1.Schemes`.

use std::time::Duration;

use outboard_core::identity::scheme::SchemeSettings;
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::schemes_server::Schemes;
use tonic::{Request, Response, Status};

use super::{Access, status};
use crate::identity::schemes::Scheme;

#[tonic::async_trait]
impl Schemes for Access {
    async fn list(
        &self,
        _: Request<admin::ListSchemesRequest>,
    ) -> Result<Response<admin::ListSchemesResponse>, Status> {
        let schemes = self.identity.schemes().list().await;
        let schemes = schemes.map_err(|failure| status(failure, "scheme"))?;
        let schemes = schemes.into_iter().map(shown).collect();
        Ok(Response::new(admin::ListSchemesResponse { schemes }))
    }

    async fn set(
        &self,
        request: Request<admin::SetSchemeRequest>,
    ) -> Result<Response<admin::SetSchemeResponse>, Status> {
        let change = request.into_inner();
        let failed = |failure| status(failure, &format!("scheme {:?}", change.name));
        let schemes = self.identity.schemes();
        let old = schemes.get(&change.name).await.map_err(failed)?;
        let settings = changed(&old.settings, &change)?;
        schemes.set(&change.name, &settings).await.map_err(failed)?;
        let scheme = Some(shown(Scheme { settings, ..old }));
        Ok(Response::new(admin::SetSchemeResponse { scheme }))
    }
}

fn changed(
    old: &SchemeSettings,
    change: &admin::SetSchemeRequest,
) -> Result<SchemeSettings, Status> {
    let expiration_s = match change.expiration {
        None => old.expiration_s,
        Some(expiration) => Duration::try_from(expiration)
            .map_err(|_| Status::invalid_argument("expiration must not be negative"))?
            .as_secs(),
    };
    Ok(SchemeSettings {
        expiration_s,
        max_use: change.max_use.unwrap_or(old.max_use),
        allow_user_register: change.allow_user_register.unwrap_or(old.allow_user_register),
        forbid_user_profile: change.forbid_user_profile.unwrap_or(old.forbid_user_profile),
        forbid_user_reset_credential: change
            .forbid_user_reset_credential
            .unwrap_or(old.forbid_user_reset_credential),
    })
}

fn shown(scheme: Scheme) -> admin::Scheme {
    let Scheme { module, name, display_name, settings } = scheme;
    let expiration = Duration::from_secs(settings.expiration_s);
    admin::Scheme {
        module,
        name,
        display_name,
        expiration: (settings.expiration_s > 0).then(|| expiration.try_into().unwrap_or_default()),
        max_use: settings.max_use,
        allow_user_register: settings.allow_user_register,
        forbid_user_profile: settings.forbid_user_profile,
        forbid_user_reset_credential: settings.forbid_user_reset_credential,
    }
}
