//! One's own account: the password, further ways to log in, where one is logged in, what applications may, and the end of
//! it. Only for those who satisfy the scope of profiles.

mod account;
mod page;
mod schemes;

use outboard_core::identity::evaluate::are_satisfied;

use super::answer::Answer;
use super::ask::Ask;
use super::form::Form;
use super::visit::Visit;
use super::{PROFILE, Site};
use crate::identity::Failure;
use crate::identity::scopes::{Checked, SignedInUser};

/// The key of a URL that says what was done, and its words.
const DONE: &str = "done";

/// What a form has come to.
enum Outcome {
    /// Shown by the page that is fetched next.
    Done(&'static str),
    /// A field of the form is wrong, and why.
    Wrong(&'static str, String),
    Answer(Answer),
}

pub(super) async fn show(site: &Site, visit: &Visit) -> Result<Answer, Failure> {
    let me = match me(site, visit).await? {
        Ok(me) => me,
        Err(answer) => return Ok(answer),
    };
    match visit.ask.get("scheme") {
        Some(scheme) => schemes::show(site, visit, &me, scheme).await,
        None => Ok(page::whole(site, visit, &me, None).await?.into()),
    }
}

pub(super) async fn act(site: &Site, visit: &Visit, form: &Form) -> Result<Answer, Failure> {
    let me = match me(site, visit).await? {
        Ok(me) => me,
        Err(answer) => return Ok(answer),
    };
    let outcome = match form.get("do") {
        "password" => account::password(site, visit, &me, form).await?,
        "end-session" => account::end_session(site, &me, form).await?,
        "end-others" => account::end_others(site, &me).await?,
        "revoke" => account::revoke(site, &me, form).await?,
        "delete" => account::delete(site, visit, &me, form).await?,
        "register" => schemes::register(site, visit, &me, form).await?,
        "deregister" => schemes::deregister(site, visit, &me, form).await?,
        _ => Outcome::Answer(Answer::see(site.path(PROFILE))),
    };
    Ok(match outcome {
        Outcome::Done(what) => {
            let ask = Ask::default().with(DONE, what);
            Answer::see(ask.url(&site.path(PROFILE)))
        }
        Outcome::Wrong(field, why) => {
            page::whole(site, visit, &me, Some((field, why))).await?.status(400).into()
        }
        Outcome::Answer(answer) => answer,
    })
}

/// Who is here, or the way to the log-in page.
async fn me(site: &Site, visit: &Visit) -> Result<Result<SignedInUser, Answer>, Failure> {
    let scope = std::slice::from_ref(&site.profile_scope);
    let cookie = visit.cookie.as_deref();
    let checked = site.identity.scopes().check(cookie, scope, &visit.origin).await?;
    if let Checked::User(me) = checked
        && are_satisfied(&me.states, scope)
    {
        return Ok(Ok(*me));
    }
    let back = visit.ask.without(&[DONE]).url(&site.url(PROFILE));
    let ask = Ask::default().with("scope", &site.profile_scope).with("callback_url", &back);
    Ok(Err(Answer::see(ask.url(&site.path(&site.login)))))
}

/// What was done, for people.
fn done(what: &str) -> Option<&'static str> {
    Some(match what {
        "password" => "Your password was changed.",
        "session" => "You are logged out there.",
        "others" => "You are logged out everywhere else.",
        "revoked" => "The application has no access any longer.",
        "registered" => "It is set up.",
        "removed" => "It was removed.",
        _ => return None,
    })
}
