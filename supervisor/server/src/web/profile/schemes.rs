//! Setting up, and taking back, a further way to log in.

use minijinja::context;
use outboard_core::identity::scheme::Availability;
use serde_json::Value;

use super::Outcome;
use crate::identity::Failure;
use crate::identity::schemes::{At, Scheme};
use crate::identity::scopes::SignedInUser;
use crate::web::answer::Answer;
use crate::web::ask::{Ask, WAITING};
use crate::web::form::Form;
use crate::web::reply::Page;
use crate::web::scheme_page::{SchemeForm, SchemePage};
use crate::web::visit::Visit;
use crate::web::{PROFILE, Site, message, show as words};

/// What a page about a scheme shows.
struct Shown {
    page: SchemePage,
    is_registered: bool,
    error: String,
}

pub(super) async fn show(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    name: &str,
) -> Result<Answer, Failure> {
    let (scheme, availability) = own(site, visit, me, name).await?;
    let is_registered = availability == Availability::Registered;
    let answer = match registration(site, visit, me, &scheme).await {
        Ok(answer) => answer,
        // Some schemes say that there is nothing, some that there is nothing to be seen.
        Err(Failure::NotFound | Failure::Unauthorized) => None,
        Err(failure) => return Err(failure),
    };
    let page = SchemePage::of(answer.as_ref()).unwrap_or_else(|| first(&scheme, is_registered));
    let shown = Shown { page, is_registered, error: String::new() };
    Ok(form(site, visit, &scheme, shown).into())
}

/// What is offered where the scheme says nothing of a page.
fn first(scheme: &Scheme, is_registered: bool) -> SchemePage {
    let can = !is_registered && scheme.settings.allow_user_register;
    let forms = can.then(SchemeForm::set_up).into_iter().collect();
    SchemePage { forms, ..SchemePage::default() }
}

async fn registration(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    scheme: &Scheme,
) -> Result<Option<Value>, Failure> {
    let at = At { session: Some(&me.session), origin: &visit.origin };
    site.identity.schemes().registration(&scheme.name, &me.user, at).await
}

/// One that this user may see.
async fn own(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    name: &str,
) -> Result<(Scheme, Availability), Failure> {
    let at = At { session: Some(&me.session), origin: &visit.origin };
    let mut schemes = site.identity.schemes().of_user(&me.user, at).await?.into_iter();
    let found =
        schemes.find(|(scheme, _)| scheme.name == name && !scheme.settings.forbid_user_profile);
    found.ok_or(Failure::NotFound)
}

fn form(site: &Site, visit: &Visit, scheme: &Scheme, shown: Shown) -> Page {
    let Shown { page, is_registered, error } = shown;
    let lead = Some(page.text.clone()).filter(|text| !text.is_empty());
    let has_script = page.has_script();
    let can_register = scheme.settings.allow_user_register;
    let closed = "It can only be set up by those who run this service.";
    let waiting = visit.ask.only(&[WAITING]);
    let back_url = waiting.url(&site.path(PROFILE));
    let ask = waiting.with("scheme", &scheme.name);
    // Where there is no field, an error stands on top.
    let has_field = page.forms.first().is_some_and(|form| !form.fields.is_empty());
    let errors: Vec<_> =
        Some(&error).filter(|error| !error.is_empty() && !has_field).into_iter().collect();
    Page::new(
        "register.html",
        context! {
            title => scheme.display_name,
            lead => lead.unwrap_or_else(|| words::scheme(&scheme.module).1.to_owned()),
            closed => (!can_register && !is_registered).then_some(closed),
            action => ask.url(&site.path(PROFILE)),
            csrf => visit.token(),
            scheme => scheme.name,
            back_url, is_registered, page, error, errors, can_register,
        },
    )
    .with_script(has_script)
}

pub(super) async fn register(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    form: &Form,
) -> Result<Outcome, Failure> {
    let (scheme, before) = own(site, visit, me, form.get("scheme")).await?;
    if !scheme.settings.allow_user_register {
        return Err(Failure::Unauthorized);
    }
    let at = At { session: Some(&me.session), origin: &visit.origin };
    let schemes = site.identity.schemes();
    let is_registered = before == Availability::Registered;
    let told = schemes.register(&scheme.name, &me.user, at, &form.for_scheme()).await;
    let (error, status) = match told {
        Ok(answer) => {
            let page = SchemePage::of(answer.as_ref()).filter(|page| !page.forms.is_empty());
            let Some(page) = page else { return Ok(done(site, visit)) };
            // There is more to be done.
            let shown = Shown { page, is_registered, error: String::new() };
            return Ok(Outcome::Answer(self::form(site, visit, &scheme, shown).into()));
        }
        Err(Failure::Unauthorized) => ("This is wrong, or was used before.".to_owned(), 403),
        Err(Failure::Invalid(errors)) => (words::sentences(&errors), 400),
        Err(failure @ Failure::Limited { .. }) => (message::limited(&failure), 429),
        Err(failure) => return Err(failure),
    };
    // What was begun may be shown again by the scheme; a field that was wrong is asked for once more in any case.
    let page = registration(site, visit, me, &scheme).await.ok().flatten();
    let page = SchemePage::of(page.as_ref()).unwrap_or_else(|| once_more(form));
    let shown = Shown { page, is_registered, error };
    Ok(Outcome::Answer(self::form(site, visit, &scheme, shown).status(status).into()))
}

/// A log-in that waited for this goes on.
fn done(site: &Site, visit: &Visit) -> Outcome {
    let Some(waiting) = visit.ask.get(WAITING) else { return Outcome::Done("registered") };
    let url = Ask::of(waiting).url(&site.path(&site.login));
    Outcome::Answer(message::set_up(&url).into())
}

/// The form that was sent, if it asked for a code; else the one that begins.
fn once_more(form: &Form) -> SchemePage {
    let has_code = form.has("field.code");
    let mut once_more = if has_code { SchemeForm::code() } else { SchemeForm::set_up() };
    if has_code {
        form.get("data").clone_into(&mut once_more.data);
    }
    SchemePage { forms: vec![once_more], ..SchemePage::default() }
}

pub(super) async fn deregister(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    form: &Form,
) -> Result<Outcome, Failure> {
    let (scheme, _) = own(site, visit, me, form.get("scheme")).await?;
    if !scheme.settings.allow_user_register {
        return Err(Failure::Unauthorized);
    }
    let at = At { session: Some(&me.session), origin: &visit.origin };
    site.identity.schemes().deregister(&scheme.name, &me.user, at).await?;
    Ok(Outcome::Done("removed"))
}
