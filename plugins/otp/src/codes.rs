//! Which codes are right. Pure: a registration and the time go in, a verdict comes out.
//!
//! Both kinds are one: a code belongs to a counter. For HOTP (RFC 4226) it counts codes, for TOTP (RFC 6238) it counts
//! steps of time. A registration knows the first counter whose code was not used yet, so no code is good twice.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::parameters::Rules;

/// What the counter counts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Kind {
    /// Steps of time.
    Totp,
    /// Codes.
    Hotp,
}

/// What a user has registered, as it is stored. Never printed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) kind: Kind,
    /// In base 32, without padding.
    pub(crate) secret: String,
    pub(crate) digits: u8,
    /// The first counter whose code was not used yet.
    pub(crate) next: u64,
    /// Of a step of time, in seconds.
    pub(crate) period: u64,
}

impl Registration {
    /// The registration as it is once this code was used, if it is right. `now` is in seconds since 1970.
    pub(crate) fn accept(&self, code: &str, now: u64, rules: &Rules) -> Option<Self> {
        let generator = self.generator()?;
        let counter = self.good(now, rules).find(|it| generator.check(code, *it).is_some())?;
        Some(Self { next: counter.checked_add(1)?, ..self.clone() })
    }

    /// The counters whose codes are good now.
    fn good(&self, now: u64, rules: &Rules) -> RangeInclusive<u64> {
        match self.kind {
            Kind::Hotp => self.next..=self.next.saturating_add(rules.hotp_window),
            Kind::Totp => {
                let step = now.saturating_sub(rules.totp_start) / self.period.max(1);
                let wrong = rules.totp_window.div_ceil(self.period.max(1));
                step.saturating_sub(wrong).max(self.next)..=step.saturating_add(wrong)
            }
        }
    }

    /// Counts in ones, and looks at one counter alone.
    fn generator(&self) -> Option<Totp> {
        let secret = Secret::try_from_base32(&self.secret).ok()?;
        let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(secret);
        builder.with_digits(self.digits).with_step_duration(1).with_skew(0).build().ok()
    }

    /// All but the secret.
    pub(crate) fn told(&self) -> Value {
        match self.kind {
            Kind::Totp => {
                json!({ "type": "TOTP", "digits": self.digits, "time_step_size": self.period })
            }
            Kind::Hotp => {
                json!({ "type": "HOTP", "digits": self.digits, "moving_factor": self.next })
            }
        }
    }
}

/// The code that somebody has typed, without the spaces that apps show in it.
pub(crate) fn typed(value: &Value) -> Option<String> {
    let text = value.get("code").or_else(|| value.get("value"))?.as_str()?;
    // A code has eight digits at most.
    (text.len() <= 32).then(|| text.chars().filter(|c| !c.is_whitespace()).collect())
}

/// A secret in base 32 as people write it, and how many bytes it has.
pub(crate) fn secret(text: &str) -> Option<(String, usize)> {
    if text.len() > 255 {
        return None;
    }
    let plain: String = text.chars().filter(|c| !" -=".contains(*c)).collect();
    let secret = Secret::try_from_base32(plain.to_ascii_uppercase()).ok()?;
    Some((secret.to_base32(), secret.as_bytes().len()))
}

/// A new secret of that many bytes, at most 64, in base 32.
pub(crate) fn new_secret(bytes: usize) -> String {
    let mut random = [0; 64];
    rand::fill(&mut random);
    let secret: Box<[u8]> = random[..bytes.min(64)].into();
    Secret::new(secret).to_base32()
}

#[cfg(test)]
mod tests;
