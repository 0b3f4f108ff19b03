//! Ways to misbehave once the host has connected.

use std::env;
use std::future::pending;
use std::hint::black_box;
use std::io;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

/// After that, whatever was forgotten ends by itself.
pub(super) const LONGEST: Duration = Duration::from_mins(5);

const FLOOD_BYTES: usize = 256 * 1024 * 1024;
const HOG_BYTES: usize = 512 * 1024 * 1024;

/// First argument of a grandchild.
const GRANDCHILD: &str = "grandchild";
/// First argument of the process between, which ends at once.
const BETWEEN: &str = "between";

/// Does what the word says, and gives whether it is one of these.
pub(super) async fn misbehave(word: &str) -> bool {
    match word {
        "hang-in-load" => pending().await,
        "flood-stdout" => flood(io::stdout()),
        "flood-stderr" => flood(io::stderr()),
        "hog-memory" => hog(),
        "daemonise" => daemonise(),
        _ => return false,
    }
    true
}

/// Lines as fast as the other end takes them, from a thread.
fn flood(mut to: impl io::Write + Send + 'static) {
    thread::spawn(move || {
        let line = format!("{}\n", "the same line again and again ".repeat(8));
        for _ in 0..FLOOD_BYTES / line.len() {
            if to.write_all(line.as_bytes()).is_err() {
                return;
            }
        }
    });
}

/// Takes memory and uses it, a page at a time, and keeps it.
fn hog() {
    thread::spawn(|| {
        let mut hoard = Vec::new();
        while hoard.len() * 1024 * 1024 < HOG_BYTES {
            hoard.push(black_box(vec![0xa5_u8; 1024 * 1024]));
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(LONGEST);
    });
}

/// Leaves behind a process in a session of its own, whose parent is gone, and which holds this one's
/// stdout and stderr.
fn daemonise() {
    let between = env::current_exe()
        .and_then(|program| Command::new(program).arg(BETWEEN).spawn())
        .and_then(|mut child| child.wait());
    match between {
        Ok(status) => tracing::info!(%status, "daemonised"),
        Err(error) => tracing::error!(%error, "could not daemonise"),
    }
}

/// What [`daemonise`] started runs this instead of a plugin.
pub(super) fn as_grandchild() -> Option<ExitCode> {
    match env::args().nth(1)?.as_str() {
        BETWEEN => {
            let started = nix::unistd::setsid()
                .map_err(io::Error::from)
                .and_then(|_| Command::new(env::current_exe()?).arg(GRANDCHILD).spawn());
            Some(started.map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS))
        }
        GRANDCHILD => {
            thread::sleep(LONGEST);
            Some(ExitCode::SUCCESS)
        }
        _ => None,
    }
}
