//! The steps of a log-in that a scheme takes: which one, what it wants to know, and whether that was it.

use std::collections::BTreeMap;

use minijinja::context;
use outboard_core::identity::evaluate::{SchemeState, ScopeState};
use outboard_core::identity::user::User;
use serde::Serialize;
use serde_json::{Value, json};

use super::pages::{action, around, person};
use super::{Done, Progress};
use crate::identity::Failure;
use crate::identity::schemes::{At, Scheme};
use crate::web::answer::Answer;
use crate::web::form::Form;
use crate::web::message;
use crate::web::reply::Page;
use crate::web::scheme_page::{SchemeForm, SchemePage};
use crate::web::visit::Visit;
use crate::web::{Site, show};

/// A scheme to choose.
#[derive(Serialize)]
struct Choice<'a> {
    name: &'a str,
    display_name: &'a str,
    what: &'static str,
    /// Where it asks for a code; the others are to begin something first.
    url: Option<String>,
}

/// What is shown of a scheme, and what became of the last try.
struct Shown<'a> {
    scheme: &'a str,
    display_name: &'a str,
    page: Option<SchemePage>,
    error: &'a str,
    /// Whether it can be begun again.
    again: bool,
}

/// What `otp` is called as a plugin. It needs no beginning, so it is asked at once.
const AT_ONCE: &str = "otp";
const IN_THE_APP: &str = "Enter the code that your app or your device shows.";

/// Asks for one of these, each of which would help.
pub(super) fn ask(site: &Site, visit: &Visit, user: &User, ready: &[&SchemeState]) -> Answer {
    let chosen = visit.ask.get("scheme");
    let chosen = ready.iter().find(|scheme| Some(scheme.name.as_str()) == chosen);
    let only = if let [only] = ready { Some(only) } else { None };
    match chosen.or(only) {
        Some(scheme) if scheme.module == AT_ONCE => {
            let (scheme, display_name) = (scheme.name.as_str(), scheme.display_name.as_str());
            let page = Some(SchemePage { text: IN_THE_APP.to_owned(), ..SchemePage::default() });
            let shown = Shown { scheme, display_name, page, error: "", again: false };
            form(site, visit, user, shown, ready.len() > 1).into()
        }
        _ => choose(site, visit, user, ready, &[]).into(),
    }
}

fn choose(
    site: &Site,
    visit: &Visit,
    user: &User,
    ready: &[&SchemeState],
    errors: &[String],
) -> Page {
    let login = site.path(&site.login);
    let schemes = ready.iter().map(|scheme| Choice {
        name: &scheme.name,
        display_name: &scheme.display_name,
        what: show::scheme(&scheme.module).0,
        url: (scheme.module == AT_ONCE).then(|| visit.ask.with("scheme", &scheme.name).url(&login)),
    });
    Page::new(
        "choose.html",
        context! {
            title => "One more step",
            lead => match ready {
                [_] => "Show that it is you, besides with your password.",
                _ => "Show that it is you in one of these ways, too.",
            },
            action => action(site, visit),
            csrf => visit.token(),
            user => person(user),
            this => around(site, visit),
            schemes => schemes.collect::<Vec<_>>(),
            errors,
        },
    )
}

fn form(site: &Site, visit: &Visit, user: &User, shown: Shown<'_>, has_others: bool) -> Page {
    let page = shown.page.unwrap_or_default();
    let form = page.forms.first().cloned().unwrap_or_else(SchemeForm::code);
    let lead = Some(page.text.as_str()).filter(|text| !text.is_empty());
    let hidden = BTreeMap::from([("scheme", shown.scheme), ("step", "scheme")]);
    let other = visit.ask.without(&["scheme"]).url(&site.path(&site.login));
    let has_script = page.has_script();
    Page::new(
        "scheme.html",
        context! {
            title => shown.display_name,
            lead => lead.unwrap_or("Enter the code that you got."),
            action => action(site, visit),
            csrf => visit.token(),
            user => person(user),
            this => around(site, visit),
            error => shown.error,
            again => shown.again.then_some(shown.scheme),
            choose_url => has_others.then_some(other),
            page, form, hidden,
        },
    )
    .with_script(has_script)
}

