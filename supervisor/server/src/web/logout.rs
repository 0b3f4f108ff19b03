//! The log-out page: asks first, because a link on anybody's page leads here.

use minijinja::context;
use outboard_core::identity::user::{User, UserId};

use super::answer::Answer;
use super::form::Form;
use super::message::{self, Link};
use super::reply::Page;
use super::show::Person;
use super::visit::Visit;
use super::way::Way;
use super::{LOGOUT, PROFILE, Site};
use crate::identity::Failure;
use crate::identity::sessions::Session;

pub(super) async fn show(site: &Site, visit: &Visit) -> Result<Answer, Failure> {
    let way = match Way::out_of(site, &visit.ask).await {
        Ok(way) => way,
        Err(blocked) => return blocked.answer(),
    };
    let sessions = site.identity.sessions();
    let session = sessions.find(visit.cookie.as_deref().unwrap_or_default()).await?;
    let Some(session) = session else { return Ok(over(site, visit, &way, false)) };
    let people = people(site, &session).await?;
    let current = people.iter().find(|person| person.is_current);
    let back = visit.ask.callback_url().is_none() && visit.ask.get("post_redirect_to").is_none();
    let page = Page::new(
        "logout.html",
        context! {
            title => "Log out",
            lead => "You are logged in as:",
            action => visit.ask.url(&site.path(LOGOUT)),
            csrf => visit.token(),
            current => current.map(|person| &person.shown),
            back_url => back.then(|| site.path(PROFILE)),
            users => people,
        },
    );
    Ok(page.into())
}

pub(super) async fn act(site: &Site, visit: &Visit, form: &Form) -> Result<Answer, Failure> {
    let way = match Way::out_of(site, &visit.ask).await {
        Ok(way) => way,
        Err(blocked) => return blocked.answer(),
    };
    let sessions = site.identity.sessions();
    let cookie = visit.cookie.as_deref().unwrap_or_default();
    let Some(session) = sessions.find(cookie).await? else {
        return Ok(over(site, visit, &way, true).signed_out(site));
    };
    let current = session.current().map(|user| user.username.clone());
    let whom = if form.get("whom") == "current" { current.as_deref() } else { None };
    let is_over = sessions.sign_out(cookie, whom).await?;
    let answer = over(site, visit, &way, true);
    Ok(if is_over { answer.signed_out(site) } else { answer })
}

async fn people(site: &Site, session: &Session) -> Result<Vec<Person>, Failure> {
    let mut people = Vec::new();
    for it in session.users() {
        let id = UserId::stored(it.account.clone());
        let name = match site.identity.people().get_by_id(&id).await {
            Ok(User { name, .. }) => name,
            // Also somebody who is gone can log out.
            Err(Failure::NotFound | Failure::Unavailable(_)) => None,
            Err(failure) => return Err(failure),
        };
        people.push(Person::new(&it.username, name.as_deref(), it.is_current));
    }
    Ok(people)
}

/// `has_acted`: a form was sent, behind which no browser is redirected to elsewhere.
fn over(site: &Site, visit: &Visit, way: &Way, has_acted: bool) -> Answer {
    if way.to.is_some() {
        let (url, to) = way.end(site);
        return if has_acted { message::going_on(&url, &to).into() } else { Answer::see(url) };
    }
    let ask = visit.ask.without(&["prompt", "callback_url", "post_redirect_to"]);
    let links = [Link { url: ask.url(&site.path(&site.login)), text: "Log in again" }];
    message::good("You are logged out", "You can close this window.", &links).into()
}
