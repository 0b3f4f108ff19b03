//! A log-in by password over HTTP, beside a bare verification of the same hash; the two take turns.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use argon2::{Argon2, PasswordVerifier as _, password_hash::phc::PasswordHash};

use super::stage::{PASSWORD, Stage};
use crate::figures::{median, span, verdict};

/// What a log-in may take beyond the verification.
const MARGIN_MS: f64 = 2.0;

pub(super) fn measure(stage: &mut Stage, times: usize) -> Result<String> {
    let hash = stage.hash().to_owned();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for number in 0..times {
        let begun = Instant::now();
        let logged_in = stage.log_in(&format!("user-{number}"))?;
        ours.push(begun.elapsed().as_secs_f64() * 1e3);
        ensure!(!logged_in.session.is_empty(), "a log-in without a session");
        let begun = Instant::now();
        verify(&hash)?;
        bare.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let more = median(&ours) - median(&bare);
    Ok(format!(
        "\n| | p50 ms |\n|---|--:|\n| a log-in over HTTP | {} |\n| Argon2id alone, the same parameters | {} |\n\n\
         * a log-in: Argon2id + {more:.2} ms (promised ≤ {MARGIN_MS:.0}): {}\n",
        span(&ours, 2),
        span(&bare, 2),
        verdict(more <= MARGIN_MS)
    ))
}

fn verify(hash: &str) -> Result<()> {
    let hash = PasswordHash::new(hash).context("the hash is none")?;
    Argon2::default().verify_password(PASSWORD.as_bytes(), &hash).context("the password is another")
}
