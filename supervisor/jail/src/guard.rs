//! The supervisor's end of a guard: news of the plugin, and the means to end it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{Shutdown, shutdown};

use crate::message::{Order, Report, exit_of};
use crate::peer::Tree;
use crate::spec::Event;
use crate::sys;

mod plugin;
pub(crate) mod process;

/// A plugin that was asked for. The descriptors are blocking pipes of the supervisor's alone.
#[derive(Debug)]
pub struct Child {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    pub guard: Guard,
}

/// The process that holds a plugin's tree. Dropping it kills the tree.
///
/// As a descriptor it is the guard's socket: non-blocking, and readable when [`Guard::next`] has
/// something to say.
#[derive(Debug)]
pub struct Guard {
    control: OwnedFd,
    tree: Tree,
    /// How the plugin ended has been told, be it that it never started.
    is_settled: AtomicBool,
}

impl Guard {
    pub(crate) fn new(control: OwnedFd, tree: Tree) -> Self {
        Self { control, tree, is_settled: AtomicBool::new(false) }
    }

    /// The next piece of news; `None` when there will be no more.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when there is nothing yet: wait for the descriptor.
    pub fn next(&self) -> io::Result<Option<Event>> {
        let mut bytes = [0; Report::SIZE];
        let received = loop {
            match sys::receive(self.control.as_fd(), &mut bytes) {
                Ok(received) if received.len > 0 => break received,
                Ok(_) => return Ok(self.end()),
                // Said once when the guard ended without reading an order; its reports come after.
                Err(Errno::ECONNRESET) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        let report = Report::decode(&bytes[..received.len]).ok_or(Errno::EPROTO)?;
        Ok(Some(self.event(report, received.sender)))
    }

    /// Kills every process of the tree, guard included. What comes of it is told as events and by
    /// [`Guard::pidfd`]. Never blocks, and may be called at any time and again.
    pub fn kill_tree(&self) {
        // Refused when the guard is gone, and the tree with it.
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Write);
    }

    /// Sends a signal to the plugin, not to its descendants. Nothing happens if it has ended.
    pub fn signal(&self, signal: i32) {
        // As in `kill_tree`. The guard sends it, since it alone knows that the id is still its
        // plugin's.
        let _ = sys::send(self.control.as_fd(), &Order { signal }.encode(), &[], None);
    }

    /// The guard's own process descriptor: readable once every process of the tree is dead. The
    /// end of the socket comes before that.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.tree.guard()
    }

    /// What [`crate::peer::check`] needs to know the plugin's processes by.
    pub fn tree(&self) -> Tree {
        self.tree.clone()
    }

    fn event(&self, report: Report, sender: Option<i32>) -> Event {
        match report {
            Report::Started { pid } => {
                let inside = self.tree.has_namespace();
                Event::Started { pid: sender.filter(|_| inside).unwrap_or(pid) }
            }
            Report::Failed { step, errno } => {
                self.settle();
                Event::ExecFailed { step, errno }
            }
            Report::Exited { status, usage } => {
                self.settle();
                Event::Exited { status: exit_of(status), rusage: usage }
            }
            Report::Gone => Event::Gone,
        }
    }

    fn settle(&self) {
        self.is_settled.store(true, Ordering::Relaxed);
    }

    fn end(&self) -> Option<Event> {
        (!self.is_settled.swap(true, Ordering::Relaxed)).then_some(Event::Lost)
    }
}

impl AsFd for Guard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

impl AsRawFd for Guard {
    fn as_raw_fd(&self) -> RawFd {
        self.control.as_raw_fd()
    }
}
