//! Who was let in, and how auth plugins do.

use super::text::Text;
use crate::auth::Auth;
use crate::auth::counts::{Call, Outcome};

pub(super) fn write(text: &mut Text, auth: &Auth) {
    let counts = auth.counts();
    let mut decisions = text.counter(
        "outboard_auth_decisions_total",
        "Questions who somebody is or what they may do, by how they ended.",
    );
    for outcome in Outcome::ALL {
        decisions.sample(&[("result", outcome.label())], counts.outcome_now(outcome));
    }
    let mut calls =
        text.counter("outboard_auth_calls_total", "Calls of auth plugins, by how they ended.");
    for call in Call::ALL {
        calls.sample(&[("result", call.label())], counts.calls_now(call));
    }
    text.counter(
        "outboard_auth_cache_hits_total",
        "Questions whose answer was known (auth.cache_ttl).",
    )
    .sample(&[], counts.cache_hits_now());
    text.counter(
        "outboard_auth_joined_total",
        "Questions that waited for the answer to the same one of somebody else.",
    )
    .sample(&[], counts.joined_now());
    let mut held_back = text.gauge(
        "outboard_auth_held_back",
        "1 for each instance that is left alone since it failed too often.",
    );
    for instance in auth.held_back() {
        held_back.sample(&[("instance", &instance)], 1);
    }
}
