//! What the steps of a log-in look like.

use minijinja::context;
use outboard_core::identity::evaluate::{SchemeState, ScopeState};
use outboard_core::identity::user::User;
use serde::Serialize;

use super::Progress;
use super::schemes;
use crate::identity::Failure;
use crate::plugin::snapshot::Absent;
use crate::web::answer::Answer;
use crate::web::ask::{Ask, Prompt, WAITING};
use crate::web::message::{self, Link};
use crate::web::reply::Page;
use crate::web::show::Person;
use crate::web::step::Step;
use crate::web::visit::Visit;
use crate::web::{PROFILE, Site};

/// Where a person on top of a form leads.
#[derive(Serialize)]
pub(super) struct Around {
    select_url: String,
}

/// A scope in the list of a consent.
#[derive(Serialize)]
struct Offered<'a> {
    name: &'a str,
    display_name: &'a str,
    description: &'a str,
    is_checked: bool,
}

pub(super) async fn step(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    step: Step<'_>,
) -> Result<Answer, Failure> {
    let Some(user) = &progress.user else {
        let name = visit.ask.get("login_hint").unwrap_or_default();
        return match step {
            Step::Select => select(site, visit, progress).await,
            _ => Ok(password(site, visit, progress, name, &[]).into()),
        };
    };
    Ok(match step {
        Step::Password { is_known: true } => {
            password(site, visit, progress, user.username.shown(), &[]).into()
        }
        Step::Password { is_known: false } => {
            let hint = visit.ask.get("login_hint").unwrap_or_default();
            password(site, visit, progress, hint, &[]).into()
        }
        Step::Select => return select(site, visit, progress).await,
        Step::NewPassword => new_password(site, visit, user, None).into(),
        Step::Nothing => nothing(site, visit, user).into(),
        Step::Scheme(ready) => schemes::ask(site, visit, user, &ready),
        Step::SetUp(schemes) => set_up(site, visit, &schemes).into(),
        Step::Consent(scopes) => consent(site, visit, progress, user, &scopes).into(),
        Step::Done => Answer::see(progress.way.end(site).0),
    })
}

pub(super) fn person(user: &User) -> Person {
    Person::new(user.username.shown(), user.name.as_deref(), true)
}

pub(super) fn around(site: &Site, visit: &Visit) -> Around {
    let ask = visit.ask.with_prompt("select_account");
    Around { select_url: ask.url(&site.path(&site.login)) }
}

/// Where a form is sent: the question goes on with it.
pub(super) fn action(site: &Site, visit: &Visit) -> String {
    visit.ask.url(&site.path(&site.login))
}

/// Behind a title; `alone`: where nobody in particular is waiting.
fn lead(progress: &Progress, alone: &str) -> String {
    let name = progress.way.name();
    name.map_or_else(|| alone.to_owned(), |name| format!("to go on to {name}"))
}

pub(super) fn password(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    username: &str,
    errors: &[String],
) -> Page {
    let current = progress.user.as_ref().map(|user| user.username.shown());
    let is_fixed = current == Some(username);
    let others = progress.session.as_ref().is_some_and(|it| it.users().next().is_some());
    let select_url = others.then(|| around(site, visit).select_url);
    Page::new(
        "login.html",
        context! {
            title => if is_fixed { "Confirm that it is you" } else { "Log in" },
            lead => lead(progress, "with your account"),
            action => action(site, visit),
            csrf => visit.token(),
            button => if is_fixed { "Continue" } else { "Log in" },
            username, is_fixed, errors, select_url,
        },
    )
}

async fn select(site: &Site, visit: &Visit, progress: &Progress) -> Result<Answer, Failure> {
    let users = progress.users(site).await?;
    let users =
        users.iter().map(|(user, is_current)| Person { is_current: *is_current, ..person(user) });
    let page = Page::new(
        "select.html",
        context! {
            title => "Choose an account",
            lead => lead(progress, "to go on with"),
            action => action(site, visit),
            csrf => visit.token(),
            users => users.collect::<Vec<_>>(),
            other_url => visit.ask.with_prompt("login").url(&site.path(&site.login)),
        },
    );
    Ok(page.into())
}

pub(super) fn new_password(
    site: &Site,
    visit: &Visit,
    user: &User,
    wrong: Option<(&str, String)>,
) -> Page {
    Page::new(
        "password.html",
        context! {
            title => "Choose a password",
            lead => "The one that you came with was for the first time only.",
            action => action(site, visit),
            csrf => visit.token(),
            user => person(user),
            this => around(site, visit),
            password_hint => site.password_hint(),
            wrong => wrong.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        },
    )
}

