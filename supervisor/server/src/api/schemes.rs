//! What the paths that are about schemes have in common: which scheme, of whom, and in which session.

use outboard_core::identity::user::User;
use serde_json::{Map, Value};

use super::Parts;
use super::body::text;
use super::reply::Refused;
use crate::identity::schemes::{At, Scheme};
use crate::identity::sessions::Session;
use crate::identity::{Failure, Origin};

/// The scheme that a body names, and for whom.
pub(super) struct Named<'a> {
    pub(super) username: Option<&'a str>,
    /// The instance.
    pub(super) scheme: &'a str,
    /// What it is made of.
    module: &'a str,
    value: Option<&'a Value>,
}

/// The session in which a user is asked, if there is one.
pub(super) struct InSession(Option<Session>);

impl<'a> Named<'a> {
    pub(super) fn of(body: &'a Map<String, Value>) -> Result<Self, Refused> {
        let username = match body.get("username") {
            None | Some(Value::Null) => None,
            Some(_) => Some(text(body, "username")?),
        };
        Ok(Self {
            username,
            scheme: text(body, "scheme_name")?,
            module: text(body, "scheme_type")?,
            value: body.get("value"),
        })
    }

    /// The scheme, which must be of the module that it is said to be of.
    pub(super) async fn check(&self, parts: &Parts) -> Result<Scheme, Refused> {
        let scheme = parts.identity.schemes().get(self.scheme).await?;
        if scheme.module == self.module { Ok(scheme) } else { Err(Refused::NotFound) }
    }

    /// What the scheme is sent.
    pub(super) fn value(&self) -> Result<&'a Value, Refused> {
        let value = self.value.filter(|value| value.is_object());
        value.ok_or_else(|| Refused::invalid("value: must be an object"))
    }
}

impl InSession {
    /// Of somebody who acts for the user.
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn of(session: Session) -> Self {
        Self(Some(session))
    }

    pub(super) fn at<'a>(&'a self, origin: &'a Origin) -> At<'a> {
        At { session: self.0.as_ref(), origin }
    }
}

/// The session of a cookie, as far as the user is in it.
pub(super) async fn at(
    parts: &Parts,
    cookie: Option<&str>,
    user: &User,
) -> Result<InSession, Refused> {
    let session = match cookie {
        Some(cookie) => parts.identity.sessions().find(cookie).await?,
        None => None,
    };
    Ok(InSession(session.filter(|session| session.has(&user.id))))
}

/// A user that somebody names who may not learn who exists.
pub(super) async fn user_named(parts: &Parts, username: &str) -> Result<User, Refused> {
    match parts.identity.people().get(username).await {
        Ok(user) => Ok(user),
        Err(Failure::NotFound | Failure::Invalid(_)) => Err(Refused::Unauthorized),
        Err(failure) => Err(failure.into()),
    }
}
