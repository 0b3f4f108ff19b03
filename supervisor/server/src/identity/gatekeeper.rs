//! Who may pass to endpoints of plugins that are not for everybody.

use futures_util::future::{BoxFuture, FutureExt as _};
use outboard_core::identity::evaluate::{ScopeState, are_satisfied};
use outboard_core::identity::login_url::LoginUrl;
use outboard_core::route::{Requirement, origin};

use super::scopes::Checked;
use super::{Failure, Identity, Origin};
use crate::callback::Site;
use crate::gateway::gatekeeper::{self, Asker, Gatekeeper, Judgement};

/// Goes by sessions and API keys.
#[derive(Clone)]
pub struct Porter {
    identity: Identity,
    /// The log-in page.
    page: String,
    /// Where clients reach the gateway, without a final slash.
    external_url: String,
    origins: Vec<String>,
}

impl Porter {
    pub fn new(identity: Identity, site: &Site) -> Self {
        Self {
            identity,
            page: site.login_url(),
            external_url: site.external_url.clone(),
            origins: origin::of(&site.external_url).map(str::to_owned).into_iter().collect(),
        }
    }

    async fn weigh(&self, asker: Asker, required: &Requirement) -> Result<Judgement, Failure> {
        if let Some(key) = asker.api_key {
            let key = self.identity.keys().check(&format!("token {}", key.0)).await?;
            let Some(key) = key else { return Ok(Judgement::SignIn) };
            let has_all = required.scopes.iter().all(|scope| key.scopes.contains(scope));
            let scopes = required.scopes.clone();
            let admitted = Judgement::Admitted(gatekeeper::Identity::ApiKey { scopes });
            return Ok(if has_all { admitted } else { Judgement::Forbidden });
        }
        let address = asker.handle.address;
        let origin = Origin { address, user_agent: asker.handle.user_agent };
        let cookie = asker.handle.cookie.as_deref();
        let checked = self.identity.scopes().check(cookie, &required.scopes, &origin).await?;
        let Checked::User(signed_in) = checked else { return Ok(Judgement::SignIn) };
        if signed_in.user.must_change_password() {
            // The log-in page asks for another one.
            return Ok(Judgement::SignIn);
        }
        Ok(match standing(&signed_in.states, &required.scopes) {
            Standing::Satisfied => Judgement::Admitted(gatekeeper::Identity::User {
                id: signed_in.user.id.as_str().to_owned(),
                username: signed_in.user.username.shown().to_owned(),
                scopes: required.scopes.clone(),
            }),
            Standing::ToCome => Judgement::SignIn,
            Standing::OutOfReach => Judgement::Forbidden,
        })
    }
}

impl std::fmt::Debug for Porter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Porter").field("page", &self.page).finish_non_exhaustive()
    }
}

impl Gatekeeper for Porter {
    fn judge(&self, asker: Asker, required: Requirement) -> BoxFuture<'static, Judgement> {
        let porter = self.clone();
        async move {
            porter.weigh(asker, &required).await.unwrap_or_else(|failure| {
                tracing::warn!(%failure, "it can't be told who may pass to an endpoint");
                Judgement::Unavailable
            })
        }
        .boxed()
    }

    fn login_url(&self, target: &str, scopes: &[String]) -> String {
        let scope = scopes.join(" ");
        let callback = format!("{}{target}", self.external_url);
        let url = LoginUrl {
            scope: (!scope.is_empty()).then_some(scope.as_str()),
            callback_url: Some(&callback),
            ..LoginUrl::default()
        };
        url.text(&self.page)
    }

    fn origins(&self) -> &[String] {
        &self.origins
    }
}

/// How a user stands with what is required.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Satisfied,
    /// Not yet: something is to be authenticated.
    ToCome,
    /// The user does not have a scope, or there is none of that name.
    OutOfReach,
}

fn standing(states: &[ScopeState], required: &[String]) -> Standing {
    let is_within_reach =
        |name: &String| states.iter().any(|state| state.name == *name && state.is_available);
    if required.is_empty() || are_satisfied(states, required) {
        Standing::Satisfied
    } else if required.iter().all(is_within_reach) {
        Standing::ToCome
    } else {
        Standing::OutOfReach
    }
}
