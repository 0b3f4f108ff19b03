//! How often each instance of the database was asked to begin anew, since the supervisor started.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One that is not among them was never asked.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    by_instance: HashMap<String, Turn>,
    /// The newest of all. None is given twice, or what became of one could be taken for what became of another.
    newest: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) number: u64,
    /// Whether parameters that wait to be applied are tried.
    pub(super) is_trial: bool,
}

impl Turns {
    pub(super) fn of(&self, instance: &str) -> Turn {
        self.all().by_instance.get(instance).copied().unwrap_or_default()
    }

    /// Begins the next turn, with the parameters that wait. Gives the one before.
    pub(super) fn begin(&self, instance: &str) -> (Turn, Turn) {
        let mut all = self.all();
        all.newest += 1;
        let turn = Turn { number: all.newest, is_trial: true };
        let before = all.by_instance.insert(instance.to_owned(), turn);
        (before.unwrap_or_default(), turn)
    }

    /// The trial went well.
    pub(super) fn keep(&self, instance: &str) {
        if let Some(turn) = self.all().by_instance.get_mut(instance) {
            turn.is_trial = false;
        }
    }

    /// It did not: what was there before is wanted again.
    pub(super) fn go_back(&self, instance: &str, before: Turn) {
        self.all().by_instance.insert(instance.to_owned(), before);
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_turn_comes_twice() {
        let turns = Turns::default();
        let (before, first) = turns.begin("a");
        assert_eq!((before, turns.of("a")), (Turn::default(), first));
        turns.go_back("a", before);
        assert_eq!(turns.of("a"), before);
        let (_, second) = turns.begin("a");
        assert!(second.number > first.number && second.is_trial);
        turns.keep("a");
        assert_eq!(turns.of("a"), Turn { is_trial: false, ..second });
    }
}
