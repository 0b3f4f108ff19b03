//! How far a session has come with some scopes. The session is read anew for each question.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use outboard_core::identity::authentication::Authentication;
use outboard_core::identity::evaluate::{
    Question, SchemeInfo, ScopeState, are_satisfied, evaluate, last_login, used,
};
use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::{User, UserId};

use super::Scopes;
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
    /// Enabled.
    pub user: User,
    /// Of the scopes that were asked about and exist, in the order of the names.
    pub states: Vec<ScopeState>,
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
        let Some(cookie) = cookie else { return Ok(Checked::NoCookie) };
        let Some(session) = self.0.sessions().find(cookie).await? else {
            return Ok(Checked::NoSession);
        };
        let Some(user) = self.current_user(&session).await? else {
            return Ok(Checked::NoSession);
        };
        let states = self.states(&session, &user, names, origin).await?;
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

    /// Counts one use of what a cookie's user has proved for these scopes. False: nobody is signed in.
    pub async fn count_use(
        self,
        cookie: Option<&str>,
        names: &[String],
        origin: &Origin,
    ) -> Result<bool, Failure> {
        let Checked::User(signed_in) = self.check(cookie, names, origin).await? else {
            return Ok(false);
        };
        let methods: Vec<_> = used(&signed_in.states).into_iter().collect();
        if !methods.is_empty() {
            let SignedInUser { session, user, .. } = &*signed_in;
            let sessions = self.0.store.sessions();
            sessions.count_use(session.hash(), user.id.as_str(), &methods).await?;
        }
        Ok(true)
    }

    /// When a cookie's user has authenticated last for these scopes, in milliseconds since 1970.
    pub async fn last_login(
        self,
        cookie: Option<&str>,
        names: &[String],
    ) -> Result<Option<i64>, Failure> {
        let Some(cookie) = cookie else { return Ok(None) };
        let Some(session) = self.0.sessions().find(cookie).await? else { return Ok(None) };
        let Some(user) = self.current_user(&session).await? else { return Ok(None) };
        // A name counts even where there is no such scope: the password does in any case.
        let mut scopes = self.get_many(names).await?;
        if scopes.is_empty() {
            scopes.extend(names.first().map(|name| Scope::by_password(name, "", "")));
        }
        Ok(last_login(&scopes, session.authentications_of(&user.id)))
    }

    /// How far one of a session's users has come with these scopes.
    pub async fn states(
        self,
        session: &Session,
        user: &User,
        names: &[String],
        origin: &Origin,
    ) -> Result<Vec<ScopeState>, Failure> {
        let at = At { session: Some(session), origin };
        self.evaluated(user, session.authentications_of(&user.id), names, at).await
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
        names: &[String],
        at: At<'_>,
    ) -> Result<Vec<ScopeState>, Failure> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let scopes = self.get_many(names).await?;
        let own = scopes.iter().filter(|scope| user.has_scope(&scope.name));
        let schemes = self.infos(own.flat_map(Scope::schemes).collect(), user, at).await?;
        Ok(evaluate(Question {
            of_user: &user.scopes,
            scopes: &scopes,
            schemes: &schemes,
            authentications,
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

    /// Nobody who is gone or disabled.
    async fn current_user(self, session: &Session) -> Result<Option<User>, Failure> {
        let Some(current) = session.current() else { return Ok(None) };
        match self.0.people().get_by_id(&UserId::stored(current.account.clone())).await {
            Ok(user) => Ok(Some(user).filter(|user| user.enabled)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}
