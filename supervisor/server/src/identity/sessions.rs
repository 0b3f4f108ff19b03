//! Who is signed in in which browser. The cookie is the only key: it is made here, shown once, and stored as a digest.
//!
//! A cookie may hold several users, one of them the current one. Each sign-in by password gives a new cookie, so that
//! one which somebody else has planted is worth nothing afterwards.

mod session;

use std::fmt;
use std::time::SystemTime;

use outboard_core::identity::user::{User, UserId};
use outboard_store::identity::{CheckedSession, SignIn};

pub use session::Session;

use super::token::{COOKIE, digest_of, is_token, random};
use super::{Failure, Origin, Parts, now_ms};
use crate::clock;

/// How long a password counts where a scope does not say so: 30 days.
const PASSWORD_COUNTS_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Longest texts that are kept of a client.
const LONGEST_ORIGIN: usize = 256;

/// The sessions.
#[derive(Clone, Copy)]
pub struct Sessions<'a>(pub(super) &'a Parts);

/// By what a user has proved who they are.
#[derive(Clone, Copy, Debug)]
pub enum Method<'a> {
    Password,
    /// With how long that counts. `None`: as long as the session.
    Scheme {
        instance: &'a str,
        expires_ms: Option<i64>,
    },
}

/// A user is in.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The cookie's new value. `None`: the client keeps the one that it has.
    pub cookie: Option<String>,
    /// When the session ends.
    pub expires: SystemTime,
}

impl Sessions<'_> {
    /// The session of a cookie. Anything that can't be a cookie of ours is nobody's.
    pub async fn find(self, cookie: &str) -> Result<Option<Session>, Failure> {
        if !is_token(cookie, COOKIE) {
            return Ok(None);
        }
        let row = self.0.store.sessions().find(&digest_of(cookie), now_ms()).await?;
        Ok(row.map(Session::new))
    }

    /// The session of a cookie, with its current user and those of these scopes that exist.
    pub(super) async fn check(
        self,
        cookie: &str,
        scopes: &[String],
    ) -> Result<Option<CheckedSession>, Failure> {
        if !is_token(cookie, COOKIE) {
            return Ok(None);
        }
        Ok(self.0.store.sessions().check(&digest_of(cookie), now_ms(), scopes).await?)
    }

    /// Lets a user in who has proved who they are: as the current one of this cookie's session, or of a new one.
    pub async fn sign_in(
        self,
        cookie: Option<&str>,
        user: &User,
        by: Method<'_>,
        origin: &Origin,
    ) -> Result<SignedIn, Failure> {
        if !user.enabled {
            return Err(Failure::Unauthorized);
        }
        let previous = cookie.filter(|cookie| is_token(cookie, COOKIE)).map(digest_of);
        let keeps = match cookie {
            Some(cookie) => self.keeps_cookie(cookie, by, &user.id).await?,
            None => false,
        };
        let cookie = (!keeps).then(|| random(COOKIE));
        let new = cookie.as_deref().map(digest_of);
        let previous = previous.as_deref();
        let (now_ms, session_expires_ms) = self.lifetime();
        let sign_in = SignIn {
            hash: new.as_deref().or(previous).unwrap_or_default(),
            previous,
            account: user.id.as_str(),
            scheme: by.scheme(),
            now_ms,
            session_expires_ms,
            expires_ms: by.expires_ms(now_ms),
            user_agent: &shortened(&origin.user_agent),
            issued_for: &shortened(&origin.address),
            alone: !self.0.settings.session_multiple,
        };
        if !self.0.store.sessions().sign_in(&sign_in).await? {
            return Err(Failure::Unauthorized);
        }
        tracing::info!(
            user = user.id.as_str(),
            by = by.scheme().unwrap_or("password"),
            "signed in"
        );
        Ok(SignedIn { cookie, expires: clock::time(session_expires_ms) })
    }

    /// A password always gives a new cookie; a scheme does only where it is the first proof of this user.
    async fn keeps_cookie(
        self,
        cookie: &str,
        by: Method<'_>,
        user: &UserId,
    ) -> Result<bool, Failure> {
        if matches!(by, Method::Password) {
            return Ok(false);
        }
        Ok(self.find(cookie).await?.is_some_and(|session| session.has(user)))
    }

    /// Makes another of the session's users the current one.
    ///
    /// # Errors
    /// [`Failure::Unauthorized`] without a session, [`Failure::NotFound`] if it does not have that user.
    pub async fn select(self, cookie: &str, username: &str) -> Result<(), Failure> {
        let session = self.find(cookie).await?.ok_or(Failure::Unauthorized)?;
        let chosen = session.user_named(username).ok_or(Failure::NotFound)?;
        let sessions = self.0.store.sessions();
        let selected = sessions.select(session.hash(), &chosen.account).await?;
        selected.then_some(()).ok_or(Failure::NotFound)
    }

    /// Signs one user out, or all. True: nobody is left, and the cookie is worth nothing any more.
    ///
    /// # Errors
    /// [`Failure::Unauthorized`] without a session, [`Failure::NotFound`] if it does not have that user.
    pub async fn sign_out(self, cookie: &str, username: Option<&str>) -> Result<bool, Failure> {
        let session = self.find(cookie).await?.ok_or(Failure::Unauthorized)?;
        let sessions = self.0.store.sessions();
        let Some(name) = username else {
            sessions.end(session.hash()).await?;
            return Ok(true);
        };
        let user = session.user_named(name).ok_or(Failure::NotFound)?;
        Ok(!sessions.sign_out(session.hash(), &user.account).await?)
    }

    /// The sessions in which a user is signed in; of their users only that one.
    pub async fn list_of(self, user: &UserId) -> Result<Vec<Session>, Failure> {
        let rows = self.0.store.sessions().list_of(user.as_str(), now_ms()).await?;
        Ok(rows.into_iter().map(Session::new).collect())
    }

    /// Signs a user out of one of these, named by its hash.
    pub async fn end(self, user: &UserId, hash: &str) -> Result<(), Failure> {
        let is_own = self.list_of(user).await?.iter().any(|session| session.hash() == hash);
        if !is_own {
            return Err(Failure::NotFound);
        }
        self.0.store.sessions().sign_out(hash, user.as_str()).await?;
        Ok(())
    }

    /// Signs a user out everywhere, but for one session. Tells out of how many.
    pub async fn end_all(self, user: &UserId, except: Option<&Session>) -> Result<usize, Failure> {
        let except = except.map(Session::hash);
        Ok(self.0.store.sessions().end_all_of(user.as_str(), except).await?)
    }

    /// Now, and when a session that begins now ends.
    fn lifetime(self) -> (i64, i64) {
        let now = now_ms();
        let length = i64::try_from(self.0.settings.session_expires.as_millis());
        (now, now.saturating_add(length.unwrap_or(i64::MAX)))
    }
}

impl Method<'_> {
    fn scheme(&self) -> Option<&str> {
        match self {
            Self::Password => None,
            Self::Scheme { instance, .. } => Some(instance),
        }
    }

    fn expires_ms(&self, now_ms: i64) -> Option<i64> {
        match self {
            Self::Password => Some(now_ms.saturating_add(PASSWORD_COUNTS_MS)),
            Self::Scheme { expires_ms, .. } => *expires_ms,
        }
    }
}

/// Never shows the cookie.
impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_new_cookie = self.cookie.is_some();
        f.debug_struct("SignedIn").field("has_new_cookie", &has_new_cookie).finish_non_exhaustive()
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_ORIGIN).collect()
}
