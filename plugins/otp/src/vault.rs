//! What is kept in the host's storage: for each user the registration, one that is not confirmed yet, and how often a
//! code was tried. All of it is tagged with the user's id.

use std::time::Duration;

use outboard_sdk::{HostError, HostErrorKind, Increment, Put, SchemeError, Storage};

use crate::codes::Registration;

/// The tag of all that belongs to a user.
const USER: &str = "user";
/// How long a secret that was shown waits for its confirmation.
const PROPOSAL: Duration = Duration::from_mins(15);
/// How often somebody else may be faster. Each time a code was used up.
const MOST_RACES: usize = 5;

/// How often a code may be tried in which time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempts {
    pub(crate) most: u32,
    pub(crate) window: Duration,
}

/// The storage of one instance.
pub(crate) struct Vault {
    storage: Storage,
    attempts: Attempts,
}

impl Vault {
    pub(crate) fn new(storage: Storage, attempts: Attempts) -> Self {
        Self { storage, attempts }
    }

    /// What the user has registered, and its version.
    pub(crate) async fn registration(
        &self,
        user: &str,
    ) -> Result<Option<(Registration, u64)>, SchemeError> {
        let entry = self.storage.get(&registered(user)).await?;
        entry.map(|entry| Ok((read(&entry.value)?, entry.version))).transpose()
    }

    pub(crate) async fn set(&self, user: &str, it: &Registration) -> Result<(), SchemeError> {
        self.storage.put(Put::new(registered(user), written(it)?).tag(USER, user)).await?;
        self.storage.delete(&proposal(user)).await?;
        Ok(())
    }

    /// Keeps what counts once it is confirmed.
    pub(crate) async fn propose(&self, user: &str, it: &Registration) -> Result<(), SchemeError> {
        let put = Put::new(proposal(user), written(it)?).tag(USER, user).expires_in(PROPOSAL);
        self.storage.put(put).await?;
        Ok(())
    }

    pub(crate) async fn proposed(&self, user: &str) -> Result<Option<Registration>, SchemeError> {
        let entry = self.storage.get(&proposal(user)).await?;
        entry.map(|entry| read(&entry.value)).transpose()
    }

    /// Forgets all about a user.
    pub(crate) async fn forget(&self, user: &str) -> Result<(), HostError> {
        self.storage.delete_by_tag(USER, user).await?;
        Ok(())
    }

    /// Whether `judge` finds a code right, and gives what the registration becomes by that. Of many who send the same
    /// code one succeeds. Each try counts before it is judged, so nobody can make many at once; a right code ends the
    /// count.
    pub(crate) async fn accept(
        &self,
        user: &str,
        judge: impl Fn(&Registration) -> Option<Registration>,
    ) -> Result<bool, SchemeError> {
        for _ in 0..MOST_RACES {
            let Some((registration, version)) = self.registration(user).await? else {
                return Ok(false);
            };
            if self.count(user).await? > i64::from(self.attempts.most) {
                tracing::warn!(user, "too many codes were tried");
                return Ok(false);
            }
            let Some(after) = judge(&registration) else { return Ok(false) };
            let put = Put::new(registered(user), written(&after)?).tag(USER, user);
            match self.storage.put(put.if_version(version)).await {
                Ok(_) => {
                    self.storage.delete(&tries(user)).await?;
                    return Ok(true);
                }
                Err(error) if error.kind() == HostErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    async fn count(&self, user: &str) -> Result<i64, HostError> {
        let increment = Increment::new(tries(user), 1).expires_in(self.attempts.window);
        self.storage.increment(increment.tag(USER, user)).await
    }
}

fn registered(user: &str) -> String {
    format!("registered/{user}")
}

fn proposal(user: &str) -> String {
    format!("proposed/{user}")
}

fn tries(user: &str) -> String {
    format!("tries/{user}")
}

fn written(registration: &Registration) -> Result<Vec<u8>, SchemeError> {
    serde_json::to_vec(registration).map_err(|error| SchemeError::failed(error.to_string()))
}

/// Errors of serde may say what they saw, which is a secret.
fn read(value: &[u8]) -> Result<Registration, SchemeError> {
    serde_json::from_slice(value).map_err(|_| SchemeError::failed("what is stored can't be read"))
}
