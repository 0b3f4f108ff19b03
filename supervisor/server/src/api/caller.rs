//! Who asks: a session's user, or whoever has an API key; and whether that is enough.

use axum::extract::FromRequestParts;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts as Head;

use super::Parts;
use super::reply::Refused;
use crate::gateway::own::Client;
use crate::identity::Origin;
use crate::identity::scopes::{Checked, SignedInUser};
use outboard_core::identity::evaluate::are_satisfied;

/// Whoever asks, known or not.
pub(super) struct Asking {
    /// The session cookie that came along.
    pub(super) cookie: Option<String>,
    pub(super) origin: Origin,
}

/// A session whose user has the admin scope, or a key that has it.
pub(super) struct Admin {
    pub(super) asking: Asking,
}

/// The same, by a session.
pub(super) struct AdminSession {
    pub(super) asking: Asking,
    pub(super) user: SignedInUser,
}

/// A session that has a current user, even one who must choose another password first.
pub(super) struct Known {
    pub(super) user: SignedInUser,
}

/// A session that has a current user.
pub(super) struct Visitor {
    pub(super) user: SignedInUser,
}

/// A session whose user may choose a password: one who must, or who has the profile scope.
pub(super) struct Chooser {
    pub(super) asking: Asking,
    pub(super) user: SignedInUser,
}

/// A session whose user has the profile scope.
pub(super) struct Owner {
    pub(super) asking: Asking,
    pub(super) user: SignedInUser,
}

impl Asking {
    fn of(head: &Head, parts: &Parts) -> Self {
        let cookie = parts.settings.cookie.read(&head.headers).map(str::to_owned);
        let user_agent = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let address = head.extensions.get::<Client>().map(|client| client.address.clone());
        let origin = Origin {
            address: address.unwrap_or_default(),
            user_agent: user_agent.unwrap_or_default().chars().take(LONGEST_AGENT).collect(),
        };
        Self { cookie, origin }
    }

    /// The session's user, if `scopes` are satisfied, and no other password is to be chosen first.
    pub(super) async fn user(
        &self,
        parts: &Parts,
        scopes: &[String],
    ) -> Result<SignedInUser, Refused> {
        let user = self.known(parts, scopes).await?;
        if user.user.must_change_password() {
            return Err(parts.settings.password_first());
        }
        satisfying(user, scopes)
    }

    /// The session's user, whatever is satisfied.
    async fn known(&self, parts: &Parts, scopes: &[String]) -> Result<SignedInUser, Refused> {
        let checked = parts.identity.scopes().check(self.cookie.as_deref(), scopes, &self.origin);
        match checked.await? {
            Checked::User(user) => Ok(*user),
            Checked::NoCookie | Checked::NoSession => Err(Refused::Unauthorized),
        }
    }
}

fn satisfying(user: SignedInUser, scopes: &[String]) -> Result<SignedInUser, Refused> {
    let is_enough = scopes.is_empty() || are_satisfied(&user.states, scopes);
    is_enough.then_some(user).ok_or(Refused::Unauthorized)
}

/// Of what a client says that it is.
const LONGEST_AGENT: usize = 256;

impl FromRequestParts<Parts> for Asking {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(head: &mut Head, parts: &Parts) -> Result<Self, Self::Rejection> {
        Ok(Self::of(head, parts))
    }
}

impl FromRequestParts<Parts> for Admin {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Head, parts: &Parts) -> Result<Self, Refused> {
        let asking = Asking::of(head, parts);
        let scope = parts.settings.admin_scope.clone();
        let Some(authorization) = head.headers.get(AUTHORIZATION) else {
            asking.user(parts, &[scope]).await?;
            return Ok(Self { asking });
        };
        let authorization = authorization.to_str().map_err(|_| Refused::Unauthorized)?;
        let key = parts.identity.keys().check(authorization).await?;
        let key = key.filter(|key| key.scopes.contains(&scope));
        key.map(|_| Self { asking }).ok_or(Refused::Unauthorized)
    }
}

impl FromRequestParts<Parts> for AdminSession {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Head, parts: &Parts) -> Result<Self, Refused> {
        let asking = Asking::of(head, parts);
        let user = asking.user(parts, std::slice::from_ref(&parts.settings.admin_scope)).await?;
        Ok(Self { asking, user })
    }
}

impl FromRequestParts<Parts> for Known {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Head, parts: &Parts) -> Result<Self, Refused> {
        let user = Asking::of(head, parts).known(parts, &[]).await?;
        Ok(Self { user })
    }
}

impl FromRequestParts<Parts> for Visitor {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Head, parts: &Parts) -> Result<Self, Refused> {
        let asking = Asking::of(head, parts);
        let user = asking.user(parts, &[]).await?;
        Ok(Self { user })
    }
}

impl FromRequestParts<Parts> for Chooser {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Head, parts: &Parts) -> Result<Self, Refused> {
        let asking = Asking::of(head, parts);
        let scope = std::slice::from_ref(&parts.settings.profile_scope);
        let user = asking.known(parts, scope).await?;
        let must = user.user.must_change_password();
        let user = if must { user } else { satisfying(user, scope)? };
        Ok(Self { asking, user })
    }
}

impl FromRequestParts<Parts> for Owner {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Head, parts: &Parts) -> Result<Self, Refused> {
        let asking = Asking::of(head, parts);
        let user = asking.user(parts, std::slice::from_ref(&parts.settings.profile_scope)).await?;
        Ok(Self { asking, user })
    }
}
