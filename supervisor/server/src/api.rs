//! The host's HTTP API: Glewlwyd's, so that what speaks to Glewlwyd speaks to this.
//!
//! Users, clients, scopes, sessions, schemes and instances, below the gateway's prefix. What is decided about people is
//! decided in [`crate::identity`], and what becomes of instances in [`crate::app`]; here it is read, allowed and shown.
//! `docs/http-api.md` has every path.

mod about;
mod auth;
mod body;
mod caller;
mod clients;
pub mod cookie;
mod delegate;
mod guard;
mod keys;
mod modules;
mod own;
mod profile;
mod reply;
mod schemes;
mod scopes;
mod users;

use std::sync::Arc;

use axum::{Router, middleware};
use http::HeaderValue;
use outboard_core::config::{Config, DeleteProfile};
use outboard_core::route::origin;

use self::cookie::SessionCookie;
pub(crate) use self::modules::wanted::{Sent, read as read_instance};
use self::reply::Refused;
use crate::app::Live;
use crate::identity::Identity;

/// What its handlers work with. Clones are the same.
#[derive(Clone)]
pub struct Parts {
    pub identity: Identity,
    pub live: Live,
    pub settings: Arc<Settings>,
}

/// What the operator says of it. Only changes with a new start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the gateway.
    pub prefix: String,
    pub admin_scope: String,
    pub profile_scope: String,
    pub delete_profile: DeleteProfile,
    pub cookie: SessionCookie,
    /// Whose pages may act by cookie: the host's own origin, and those that are listed.
    origins: Vec<String>,
    /// Whose pages of another origin may read answers.
    cors: Vec<String>,
}

/// What is served in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    All,
    /// All but what only administrators may.
    Public,
}

impl Settings {
    /// `external_url` is where clients reach the gateway.
    pub fn of(config: &Config, external_url: &str) -> Self {
        let identity = &config.identity;
        let own = origin::of(external_url).map(str::to_owned);
        Self {
            prefix: config.gateway.prefix.clone(),
            admin_scope: identity.login.admin_scope.clone(),
            profile_scope: identity.login.profile_scope.clone(),
            delete_profile: identity.login.delete_profile,
            cookie: SessionCookie::of(&identity.session, external_url),
            origins: own.into_iter().chain(identity.cors.iter().cloned()).collect(),
            cors: identity.cors.clone(),
        }
    }

    /// What is said to whoever must choose another password, and asks for something else.
    fn password_first(&self) -> Refused {
        Refused::Forbidden(format!(
            "the password must be changed first; choose another one by PUT /{}/profile/password, or on the log-in page",
            self.prefix
        ))
    }

    fn lists(&self, origin: &HeaderValue) -> bool {
        self.cors.iter().any(|listed| origin.as_bytes().eq_ignore_ascii_case(listed.as_bytes()))
    }
}

/// Everything below the gateway's prefix, without the prefix.
pub fn router(parts: Parts, part: Part) -> Router {
    let public =
        Router::new().merge(about::routes()).merge(auth::routes()).merge(profile::routes());
    let routes = match part {
        Part::Public => public,
        Part::All => public
            .merge(delegate::routes())
            .merge(users::routes())
            .merge(clients::routes())
            .merge(scopes::routes())
            .merge(keys::routes())
            .merge(modules::routes()),
    };
    with_guard(routes, parts)
}

/// What stands beside the prefix.
pub fn beside(parts: Parts) -> Router {
    with_guard(about::routes(), parts)
}

fn with_guard(routes: Router<Parts>, parts: Parts) -> Router {
    routes.layer(middleware::from_fn_with_state(parts.clone(), guard::guard)).with_state(parts)
}
