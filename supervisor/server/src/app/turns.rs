//! How often each instance of the database was asked to begin anew, since the supervisor started.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By instance. One that is not here was never asked.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Turn>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) number: u64,
    /// Whether parameters that wait to be applied are tried.
    pub(super) is_trial: bool,
}

impl Turns {
    pub(super) fn of(&self, instance: &str) -> Turn {
        self.all().get(instance).copied().unwrap_or_default()
    }

    /// Begins the next turn, with the parameters that wait. Gives the one before.
    pub(super) fn begin(&self, instance: &str) -> (Turn, Turn) {
        let mut all = self.all();
        let turn = all.entry(instance.to_owned()).or_default();
        let before = *turn;
        *turn = Turn { number: before.number + 1, is_trial: true };
        (before, *turn)
    }

    /// The trial went well.
    pub(super) fn keep(&self, instance: &str) {
        if let Some(turn) = self.all().get_mut(instance) {
            turn.is_trial = false;
        }
    }

    /// It did not: what was there before is wanted again.
    pub(super) fn go_back(&self, instance: &str, before: Turn) {
        self.all().insert(instance.to_owned(), before);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
