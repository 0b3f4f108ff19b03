//! How dispatchers are told that there is something to look at. Ringing twice before somebody hears is ringing once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What one dispatcher hears.
#[derive(Debug, Default)]
pub(super) struct Bell {
    said: Mutex<Said>,
    rung: Notify,
}

/// What was said since somebody listened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) has_new: bool,
    pub(super) has_replays: bool,
    /// Numbers of those that were given up without it.
    pub(super) gone: Vec<i64>,
}

impl Bell {
    /// Waits until something was said, and gives it.
    pub(super) async fn hear(&self) -> Said {
        loop {
            let rung = self.rung.notified();
            let said = std::mem::take(&mut *lock(&self.said));
            if said != Said::default() {
                return said;
            }
            rung.await;
        }
    }

    fn say(&self, say: impl FnOnce(&mut Said)) {
        say(&mut lock(&self.said));
        self.rung.notify_one();
    }
}

/// All bells, by notifier.
#[derive(Debug, Default)]
pub(super) struct Bells(Mutex<HashMap<String, Arc<Bell>>>);

impl Bells {
    /// A new bell for a notifier, in the place of the one before.
    pub(super) fn hang(&self, notifier: &str) -> Arc<Bell> {
        let bell = Arc::<Bell>::default();
        lock(&self.0).insert(notifier.to_owned(), bell.clone());
        bell
    }

    pub(super) fn take_down(&self, notifier: &str) {
        lock(&self.0).remove(notifier);
    }

    pub(super) fn ring_for_new(&self, notifier: &str) {
        self.say(notifier, |said| said.has_new = true);
    }

    pub(super) fn ring_for_replays(&self, notifier: &str) {
        self.say(notifier, |said| said.has_replays = true);
    }

    pub(super) fn ring_for_gone(&self, notifier: &str, seq: i64) {
        self.say(notifier, |said| said.gone.push(seq));
    }

    fn say(&self, notifier: &str, say: impl FnOnce(&mut Said)) {
        let bell = lock(&self.0).get(notifier).cloned();
        if let Some(bell) = bell {
            bell.say(say);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_said_before_somebody_listens_is_heard_once_and_whole() {
        let bells = Bells::default();
        bells.ring_for_new("nobody");
        let bell = bells.hang("slack");
        bells.ring_for_gone("slack", 7);
        bells.ring_for_new("slack");
        bells.ring_for_gone("slack", 8);
        let said = bell.hear().await;
        assert_eq!(said, Said { has_new: true, has_replays: false, gone: vec![7, 8] });
        bells.ring_for_replays("slack");
        assert!(bell.hear().await.has_replays);
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let bells = Bells::default();
        let bell = bells.hang("slack");
        let (said, ()) = tokio::join!(bell.hear(), async { bells.ring_for_new("slack") });
        assert!(said.has_new && said.gone.is_empty());
    }
}
