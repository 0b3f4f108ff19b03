//! Requests one after the other, while something else happens.

use std::{
    net::SocketAddr,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
};

use anyhow::{Context, Result, ensure};

use super::{LIMIT, http};

/// Goes on until dropped or finished.
pub struct Traffic {
    answers: Receiver<Result<String>>,
    thread: JoinHandle<()>,
}

impl Traffic {
    pub(super) fn start(address: SocketAddr, path: &str) -> Self {
        // Little room, so that an answer received now is to a request that was sent just before.
        let (sender, answers) = sync_channel(1);
        let request = http::request("GET", path, "", "");
        let thread = std::thread::spawn(move || run(address, &request, &sender));
        Self { answers, thread }
    }

    /// Waits for that many more answers, all good, and gives the last one's body.
    pub fn more(&self, count: usize) -> Result<String> {
        let mut last = String::new();
        for _ in 0..count {
            last = self.answers.recv_timeout(LIMIT).context("no answer comes any more")??;
        }
        Ok(last)
    }

    /// Waits until an answer is that, while all are good.
    pub fn until(&self, wanted: &str) -> Result<()> {
        let end = std::time::Instant::now() + LIMIT;
        loop {
            let answer = self.more(1)?;
            if answer == wanted {
                return Ok(());
            }
            ensure!(std::time::Instant::now() < end, "still {answer:?}, not {wanted:?}");
        }
    }

    /// Ends it. An answer that nobody has looked at yet must be good, too.
    pub fn finish(self) -> Result<()> {
        let Self { answers, thread } = self;
        let rest: Result<Vec<_>> = answers.try_iter().collect();
        drop(answers);
        let ended = thread.join();
        ensure!(ended.is_ok(), "the client panicked");
        rest.map(drop)
    }
}

fn run(address: SocketAddr, request: &str, answers: &SyncSender<Result<String>>) {
    loop {
        let answer = http::exchange(address, request).and_then(|reply| {
            ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
            Ok(reply.text())
        });
        if answers.send(answer).is_err() {
            return;
        }
    }
}
