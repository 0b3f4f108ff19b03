//! The log-in page: shows the step that is next, and does what a form of it asks for.
//!
//! Whatever a form has changed, the next step is decided anew from what the host knows: no form says how far somebody is.

mod pages;
mod schemes;

use outboard_core::identity::evaluate::ScopeState;
use outboard_core::identity::user::{User, UserId};

use super::ask::{Ask, Prompt};
use super::form::Form;
use super::show::sentences;
use super::step::{Seen, Step, next};
use super::visit::Visit;
use super::way::{Blocked, Way};
use super::{LOGOUT, Site, message};
use crate::identity::Failure;
use crate::identity::scopes::Checked;
use crate::identity::sessions::{Method, Session, SignedIn};
use crate::web::answer::Answer;

/// Who has come, for what, and how far they are.
struct Progress {
    way: Way,
    session: Option<Session>,
    user: Option<User>,
    states: Vec<ScopeState>,
    /// What the user has granted to the client; `None`: nobody has to consent.
    granted: Option<Vec<String>>,
}

/// What a form has done.
struct Done {
    /// What is left to be asked.
    ask: Ask,
    signed_in: Option<SignedIn>,
    /// The client has its answer, whatever it is.
    is_consented: bool,
}

pub(super) async fn show(site: &Site, visit: &Visit) -> Result<Answer, Failure> {
    let progress = match Progress::read(site, visit, &visit.ask).await {
        Ok(progress) => progress,
        Err(blocked) => return blocked.answer(),
    };
    if visit.ask.prompt() == Some(Prompt::EndSession) {
        let ask = visit.ask.without(&["prompt"]);
        return Ok(Answer::see(ask.url(&site.path(LOGOUT))));
    }
    if let Some(page) = pages::device(site, &visit.ask) {
        return Ok(page.into());
    }
    let seen = progress.seen(&visit.ask);
    let step = next(seen);
    if step == Step::Done {
        return Ok(Answer::see(progress.way.end(site).0));
    }
    pages::step(site, visit, &progress, step).await
}

pub(super) async fn act(site: &Site, visit: &Visit, form: &Form) -> Result<Answer, Failure> {
    let progress = match Progress::read(site, visit, &visit.ask).await {
        Ok(progress) => progress,
        Err(blocked) => return blocked.answer(),
    };
    let done = match form.get("step") {
        "password" => password(site, visit, &progress, form).await?,
        "new-password" => new_password(site, visit, &progress, form).await?,
        "select" => select(site, visit, form).await?,
        "consent" => consent(site, visit, &progress, form).await?,
        "scheme" => schemes::authenticate(site, visit, &progress, form).await?,
        "trigger" => Err(schemes::trigger(site, visit, &progress, form).await?),
        _ => Err(Answer::see(visit.ask.url(&site.path(&site.login)))),
    };
    match done {
        Ok(done) => go_on(site, visit, done).await,
        Err(answer) => Ok(answer),
    }
}

/// To the next step, or to where somebody was going. What comes after a form is never a redirection to elsewhere: the
/// policy of the page that had the form would have browsers stop there.
async fn go_on(site: &Site, visit: &Visit, done: Done) -> Result<Answer, Failure> {
    let Done { ask, signed_in, is_consented } = done;
    let visit = visit.with_cookie(signed_in.as_ref().and_then(|it| it.cookie.clone()));
    let mut progress = match Progress::read(site, &visit, &ask).await {
        Ok(progress) => progress,
        Err(blocked) => return blocked.answer(),
    };
    if is_consented {
        progress.granted = None;
    }
    let answer = if next(progress.seen(&ask)) == Step::Done {
        let (url, to) = progress.way.end(site);
        message::going_on(&url, &to).into()
    } else {
        Answer::see(ask.url(&site.path(&site.login)))
    };
    Ok(match &signed_in {
        Some(signed_in) => answer.signed_in(site, signed_in),
        None => answer,
    })
}

async fn password(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    form: &Form,
) -> Result<Result<Done, Answer>, Failure> {
    let (name, password) = (form.get("username"), form.get("password"));
    let people = site.identity.people();
    let user = match people.check_password(name, password, &visit.origin).await {
        Ok(user) => user,
        Err(failure) => return refused(site, visit, progress, name, failure).map(Err),
    };
    let cookie = visit.cookie.as_deref();
    let sessions = site.identity.sessions();
    let signed_in = sessions.sign_in(cookie, &user, Method::Password, &visit.origin).await?;
    let ask = visit.ask.settled(&["login", "select_account"]);
    Ok(Ok(Done { ask, signed_in: Some(signed_in), is_consented: false }))
}

/// The same page, with the reason why not.
fn refused(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    name: &str,
    failure: Failure,
) -> Result<Answer, Failure> {
    let (status, error, wait) = match &failure {
        Failure::Unauthorized | Failure::NotFound | Failure::Invalid(_) => {
            (401, "The user name or the password is wrong.".to_owned(), None)
        }
        Failure::Limited { retry_after } => (429, message::limited(&failure), Some(*retry_after)),
        _ => return Err(failure),
    };
    let page = pages::password(site, visit, progress, name, &[error]);
    Ok(page.status(status).retry_after(wait).into())
}

