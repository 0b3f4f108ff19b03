//! The instances, one after the other: the next is asked only if the one before knows nobody of that e-mail.

use std::sync::Arc;
use std::time::Duration;

use outboard_core::auth::{GroupMatch, User};
use tokio::time::Instant;

use super::ask::Asker;
use super::{Authenticators, Failure, Refusal};

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub user: Arc<User>,
    /// Which said so, and is asked about their rights too.
    pub instance: String,
}

/// Whom to ask one question, and for how long.
pub(super) struct Chain {
    pub asker: Asker,
    /// None: the only one that there is.
    pub instances: Vec<String>,
    pub authenticators: Authenticators,
    pub timeout: Duration,
}

/// When to come back about something that only an operator can mend, or that is about to be there.
const RETRY: Duration = Duration::from_secs(1);

impl Chain {
    pub(super) async fn authenticate(self, email: &str, token: &str) -> Result<Known, Failure> {
        let until = Instant::now() + self.timeout;
        for instance in self.instances()? {
            match self.asker.authenticate(&instance, email, token, until).await {
                Ok(user) => return Ok(Known { user: Arc::new(user), instance }),
                Err(Failure::Refused(Refusal::UnknownUser)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Refused(Refusal::UnknownUser))
    }

    pub(super) async fn authorize(
        self,
        known: &Known,
        groups: &[String],
        rule: GroupMatch,
    ) -> Result<bool, Failure> {
        let until = Instant::now() + self.timeout;
        self.asker.authorize(&known.instance, &known.user, groups, rule, until).await
    }

    /// Never empty.
    fn instances(&self) -> Result<Vec<String>, Failure> {
        let there = (self.authenticators)()
            .ok_or_else(|| Failure::unavailable("the plugins are being looked for", RETRY))?;
        if !self.instances.is_empty() {
            return Ok(self.instances.clone());
        }
        match there.len() {
            1 => Ok(there),
            0 => Err(Failure::unavailable(
                "there is no auth plugin; install one whose manifest has authenticate = true, or set \
                 auth.enabled = false",
                RETRY,
            )),
            _ => Err(Failure::unavailable(several(&there), RETRY)),
        }
    }
}

pub(super) fn several(there: &[String]) -> String {
    format!(
        "there are several auth plugins ({}); name those to be asked, in their order, in auth.instances",
        there.join(", ")
    )
}
