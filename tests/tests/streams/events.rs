//! Server-sent events: each arrives when it is sent, not when the stream ends.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clients::{self, curl},
    supervisor::Supervisor,
};

use super::mock;

/// `curl -N`; killed when dropped.
struct Listener {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listener {
    fn start(supervisor: &Supervisor<'_>, path: &str, more: &[&str]) -> Result<Self> {
        let url = format!("http://{}/api/mock/{path}", supervisor.address);
        // It ends by itself if what a test waits for does not come.
        let arguments = ["--no-buffer", "--fail", "--max-time", "20", &url];
        let mut child = curl(&arguments)?.args(more).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// The next event's id, or nothing at the end.
    fn event(&mut self) -> Result<Option<u64>> {
        let mut id = None;
        for line in self.lines.by_ref() {
            let line = line?;
            if let Some(value) = line.strip_prefix("id:") {
                id = Some(value.trim().parse()?);
            }
            if line.is_empty() && id.is_some() {
                return Ok(id);
            }
        }
        Ok(None)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_event_arrives_while_the_next_one_is_an_hour_away() -> Result<()> {
    mock("", |supervisor| {
        for more in [&["--http1.1"][..], &["--http2-prior-knowledge"], &["--http1.0"]] {
            let mut listener = Listener::start(supervisor, "sse?count=2&ms=3600000", more)?;
            ensure!(listener.event()?.is_some(), "{more:?}: the first event does not come");
        }
        Ok(())
    })
}

#[test]
fn events_arrive_one_by_one_in_their_order() -> Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    mock("", |supervisor| {
        let begun = Instant::now();
        let mut listener = Listener::start(supervisor, "sse?count=10&ms=50", &[])?;
        let mut seen = Vec::new();
        while let Some(id) = listener.event()? {
            seen.push(id);
            // Not before it was sent: each follows the one before after the pause.
            let earliest = PAUSE * u32::try_from(seen.len() - 1)?;
            ensure!(begun.elapsed() >= earliest, "{id} after {:?}", begun.elapsed());
        }
        ensure!(seen.len() == 10 && seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
        Ok(())
    })
}

/// A stream that goes on is no idle one, and has a day if the operator says so.
#[test]
fn a_stream_of_events_outlives_the_idle_time() -> Result<()> {
    mock("[gateway]\nidle_timeout = \"1s\"\nfirst_byte_timeout = \"1s\"\n", |supervisor| {
        let mut listener = Listener::start(supervisor, "sse?count=15&ms=200", &[])?;
        let mut count = 0;
        while listener.event()?.is_some() {
            count += 1;
        }
        ensure!(count == 15, "{count} events");
        Ok(())
    })
}

#[test]
fn many_listeners_get_their_events_at_once() -> Result<()> {
    mock("", |supervisor| {
        let listeners: Result<Vec<_>> =
            (0..30).map(|_| Listener::start(supervisor, "sse?count=2&ms=3600000", &[])).collect();
        for mut listener in listeners? {
            ensure!(listener.event()?.is_some());
        }
        // They are gone, and so is the plugin's work for them; see also `abuse::vanishing`.
        let url = format!("http://{}/api/mock/hello/you", supervisor.address);
        clients::run(&mut curl(&["--fail", &url])?, Duration::from_secs(10))?.good().map(drop)
    })
}
