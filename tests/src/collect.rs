//! An [`Output`] that keeps everything, and waits for what a test expects.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use outboard_host::{LogLine, Output};
use tokio::{sync::Notify, time};

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// What a plugin said so far.
#[derive(Default)]
pub struct Collected {
    said: Mutex<Said>,
    changed: Notify,
}

/// The pieces as they arrived.
#[derive(Default, Clone)]
pub struct Said {
    pub lines: Vec<LogLine>,
    pub stdout: Vec<Vec<u8>>,
    pub stderr: Vec<Vec<u8>>,
}

impl Said {
    /// All of stdout, put together.
    pub fn stdout_bytes(&self) -> Vec<u8> {
        self.stdout.concat()
    }
}

impl Collected {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits until `is_enough` holds, and gives what was said by then.
    pub async fn wait_for(&self, is_enough: impl Fn(&Said) -> bool) -> Result<Said> {
        let enough = async {
            loop {
                let changed = self.changed.notified();
                let said = self.lock().clone();
                if is_enough(&said) {
                    return said;
                }
                changed.await;
            }
        };
        time::timeout(LIMIT, enough).await.context("the plugin did not say what was expected")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }
}

impl Output for Collected {
    fn line(&self, line: LogLine) {
        self.add(|said| said.lines.push(line));
    }

    fn stdout(&self, bytes: &[u8]) {
        self.add(|said| said.stdout.push(bytes.to_vec()));
    }

    fn stderr(&self, bytes: &[u8]) {
        self.add(|said| said.stderr.push(bytes.to_vec()));
    }
}
