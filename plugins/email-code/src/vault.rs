//! What is kept in the host's storage: for each user the code that was sent last, how often one was tried, and how many
//! mails were sent. All of it is tagged with the user's id.

use std::time::Duration;

use outboard_sdk::{HostError, Increment, Put, SchemeError, Storage, Subject, Taken};

use crate::codes::{Code, Sealed};

/// The tag of all that belongs to a user.
const USER: &str = "user";

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a code is good.
    pub(crate) code: Duration,
    /// How often a code may be tried.
    pub(crate) attempts: u32,
    /// How many mails a user may get
    pub(crate) mails: u32,
    /// in which time.
    pub(crate) mails_window: Duration,
}

/// The storage of one instance.
pub(crate) struct Vault {
    storage: Storage,
    limits: Limits,
}

impl Vault {
    pub(crate) fn new(storage: Storage, limits: Limits) -> Self {
        Self { storage, limits }
    }

    /// Keeps a code that is about to be sent; the one before it is no longer good. Refused, if the user has had too
    /// many mails.
    pub(crate) async fn keep(&self, subject: &Subject, code: &Code) -> Result<(), SchemeError> {
        let user = &subject.user_id;
        let mails = self.count(format!("mails/{user}"), user, self.limits.mails_window).await?;
        if mails > i64::from(self.limits.mails) {
            tracing::warn!(user, "too many codes were asked for");
            return Err(SchemeError::invalid("too many codes were sent; wait some minutes"));
        }
        let sealed = code.sealed(user, subject.session.as_deref());
        let value = serde_json::to_vec(&sealed);
        let value = value.map_err(|error| SchemeError::failed(error.to_string()))?;
        let put = Put::new(sent(user), value).expires_in(self.limits.code).tag(USER, user);
        self.storage.put(put).await?;
        self.storage.delete(&tries(user)).await?;
        Ok(())
    }

    /// Forgets the code of a user: it did not get there.
    pub(crate) async fn withdraw(&self, user: &str) -> Result<(), HostError> {
        self.storage.delete(&sent(user)).await?;
        Ok(())
    }

    /// Whether that is the code, for one caller. Each try counts before it is judged, so nobody can make many at once.
    pub(crate) async fn accept(&self, subject: &Subject, typed: &str) -> Result<bool, SchemeError> {
        let user = &subject.user_id;
        let Some(entry) = self.storage.get(&sent(user)).await? else { return Ok(false) };
        if self.count(tries(user), user, self.limits.code).await? > i64::from(self.limits.attempts)
        {
            tracing::warn!(user, "a code was tried too often");
            return Ok(false);
        }
        let sealed: Sealed = serde_json::from_slice(&entry.value)
            .map_err(|_| SchemeError::failed("what is stored can't be read"))?;
        if !sealed.is(user, subject.session.as_deref(), typed) {
            return Ok(false);
        }
        // Of all who know it one takes it, and only the code that was judged.
        let taken = self.storage.take(&sent(user)).await?;
        Ok(matches!(taken, Taken::Value(taken) if taken.value == entry.value))
    }

    /// Forgets all about a user.
    pub(crate) async fn forget(&self, user: &str) -> Result<(), HostError> {
        self.storage.delete_by_tag(USER, user).await?;
        Ok(())
    }

    async fn count(&self, key: String, user: &str, window: Duration) -> Result<i64, HostError> {
        self.storage.increment(Increment::new(key, 1).expires_in(window).tag(USER, user)).await
    }
}

fn sent(user: &str) -> String {
    format!("code/{user}")
}

fn tries(user: &str) -> String {
    format!("tries/{user}")
}
