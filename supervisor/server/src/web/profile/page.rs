//! The profile as a page.

use std::collections::BTreeMap;

use minijinja::context;
use outboard_core::config::DeleteProfile;
use outboard_core::identity::scheme::Availability;
use serde::Serialize;

use super::{DONE, done};
use crate::identity::Failure;
use crate::identity::schemes::At;
use crate::identity::scopes::SignedInUser;
use crate::web::ask::WAITING;
use crate::web::reply::Page;
use crate::web::show::{self, Moment, Person};
use crate::web::visit::Visit;
use crate::web::{LOGOUT, PROFILE, Site};

#[derive(Serialize)]
struct Account<'a> {
    username: &'a str,
    shown: String,
    name: Option<&'a str>,
    email: Option<&'a str>,
    last_login: Option<Moment>,
}

#[derive(Serialize)]
struct Scheme {
    display_name: String,
    what: &'static str,
    is_registered: bool,
    url: String,
}

#[derive(Serialize)]
struct Session {
    id: String,
    browser: String,
    address: String,
    seen: Option<Moment>,
    is_this: bool,
}

#[derive(Serialize)]
struct Application {
    client_id: String,
    name: String,
    scopes: Vec<String>,
}

/// `wrong`: the field of a form, and what is wrong with it.
pub(super) async fn whole(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    wrong: Option<(&str, String)>,
) -> Result<Page, Failure> {
    let user = &me.user;
    let person = Person::new(user.username.shown(), user.name.as_deref(), true);
    let account = Account {
        username: user.username.shown(),
        shown: person.shown,
        name: user.name.as_deref(),
        email: user.email.as_deref(),
        last_login: user.last_login_ms.and_then(Moment::of_ms),
    };
    let said = visit.ask.get(DONE).and_then(done).filter(|_| wrong.is_none());
    Ok(Page::new(
        "profile.html",
        context! {
            title => "Your profile",
            user => account,
            action => site.path(PROFILE),
            logout_url => site.path(LOGOUT),
            csrf => visit.token(),
            done => said,
            wrong => wrong.into_iter().collect::<BTreeMap<_, _>>(),
            password_hint => site.password_hint(),
            schemes => schemes(site, visit, me).await?,
            sessions => sessions(site, me).await?,
            applications => applications(site, me).await?,
            can_delete => site.delete_profile != DeleteProfile::No,
            delete_text => match site.delete_profile {
                DeleteProfile::Disable => "You are logged out, and nobody can log in to your account any longer.",
                _ => "Your account and all that belongs to it are deleted. This can't be undone.",
            },
        },
    ))
}

async fn schemes(site: &Site, visit: &Visit, me: &SignedInUser) -> Result<Vec<Scheme>, Failure> {
    let at = At { session: Some(&me.session), origin: &visit.origin };
    let schemes = site.identity.schemes().of_user(&me.user, at).await?.into_iter();
    let shown = schemes.filter(|(scheme, _)| !scheme.settings.forbid_user_profile);
    let shown = shown.map(|(scheme, availability)| Scheme {
        url: visit.ask.only(&[WAITING]).with("scheme", &scheme.name).url(&site.path(PROFILE)),
        what: show::scheme(&scheme.module).1,
        display_name: scheme.display_name,
        is_registered: availability == Availability::Registered,
    });
    Ok(shown.collect())
}

async fn sessions(site: &Site, me: &SignedInUser) -> Result<Vec<Session>, Failure> {
    let sessions = site.identity.sessions().list_of(&me.user.id).await?;
    let shown = sessions.iter().map(|it| Session {
        is_this: it.hash() == me.session.hash(),
        browser: show::browser(it.user_agent()),
        seen: Moment::of_ms(it.last_seen_ms()),
        address: it.issued_for().to_owned(),
        id: it.hash().to_owned(),
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort_by_key(|it| !it.is_this);
    Ok(shown)
}

async fn applications(site: &Site, me: &SignedInUser) -> Result<Vec<Application>, Failure> {
    let mut applications = Vec::new();
    for it in site.identity.consents().list(&me.user).await? {
        let name = match site.identity.clients().get(&it.client_id).await {
            Ok(client) => client.name.filter(|name| !name.trim().is_empty()),
            Err(_) => None,
        };
        let names: Vec<_> = it.scopes.into_keys().collect();
        let known = site.identity.scopes().get_many(&names).await?;
        let shown = names.into_iter().map(|name| {
            let scope = known.iter().find(|scope| scope.name == name);
            scope.map(|it| it.display_name.clone()).filter(|it| !it.is_empty()).unwrap_or(name)
        });
        applications.push(Application {
            name: name.unwrap_or_else(|| it.client_id.clone()),
            scopes: shown.collect(),
            client_id: it.client_id,
        });
    }
    Ok(applications)
}
