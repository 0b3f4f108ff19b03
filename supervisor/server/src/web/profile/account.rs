//! Changes of one's own account.

use outboard_core::config::DeleteProfile;
use outboard_core::identity::user::UserDraft;

use super::Outcome;
use crate::identity::scopes::SignedInUser;
use crate::identity::{Failure, Forced};
use crate::web::answer::Answer;
use crate::web::form::Form;
use crate::web::show::sentences;
use crate::web::visit::Visit;
use crate::web::{Site, message};

pub(super) async fn password(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    form: &Form,
) -> Result<Outcome, Failure> {
    if let Some(wrong) = not_me(site, visit, me, form.get("old"), "old").await? {
        return Ok(wrong);
    }
    let (new, again) = (form.get("new"), form.get("again"));
    if new != again {
        return Ok(Outcome::Wrong("again", "The two are not the same.".to_owned()));
    }
    match site.identity.people().set_password(me.user.username.shown(), new).await {
        Ok(()) => Ok(Outcome::Done("password")),
        Err(Failure::Invalid(errors)) => Ok(Outcome::Wrong("new", sentences(&errors))),
        Err(Failure::ReadOnly(_)) => {
            let why = "Your account is kept elsewhere; its password can't be changed here.";
            Ok(Outcome::Wrong("new", why.to_owned()))
        }
        Err(failure) => Err(failure),
    }
}

/// Whoever sits at somebody's open browser does not know the password.
async fn not_me(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    password: &str,
    field: &'static str,
) -> Result<Option<Outcome>, Failure> {
    let people = site.identity.people();
    let name = me.user.username.shown();
    match people.check_password(name, password, &visit.origin).await {
        Ok(user) if user.id == me.user.id => Ok(None),
        Ok(_) | Err(Failure::Unauthorized | Failure::NotFound | Failure::Invalid(_)) => {
            Ok(Some(Outcome::Wrong(field, "This is not your password.".to_owned())))
        }
        Err(failure @ Failure::Limited { .. }) => {
            Ok(Some(Outcome::Wrong(field, message::limited(&failure))))
        }
        Err(failure) => Err(failure),
    }
}

pub(super) async fn end_session(
    site: &Site,
    me: &SignedInUser,
    form: &Form,
) -> Result<Outcome, Failure> {
    match site.identity.sessions().end(&me.user.id, form.get("session")).await {
        Ok(()) | Err(Failure::NotFound) => Ok(Outcome::Done("session")),
        Err(failure) => Err(failure),
    }
}

pub(super) async fn end_others(site: &Site, me: &SignedInUser) -> Result<Outcome, Failure> {
    site.identity.sessions().end_all(&me.user.id, Some(&me.session)).await?;
    Ok(Outcome::Done("others"))
}

pub(super) async fn revoke(
    site: &Site,
    me: &SignedInUser,
    form: &Form,
) -> Result<Outcome, Failure> {
    match site.identity.consents().revoke(&me.user, form.get("client")).await {
        Ok(()) | Err(Failure::NotFound) => Ok(Outcome::Done("revoked")),
        Err(failure) => Err(failure),
    }
}

pub(super) async fn delete(
    site: &Site,
    visit: &Visit,
    me: &SignedInUser,
    form: &Form,
) -> Result<Outcome, Failure> {
    if site.delete_profile == DeleteProfile::No {
        return Err(Failure::Unauthorized);
    }
    if let Some(wrong) = not_me(site, visit, me, form.get("password"), "delete").await? {
        return Ok(wrong);
    }
    let (people, name) = (site.identity.people(), me.user.username.shown());
    if site.delete_profile == DeleteProfile::Disable {
        let disabled = UserDraft { enabled: Some(false), ..UserDraft::default() };
        people.set(name, &disabled).await?;
        site.identity.sessions().end_all(&me.user.id, None).await?;
    } else {
        people.delete(name, Forced::No).await?;
    }
    let text = match site.delete_profile {
        DeleteProfile::Disable => "Nobody can log in to it any longer.",
        _ => "All that belonged to it is deleted.",
    };
    let page = message::good("Your account is closed", text, &[]);
    let nobody_left = me.session.users().count() <= 1;
    let answer = Answer::from(page);
    Ok(Outcome::Answer(if nobody_left { answer.signed_out(site) } else { answer }))
}
