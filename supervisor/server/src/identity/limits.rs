//! Wrong passwords are few: one account of them for the log-in page, the API and the callbacks of plugins.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use outboard_core::identity::attempts::Attempts;

use super::failure::Failure;
use super::settings::Settings;

/// Names and addresses that are remembered, each.
const MOST_KEYS: usize = 100_000;

/// Who has tried how often.
#[derive(Debug)]
pub(super) struct Limits {
    began: Instant,
    tried: Mutex<Tried>,
}

#[derive(Debug)]
struct Tried {
    names: Attempts<String>,
    places: Attempts<String>,
}

/// A password that may be looked at. Dropped, it counts as wrong.
#[derive(Debug)]
#[must_use]
pub(super) struct Attempt<'a> {
    limits: &'a Limits,
    name: String,
    place: String,
}

/// How many wrong codes are as bad as one wrong password: most schemes ask for several things in a row, and count too.
const CODES: u32 = 3;

impl Limits {
    pub(super) fn new(settings: &Settings) -> Self {
        Self::of(settings.attempts, settings.attempts_address)
    }

    /// For what users prove by schemes.
    pub(super) fn for_codes(settings: &Settings) -> Self {
        let [names, places] = [settings.attempts, settings.attempts_address];
        Self::of(names.saturating_mul(CODES), places.saturating_mul(CODES))
    }

    fn of(attempts: u32, attempts_address: u32) -> Self {
        let tried = Tried {
            names: Attempts::new(attempts, MOST_KEYS),
            places: Attempts::new(attempts_address, MOST_KEYS),
        };
        Self { began: Instant::now(), tried: Mutex::new(tried) }
    }

    /// Asks to look at a password of `name`, sent from `address`.
    ///
    /// # Errors
    /// [`Failure::Limited`] if there were too many wrong ones of that name or from that address.
    pub(super) fn attempt(&self, name: &str, address: &str) -> Result<Attempt<'_>, Failure> {
        let (name, place) = (name.to_owned(), place(address));
        let now = self.began.elapsed();
        let mut tried = self.tried();
        let limited = |retry_after| Failure::Limited { retry_after };
        tried.places.take(&place, now).map_err(limited)?;
        if let Err(wait) = tried.names.take(&name, now) {
            // It is not looked at, so it tells nobody anything: who only knocks at one name can still use others.
            tried.places.give_back(&place);
            return Err(limited(wait));
        }
        Ok(Attempt { limits: self, name, place })
    }

    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The password was right, or could not be looked at.
    pub(super) fn forgive(self) {
        let mut tried = self.limits.tried();
        tried.names.give_back(&self.name);
        tried.places.give_back(&self.place);
    }
}

/// Whom an address belongs to: of IPv6, each customer has a /64 at least.
fn place(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(address) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(attempts: u32, attempts_address: u32) -> Limits {
        Limits::new(&Settings { attempts, attempts_address, ..Settings::default() })
    }

    #[test]
    fn wrong_passwords_of_a_name_are_counted_wherever_they_come_from() {
        let limits = limits(10, 1000);
        let looked_at = (0..10_000)
            .filter(|at| limits.attempt("ada", &format!("10.0.0.{}", at % 250)).is_ok())
            .count();
        assert_eq!(looked_at, 10);
        assert!(limits.attempt("bob", "10.0.0.1").is_ok());
    }

    #[test]
    fn wrong_passwords_from_a_place_are_counted_whoever_they_are_of() {
        let limits = limits(10, 60);
        let looked_at = (0..10_000)
            .filter(|at| limits.attempt(&format!("user{at}"), "10.0.0.1").is_ok())
            .count();
        assert_eq!(looked_at, 60);
        assert!(limits.attempt("ada", "10.0.0.2").is_ok());
        let refused = limits.attempt("ada", "10.0.0.1").unwrap_err();
        assert!(matches!(refused, Failure::Limited { .. }), "{refused:?}");
    }

    #[test]
    fn right_ones_are_not_counted() {
        let limits = limits(10, 60);
        for _ in 0..10_000 {
            limits.attempt("ada", "10.0.0.1").unwrap().forgive();
        }
    }

    #[test]
    fn knocking_at_one_name_shuts_nobody_else_out() {
        let limits = limits(10, 60);
        for _ in 0..1000 {
            drop(limits.attempt("ada", "10.0.0.1"));
        }
        assert!(limits.attempt("bob", "10.0.0.1").is_ok());
    }

    #[test]
    fn neighbours_in_ipv6_are_one_place() {
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), place("2001:db8:1:2:ffff::1"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(place("plugin shop"), "plugin shop");
    }
}
