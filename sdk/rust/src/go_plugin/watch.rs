//! Notices that the host is gone, without taking anything from it.
//!
//! Under Outboard, stdin is a pipe whose other end only the supervisor holds, so its end is the host's.
//! Other hosts pass their own stdin on: it may be a file, a terminal, or a pipe that ends while the
//! host lives on. There its end proves nothing, and a plugin asks who its parent is. In neither case
//! is a byte read.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::process::parent_id;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::stop::Stop;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Starts a thread, so that a handler that blocks the runtime can't hide the host's end.
pub(super) fn spawn(stop: Stop, watched: Watched) -> io::Result<()> {
    let Watched { stdin, parent } = watched;
    thread::Builder::new().name("outboard-host".to_owned()).spawn(move || {
        match stdin {
            Some(stdin) => wait_for_end(&stdin),
            None => wait_for_new_parent(parent),
        }
        stop.request("the host is gone");
    })?;
    Ok(())
}

/// What tells that the host is gone. Looked up before the host can go, so before the handshake line.
pub(super) struct Watched {
    stdin: Option<File>,
    parent: u32,
}

impl Watched {
    pub(super) fn new(is_outboard: bool) -> io::Result<Self> {
        let stdin = if is_outboard { liveness_pipe()? } else { None };
        Ok(Self { stdin, parent: parent_id() })
    }
}

/// Stdin, if somebody holds its other end.
fn liveness_pipe() -> io::Result<Option<File>> {
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let kind = stdin.metadata()?.file_type();
    Ok((kind.is_fifo() || kind.is_socket()).then_some(stdin))
}

fn wait_for_end(stdin: &File) {
    loop {
        // No events are asked for: the end is always reported, and data is left where it is.
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
        // An error can only be an interruption.
        let _ = poll(&mut fds, PollTimeout::NONE);
        let seen = fds[0].revents().unwrap_or(PollFlags::empty());
        if seen.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
            return;
        }
    }
}

fn wait_for_new_parent(parent: u32) {
    while parent_id() == parent {
        thread::sleep(LOOK_EVERY);
    }
}