fn nothing(site: &Site, visit: &Visit, user: &User) -> Page {
    let links = [
        Link { url: around(site, visit).select_url, text: "Use another account" },
        Link { url: site.path(PROFILE), text: "Your profile" },
    ];
    let who = person(user).shown;
    let text =
        format!("You are logged in as {who}, and this account may not use what you asked for.");
    message::bad("Not for this account", &text, &links).status(403)
}

/// The log-in waits, and goes on when that is done.
fn set_up(site: &Site, visit: &Visit, schemes: &[&SchemeState]) -> Page {
    let names: Vec<_> = schemes.iter().map(|scheme| scheme.display_name.as_str()).collect();
    let text = match names.as_slice() {
        [] => "More is needed to show that it is you than your account has. Please ask those who run this service.".to_owned(),
        [name] => format!(
            "To go on, you need one more way to show that it is you: {name}. It is not set up yet."
        ),
        names => format!(
            "To go on, you need one more way to show that it is you: {}. None of these is set up yet.",
            names.join(" or ")
        ),
    };
    let profile = site.path(PROFILE);
    let waiting = Ask::default().with(WAITING, &visit.ask.query());
    let link = match schemes {
        [] => Link { url: profile, text: "Your profile" },
        [one] => Link { url: waiting.with("scheme", &one.name).url(&profile), text: "Set it up" },
        _ => Link { url: waiting.url(&profile), text: "Set one up" },
    };
    message::on("One more step is missing", &text, &[link]).status(403)
}

fn consent(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    user: &User,
    scopes: &[&ScopeState],
) -> Page {
    let client = progress.way.name().unwrap_or_default();
    let granted = progress.granted.as_deref().unwrap_or_default();
    // Who comes again sees what was chosen the last time; who comes first, what is asked for.
    let is_first = granted.is_empty();
    let offered = scopes.iter().map(|scope| Offered {
        name: &scope.name,
        display_name: Some(scope.display_name.as_str())
            .filter(|it| !it.is_empty())
            .unwrap_or(&scope.name),
        description: &scope.description,
        is_checked: is_first || granted.contains(&scope.name),
    });
    let place = progress.way.place();
    Page::new(
        "consent.html",
        context! {
            title => format!("Allow {client}?"),
            action => action(site, visit),
            csrf => visit.token(),
            user => person(user),
            this => around(site, visit),
            scopes => offered.collect::<Vec<_>>(),
            client, place,
        },
    )
}

/// The client is told so where it waits for an answer.
pub(super) fn nothing_granted(site: &Site, visit: &Visit, progress: &Progress) -> Page {
    if let Some((url, to)) = progress.way.denied() {
        return message::going_back(&url, &to);
    }
    let client = progress.way.name().unwrap_or_default();
    let links = [
        Link { url: action(site, visit), text: "Back" },
        Link { url: site.path(PROFILE), text: "Your profile" },
    ];
    let text = format!("{client} gets no access to your account. You can close this window.");
    message::good("Not allowed", &text, &links)
}

/// What a plugin for devices wants to be shown.
pub(super) fn device(site: &Site, ask: &Ask) -> Option<Page> {
    let failed = "Something went wrong on our side. Please try again later.";
    let (ciba, prompt) = (ask.get("ciba_message"), ask.prompt());
    Some(match (prompt, ciba) {
        (Some(Prompt::Device), _) => code(site, ask, None)?,
        (Some(Prompt::DeviceCodeError), _) => {
            code(site, ask, Some("There is no device that waits with this code."))?.status(400)
        }
        (Some(Prompt::DeviceComplete), _) => {
            let text = "You can go back to your device, and close this window.";
            message::good("Your device is connected", text, &[])
        }
        (Some(Prompt::DeviceServerError), _) | (None, Some("server_error")) => {
            message::bad("That did not work", failed, &[]).status(500)
        }
        (None, Some("complete")) => message::good("Done", "You can close this window.", &[]),
        (None, Some(_)) => {
            let text = "There is nothing to be confirmed here, or no longer.";
            message::bad("Nothing to confirm", text, &[])
        }
        _ => return None,
    })
}

/// Asks for the code of a device, for the instance that the URL names.
fn code(site: &Site, ask: &Ask, error: Option<&str>) -> Option<Page> {
    let instance = ask.get("plugin")?;
    if matches!(site.routes.enter(instance), Err(Absent::Unknown)) {
        return None;
    }
    let action = site.path(&format!("{}/{instance}/device", site.prefix));
    let errors: Vec<_> = error.into_iter().collect();
    Some(Page::new("device.html", context! { title => "Connect a device", action, errors }))
}
