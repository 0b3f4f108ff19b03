//! Pages for people: log in, give consent, look after one's own account, log out. Plain HTML that needs no scripts.
//!
//! What they do is decided by `identity`; here it is asked and shown. Where a page may send a browser is decided by
//! `core::identity::return_url`, and by nothing else.

mod answer;
mod ask;
mod form;
mod login;
mod logout;
mod look;
mod message;
mod profile;
mod reply;
mod scheme_page;
mod show;
mod step;
mod theme;
mod visit;
mod way;

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use outboard_core::config;
use url::Url;

use self::answer::Answer;
use self::look::Look;
use self::theme::Theme;
use self::visit::Visit;
use crate::api::cookie::SessionCookie;
use crate::identity::{Failure, Identity};
use crate::plugin::snapshot::Routes;

const PROFILE: &str = "profile.html";
const LOGOUT: &str = "logout.html";

/// What the pages need of the rest.
pub struct Parts<'a> {
    pub identity: Identity,
    pub routes: Arc<Routes>,
    pub config: &'a config::Identity,
    pub external_url: &'a str,
    /// The gateway's, without slashes.
    pub prefix: &'a str,
}

/// Everything that answers a browser. Clones are the same.
#[derive(Clone)]
pub struct Web(Arc<Site>);

/// What pages are made of.
struct Site {
    identity: Identity,
    routes: Arc<Routes>,
    look: Look,
    cookie: SessionCookie,
    external: Url,
    prefix: String,
    /// The log-in page's path below the external URL.
    login: String,
    profile_scope: String,
    least_password: u32,
    delete_profile: config::DeleteProfile,
}

impl Web {
    /// # Errors
    /// If the theme, or the external URL, is none.
    pub fn open(parts: Parts<'_>) -> anyhow::Result<Self> {
        let Parts { identity, routes, config, external_url, prefix } = parts;
        let external = Url::parse(external_url).context("external_url")?;
        let base = format!("{}/", external.path().trim_end_matches('/'));
        let look = Look {
            theme: Theme::read(config.theme.dir.as_deref())?,
            title: config.theme.title.clone(),
            base,
        };
        Ok(Self(Arc::new(Site {
            identity,
            routes,
            look,
            cookie: SessionCookie::of(&config.session, external_url),
            external,
            prefix: prefix.to_owned(),
            login: config.login.url.trim_matches('/').to_owned(),
            profile_scope: config.login.profile_scope.clone(),
            least_password: config.password.least,
            delete_profile: config.login.delete_profile,
        })))
    }

    pub fn router(self) -> Router {
        let login = format!("/{}", self.0.login);
        Router::new()
            .route(&login, get(login_get).post(login_post))
            .route(&format!("/{PROFILE}"), get(profile_get).post(profile_post))
            .route(&format!("/{LOGOUT}"), get(logout_get).post(logout_post))
            .route("/assets/{name}", get(asset))
            .with_state(self)
    }
}

impl Site {
    /// The path of a page, for whoever is on one of ours.
    fn path(&self, page: &str) -> String {
        format!("{}{page}", self.look.base)
    }

    /// The same for whoever is elsewhere.
    fn url(&self, page: &str) -> String {
        format!("{}/{page}", self.external.as_str().trim_end_matches('/'))
    }

    fn password_hint(&self) -> String {
        format!("At least {} characters.", self.least_password)
    }

    fn answer(&self, visit: &Visit, answer: Result<Answer, Failure>) -> Response {
        let answer = answer.unwrap_or_else(|failure| message::failure(self, &failure));
        let response = answer.write(&self.look);
        reply::with_cookie(response, visit.cookie_to_set(self))
    }
}

/// Reads what a form says, if it may say anything here.
async fn form(site: &Site, visit: &Visit, request: Request) -> Result<form::Form, Answer> {
    let (parts, body) = request.into_parts();
    if !visit.may_act(site, &parts) {
        return Err(message::foreign(site));
    }
    let form = form::Form::read(&parts.headers, body).await;
    let form = form.map_err(|unreadable| message::unreadable(site, unreadable))?;
    if visit.knows(form.get("csrf")) { Ok(form) } else { Err(message::stale(site, visit)) }
}

async fn login_get(State(Web(site)): State<Web>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let visit = Visit::of(&site, &parts);
    let answer = login::show(&site, &visit).await;
    site.answer(&visit, answer)
}

async fn login_post(State(Web(site)): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let visit = Visit::of(&site, &parts);
    let answer = match form(&site, &visit, Request::from_parts(parts, body)).await {
        Ok(form) => login::act(&site, &visit, &form).await,
        Err(answer) => Ok(answer),
    };
    site.answer(&visit, answer)
}

async fn profile_get(State(Web(site)): State<Web>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let visit = Visit::of(&site, &parts);
    let answer = profile::show(&site, &visit).await;
    site.answer(&visit, answer)
}

async fn profile_post(State(Web(site)): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let visit = Visit::of(&site, &parts);
    let answer = match form(&site, &visit, Request::from_parts(parts, body)).await {
        Ok(form) => profile::act(&site, &visit, &form).await,
        Err(answer) => Ok(answer),
    };
    site.answer(&visit, answer)
}

async fn logout_get(State(Web(site)): State<Web>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let visit = Visit::of(&site, &parts);
    let answer = logout::show(&site, &visit).await;
    site.answer(&visit, answer)
}

async fn logout_post(State(Web(site)): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let visit = Visit::of(&site, &parts);
    let answer = match form(&site, &visit, Request::from_parts(parts, body)).await {
        Ok(form) => logout::act(&site, &visit, &form).await,
        Err(answer) => Ok(answer),
    };
    site.answer(&visit, answer)
}

async fn asset(
    State(Web(site)): State<Web>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let asset = site.look.theme.asset(&name).ok_or(StatusCode::NOT_FOUND)?;
    let asked = query.as_deref().and_then(|query| query.strip_prefix("v="));
    Ok(reply::file(asset, site.look.theme.version(), asked, &headers))
}
