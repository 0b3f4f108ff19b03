//! That one supervisor at a time delivers to a notifier, where several share a database.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Common;

/// For how long it is taken; what is left of it when it should be renewed, and when it no longer counts.
const TTL: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(10);
const MARGIN: Duration = Duration::from_secs(3);
/// Between two tries to take it.
const AGAIN: Duration = Duration::from_secs(2);

/// The right to deliver to one notifier.
pub(super) struct Lease {
    common: Arc<Common>,
    notifier: Arc<str>,
    /// `None`: nobody else uses the database.
    shared: Option<Times>,
}

struct Times {
    /// Ours up to here.
    until: Instant,
    /// When to ask for it next.
    due: Instant,
}

impl Lease {
    /// Not taken yet, where it has to be.
    pub(super) fn new(common: Arc<Common>, notifier: Arc<str>) -> Self {
        let now = Instant::now();
        let shared = common.is_shared.then_some(Times { until: now, due: now });
        Self { common, notifier, shared }
    }

    pub(super) fn is_held(&self) -> bool {
        self.shared.as_ref().is_none_or(|times| Instant::now() < times.until)
    }

    /// When to call [`Self::ask`] next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.shared.as_ref().map(|times| times.due)
    }

    /// Takes or renews it, if that is due.
    pub(super) async fn ask(&mut self) {
        let Some(times) = &mut self.shared else { return };
        let now = Instant::now();
        if now < times.due {
            return;
        }
        let outbox = self.common.store.outbox();
        match outbox.take_lease(&self.notifier, &self.common.holder, TTL).await {
            // From before it was asked for: by the database's clock it lasts longer.
            Ok(true) => *times = Times { until: now + TTL - MARGIN, due: now + TTL - RENEW },
            // Somebody else has it.
            Ok(false) => *times = Times { until: now, due: now + AGAIN },
            Err(error) => {
                tracing::warn!(notifier = &*self.notifier, %error, "the lease of a notifier could not be taken");
                times.due = now + AGAIN;
            }
        }
    }

    /// Lets another supervisor have it at once.
    pub(super) async fn release(&self) {
        if self.shared.is_none() {
            return;
        }
        let outbox = self.common.store.outbox();
        if let Err(error) = outbox.release_lease(&self.notifier, &self.common.holder).await {
            tracing::debug!(notifier = &*self.notifier, %error, "another supervisor has to wait for a lease to end");
        }
    }
}
