//! What the mock gets wrong in its other parts, as a scheme and as a backend, and how often it was asked for what.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

/// Which calls to get wrong, and how.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Trouble {
    /// By name, such as `validate`. Empty: all.
    calls: Vec<String>,
    /// About whom, by name. Empty: everybody.
    about: Vec<String>,
    /// First of all, wait.
    delay_ms: u64,
    /// End the process.
    crash: bool,
    panic: bool,
    /// Never answer.
    hang: bool,
    /// Say that it failed.
    error: bool,
}

impl Trouble {
    /// The error says that it was asked for.
    pub(crate) async fn make(&self, call: &str, about: &str) -> Result<(), String> {
        let named =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|it| it == name);
        if !named(&self.calls, call) || !named(&self.about, about) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        if self.crash {
            std::process::abort();
        }
        assert!(!self.panic, "panicking in {call}, as asked");
        if self.hang {
            pending::<()>().await;
        }
        if self.error { Err(format!("failing in {call}, as asked")) } else { Ok(()) }
    }
}

/// How often the host has made which call.
#[derive(Default)]
pub(crate) struct Asked(Mutex<BTreeMap<&'static str, u64>>);

impl Asked {
    pub(crate) fn count(&self, call: &'static str) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(call).or_default() += 1;
    }

    pub(crate) fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