/// For those whose password was for one time. They have just proved that they know it.
async fn new_password(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    form: &Form,
) -> Result<Result<Done, Answer>, Failure> {
    let user = progress.user.as_ref().filter(|user| user.must_change_password());
    let user = user.ok_or(Failure::Unauthorized)?;
    let (new, again) = (form.get("new"), form.get("again"));
    let wrong = if new == again {
        match site.identity.people().choose_password(user, new).await {
            Ok(()) => {
                let ask = visit.ask.clone();
                return Ok(Ok(Done { ask, signed_in: None, is_consented: false }));
            }
            Err(Failure::Invalid(errors)) => ("new", sentences(&errors)),
            Err(failure) => return Err(failure),
        }
    } else {
        ("again", "The two are not the same.".to_owned())
    };
    Ok(Err(pages::new_password(site, visit, user, Some(wrong)).status(400).into()))
}

async fn select(site: &Site, visit: &Visit, form: &Form) -> Result<Result<Done, Answer>, Failure> {
    let cookie = visit.cookie.as_deref().unwrap_or_default();
    match site.identity.sessions().select(cookie, form.get("username")).await {
        Ok(()) => {
            let ask = visit.ask.settled(&["select_account"]);
            Ok(Ok(Done { ask, signed_in: None, is_consented: false }))
        }
        // That session has ended meanwhile.
        Err(Failure::Unauthorized | Failure::NotFound) => {
            let ask = visit.ask.with_prompt("login");
            Ok(Err(Answer::see(ask.url(&site.path(&site.login)))))
        }
        Err(failure) => Err(failure),
    }
}

/// What was granted for other scopes than the ones that are asked for stays.
async fn consent(
    site: &Site,
    visit: &Visit,
    progress: &Progress,
    form: &Form,
) -> Result<Result<Done, Answer>, Failure> {
    let (Some(user), Some(client)) = (&progress.user, &progress.way.client) else {
        return Err(Failure::Unauthorized);
    };
    // Consent is for whoever has proved all that the scopes need.
    let step = next(Seen { prompt: Some(Prompt::Consent), ..progress.seen(&visit.ask) });
    let Step::Consent(offered) = step else {
        return Ok(Err(Answer::see(visit.ask.url(&site.path(&site.login)))));
    };
    let is_allowed = form.get("answer") == "allow";
    let is_chosen = |name: &str| is_allowed && form.all("scope").any(|chosen| chosen == name);
    let consents = site.identity.consents();
    let connections = consents.list(user).await?.into_iter();
    let own = connections.filter(|it| it.client_id == client.id.as_str());
    let kept = own.flat_map(|it| it.scopes.into_keys());
    let kept = kept.filter(|name| !offered.iter().any(|state| state.name == *name));
    let chosen = offered.iter().map(|state| state.name.clone()).filter(|name| is_chosen(name));
    let chosen: Vec<_> = chosen.collect();
    let has_chosen = !chosen.is_empty();
    let names: Vec<_> = kept.chain(chosen).collect();
    consents.set(client.id.as_str(), user, &names).await?;
    if !has_chosen {
        return Ok(Err(pages::nothing_granted(site, visit, progress).into()));
    }
    let ask = visit.ask.settled(&["consent"]);
    Ok(Ok(Done { ask, signed_in: None, is_consented: true }))
}

impl Progress {
    async fn read(site: &Site, visit: &Visit, ask: &Ask) -> Result<Self, Blocked> {
        let way = Way::in_of(site, ask).await?;
        let (names, cookie) = (ask.scopes(), visit.cookie.as_deref());
        let mut progress =
            Self { way, session: None, user: None, states: Vec::new(), granted: None };
        match site.identity.scopes().check(cookie, &names, &visit.origin).await? {
            Checked::User(it) => {
                progress.session = Some(it.session);
                progress.user = Some(it.user);
                progress.states = it.states;
            }
            Checked::NoSession => {
                let sessions = site.identity.sessions();
                progress.session = sessions.find(cookie.unwrap_or_default()).await?;
            }
            Checked::NoCookie => {}
        }
        if let (Some(client), Some(user)) = (&progress.way.client, &progress.user)
            && !names.is_empty()
        {
            let grant = site.identity.consents().grant(client.id.as_str(), user, &names).await?;
            let granted = grant.scopes.into_iter().filter(|(_, is_granted)| *is_granted);
            progress.granted = Some(granted.map(|(scope, _)| scope.name).collect());
        }
        Ok(progress)
    }

    fn seen(&self, ask: &Ask) -> Seen<'_> {
        Seen {
            prompt: ask.prompt(),
            users: self.session.as_ref().map_or(0, |session| session.users().count()),
            has_current: self.user.is_some(),
            must_change: self.user.as_ref().is_some_and(User::must_change_password),
            asked: ask.scopes().len(),
            states: &self.states,
            granted: self.granted.as_deref(),
        }
    }

    /// The session's users as they are now; those who are gone are left out.
    async fn users(&self, site: &Site) -> Result<Vec<(User, bool)>, Failure> {
        let mut users = Vec::new();
        for it in self.session.iter().flat_map(Session::users) {
            let id = UserId::stored(it.account.clone());
            match site.identity.people().get_by_id(&id).await {
                Ok(user) => users.push((user, it.is_current)),
                Err(Failure::NotFound) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(users)
    }
}

impl Blocked {
    pub(super) fn answer(self) -> Result<Answer, Failure> {
        match self {
            Self::Nowhere => Ok(message::nowhere()),
            Self::Failed(failure) => Err(failure),
        }
    }
}