/// Begins an authentication: a code is sent, a challenge made.
pub(super) async fn trigger(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    form: &Form,
) -> Result<Answer, Failure> {
    let (user, scheme) = parties(site, progress, form).await?;
    match begin(site, visit, progress, user, &scheme).await {
        Ok(page) => {
            let shown = Shown {
                scheme: &scheme.name,
                display_name: &scheme.display_name,
                page,
                error: "",
                again: true,
            };
            Ok(self::form(site, visit, user, shown, true).into())
        }
        Err(failure) => refused(site, visit, progress, user, &failure).ok_or(failure),
    }
}

async fn begin(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    user: &User,
    scheme: &Scheme,
) -> Result<Option<SchemePage>, Failure> {
    let at = At { session: progress.session.as_ref(), origin: &visit.origin };
    let schemes = site.identity.schemes();
    let answer: Option<Value> = schemes.trigger(&scheme.name, user, at, &json!({})).await?;
    Ok(SchemePage::of(answer.as_ref()))
}

/// Who wants to prove something, and how.
async fn parties<'a>(
    site: &Site,
    progress: &'a Progress,
    form: &Form,
) -> Result<(&'a User, Scheme), Failure> {
    // A password that must be changed comes first.
    let user = progress.user.as_ref().filter(|user| !user.must_change_password());
    let user = user.ok_or(Failure::Unauthorized)?;
    let schemes = site.identity.schemes();
    let scheme = schemes.get(form.get("scheme")).await?;
    if !schemes.is_of_user(&scheme.name, user).await? {
        return Err(Failure::Unauthorized);
    }
    Ok((user, scheme))
}

pub(super) async fn authenticate(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    form: &Form,
) -> Result<Result<Done, Answer>, Failure> {
    let (user, scheme) = parties(site, progress, form).await?;
    let (cookie, value) = (visit.cookie.as_deref(), form.for_scheme());
    let schemes = site.identity.schemes();
    match schemes.authenticate(cookie, user, &scheme.name, &value, &visit.origin).await {
        Ok(signed_in) => {
            let ask = visit.ask.without(&["scheme"]);
            Ok(Ok(Done { ask, signed_in: Some(signed_in), is_consented: false }))
        }
        Err(failure) => wrong(site, visit, progress, user, &scheme, failure).await.map(Err),
    }
}

/// The form once more, with what was wrong. A challenge is good for one answer, so it is made anew; a code that was sent
/// may still be typed in.
async fn wrong(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    user: &User,
    scheme: &Scheme,
    failure: Failure,
) -> Result<Answer, Failure> {
    let (status, error) = match &failure {
        Failure::Unauthorized => (401, "This is wrong, or was used before.".to_owned()),
        Failure::Invalid(errors) => (400, show::sentences(errors)),
        _ => return refused(site, visit, progress, user, &failure).ok_or(failure),
    };
    let page = if scheme.module == "webauthn" {
        begin(site, visit, progress, user, scheme).await?
    } else {
        let is_app = scheme.module == AT_ONCE;
        is_app.then(|| SchemePage { text: IN_THE_APP.to_owned(), ..SchemePage::default() })
    };
    let shown = Shown {
        scheme: &scheme.name,
        display_name: &scheme.display_name,
        page,
        error: &error,
        again: scheme.module != AT_ONCE,
    };
    Ok(form(site, visit, user, shown, true).status(status).into())
}

/// What can be told on the page itself.
fn refused(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    user: &User,
    failure: &Failure,
) -> Option<Answer> {
    let (status, error, wait) = match failure {
        Failure::Limited { retry_after } => (429, message::limited(failure), Some(*retry_after)),
        Failure::Unavailable(_) => (
            503,
            "This way does not work at the moment. Please try again, or another one.".into(),
            None,
        ),
        Failure::Unauthorized | Failure::NotFound => {
            (403, "This way is not open to you.".to_owned(), None)
        }
        Failure::Invalid(errors) => (400, show::sentences(errors), None),
        Failure::ReadOnly(_) | Failure::Conflict(_) => return None,
    };
    let schemes = progress.states.iter().flat_map(ScopeState::schemes);
    let mut ready: Vec<_> = schemes.filter(|it| it.is_registered && !it.is_authenticated).collect();
    ready.sort_by(|a, b| a.name.cmp(&b.name));
    ready.dedup_by(|a, b| a.name == b.name);
    let page = choose(site, visit, user, &ready, &[error]);
    Some(page.status(status).retry_after(wait).into())
}
