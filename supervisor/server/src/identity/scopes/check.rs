//! How far a session has come with some scopes. The session is read anew for each question.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use outboard_core::identity::authentication::Authentication;
use outboard_core::identity::evaluate::{
    Question, SchemeInfo, ScopeState, are_satisfied, evaluate, last_login, used,
};
use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::User;
use outboard_store::identity::CheckedSession;

use super::{Scopes, in_order_of};
use crate::identity::schemes::At;
use crate::identity::sessions::Session;
use crate::identity::{Failure, Origin, now_ms};

/// What a cookie is worth.
#[derive(Clone, Debug)]
pub enum Checked {
    /// There is none.
    NoCookie,
    /// It is no session's, or nobody is signed in there who may.
    NoSession,
    User(Box<SignedInUser>),
}

/// A session's current user.
#[derive(Clone, Debug)]
pub struct SignedInUser {
    pub session: Session,
    /// Enabled. With a password that must be changed, no scope is satisfied.
    pub user: User,
    /// Of the scopes that were asked about and exist, in the order of the names.
    pub states: Vec<ScopeState>,
}

/// Who has come, and what is asked about them.
struct Visit {
    session: Session,
    user: User,
    /// Those that exist, in the order of the names.
    scopes: Vec<Scope>,
}

impl Scopes<'_> {
    /// Who is signed in by a cookie, and how far that session has come with these scopes. Names of scopes that do not
    /// exist are left out.
    pub async fn check(
        self,
        cookie: Option<&str>,
        names: &[String],
        origin: &Origin,
    ) -> Result<Checked, Failure> {
        if cookie.is_none() {
            return Ok(Checked::NoCookie);
        }
        let Some(Visit { session, user, scopes }) = self.visit(cookie, names).await? else {
            return Ok(Checked::NoSession);
        };
        let at = At { session: Some(&session), origin };
        let proofs = session.authentications_of(&user.id);
        let states = self.evaluated(&user, proofs, &scopes, at).await?;
        Ok(Checked::User(Box::new(SignedInUser { session, user, states })))
    }

    /// Whether a cookie's session satisfies all of these scopes. No scopes are satisfied by nobody.
    pub async fn satisfied(
        self,
        cookie: Option<&str>,
        names: &[String],
        origin: &Origin,
    ) -> Result<bool, Failure> {
        Ok(match self.check(cookie, names, origin).await? {
            Checked::User(user) => are_satisfied(&user.states, names),
            Checked::NoCookie | Checked::NoSession => false,
        })
    }

    /// Counts one use of what a cookie's user has proved for these scopes, where that wears out. False: nobody is signed
    /// in, or with a password that must be changed.
    pub async fn count_use(
        self,
        cookie: Option<&str>,
        names: &[String],
        origin: &Origin,
    ) -> Result<bool, Failure> {
        let Checked::User(signed_in) = self.check(cookie, names, origin).await? else {
            return Ok(false);
        };
        let SignedInUser { session, user, states } = &*signed_in;
        if user.must_change_password() {
            return Ok(false);
        }
        let used: Vec<_> = used(states).into_iter().map(Some).collect();
        let sessions = self.0.store.sessions();
        sessions.count_use(session.hash(), user.id.as_str(), &used).await?;
        Ok(true)
    }

    /// When a cookie's user has authenticated last for these scopes, in milliseconds since 1970. Never, with a password
    /// that must be changed.
    pub async fn last_login(
        self,
        cookie: Option<&str>,
        names: &[String],
    ) -> Result<Option<i64>, Failure> {
        let Some(Visit { session, user, mut scopes }) = self.visit(cookie, names).await? else {
            return Ok(None);
        };
        if user.must_change_password() {
            return Ok(None);
        }
        // A name counts even where there is no such scope: the password does in any case.
        if scopes.is_empty() {
            scopes.extend(names.first().map(|name| Scope::by_password(name, "", "")));
        }
        Ok(last_login(&scopes, session.authentications_of(&user.id)))
    }

    /// Which of these scopes a user has that need nothing but a password, as a check of a password alone can tell.
    pub async fn by_password_alone(
        self,
        user: &User,
        names: &[String],
    ) -> Result<Vec<String>, Failure> {
        let scopes = self.get_many(names).await?.into_iter();
        let alone = scopes.filter(|scope| scope.needs_no_scheme() && user.has_scope(&scope.name));
        Ok(alone.map(|scope| scope.name).collect())
    }

    async fn evaluated(
        self,
        user: &User,
        authentications: &[Authentication],
        scopes: &[Scope],
        at: At<'_>,
    ) -> Result<Vec<ScopeState>, Failure> {
        let own = scopes.iter().filter(|scope| user.has_scope(&scope.name));
        let schemes = self.infos(own.flat_map(Scope::schemes).collect(), user, at).await?;
        Ok(evaluate(Question {
            of_user: &user.scopes,
            scopes,
            schemes: &schemes,
            authentications,
            must_change_password: user.must_change_password(),
            now_ms: now_ms(),
        }))
    }

    /// Asks all schemes at the same time. One that can't say can't be used.
    async fn infos(
        self,
        names: BTreeSet<&str>,
        user: &User,
        at: At<'_>,
    ) -> Result<BTreeMap<String, SchemeInfo>, Failure> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let all = self.schemes().list().await?;
        let asked = all.into_iter().filter(|scheme| names.contains(scheme.name.as_str()));
        let asked = asked.map(async |scheme| {
            let availability = self.schemes().availability(&scheme.name, user, at).await;
            let info = SchemeInfo {
                module: scheme.module,
                display_name: scheme.display_name,
                max_use: scheme.settings.max_use,
                availability,
            };
            (scheme.name, info)
        });
        Ok(join_all(asked).await.into_iter().collect())
    }

    /// Who comes with a cookie: nobody who is gone or disabled.
    async fn visit(self, cookie: Option<&str>, names: &[String]) -> Result<Option<Visit>, Failure> {
        let Some(cookie) = cookie else { return Ok(None) };
        let Some(found) = self.0.sessions().check(cookie, names).await? else { return Ok(None) };
        let CheckedSession { session, user, mut scopes } = found;
        let user = match (user, session.current()) {
            (None, Some(current)) => self.0.people().of_session(current).await?,
            (user, _) => user,
        };
        in_order_of(names, &mut scopes);
        let session = Session::new(session);
        let user = user.filter(|user| user.enabled);
        Ok(user.map(|user| Visit { session, user, scopes }))
    }
}
