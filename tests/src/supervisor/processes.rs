//! Processes of this machine, found by where they run, and waiting for their end.

use std::{
    fs,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

/// A process that was there when this was made. Its number alone may be somebody else's by now.
#[derive(Debug)]
pub struct Process {
    pub pid: i32,
    descriptor: OwnedFd,
}

impl Process {
    pub fn open(pid: i32) -> Result<Self> {
        let number = rustix::process::Pid::from_raw(pid).context("no process has this number")?;
        let descriptor = pidfd_open(number, PidfdFlags::empty())
            .with_context(|| format!("there is no process {pid}"))?;
        Ok(Self { pid, descriptor })
    }

    /// Waits for its end.
    pub fn wait(&self, limit: Duration) -> Result<()> {
        let mut ended = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        let count = poll(&mut ended, PollTimeout::try_from(limit)?)?;
        ensure!(count == 1, "process {} still runs after {limit:?}", self.pid);
        Ok(())
    }

    pub fn is_running(&self) -> bool {
        self.wait(Duration::ZERO).is_err()
    }

    /// SIGKILL. Nothing happens if it is gone.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.descriptor, rustix::process::Signal::KILL);
    }

    /// The process that started it, or has adopted it.
    pub fn parent(&self) -> Result<i32> {
        status(self.pid, 1)?.parse().context("its parent's number")
    }

    /// The number of its session.
    pub fn session(&self) -> Result<i32> {
        status(self.pid, 3)?.parse().context("its session's number")
    }
}

/// SIGKILL to a process by its number.
pub fn kill_9(pid: i32) -> Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("kill -9 {pid}"))
}

/// Processes whose program or working directory lies in `directory`.
pub fn within(directory: &Path) -> Result<Vec<Process>> {
    let is_in = |pid: i32| {
        ["exe", "cwd"].iter().any(|link| {
            fs::read_link(format!("/proc/{pid}/{link}")).is_ok_and(|to| to.starts_with(directory))
        })
    };
    let found = all()?.into_iter().filter(|&pid| is_in(pid));
    // One may end between the look and the opening; one that has is none.
    Ok(found.filter_map(|pid| Process::open(pid).ok()).filter(Process::is_running).collect())
}

/// The numbers of the processes whose parent is `pid`.
pub fn children(pid: i32) -> Result<Vec<i32>> {
    let parent = pid.to_string();
    let is_child = |&child: &i32| status(child, 1).is_ok_and(|number| number == parent);
    Ok(all()?.into_iter().filter(is_child).collect())
}

fn all() -> Result<Vec<i32>> {
    let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// A field of `/proc/<pid>/stat`, counted from 0 behind the name, which may hold anything.
fn status(pid: i32, field: usize) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(") ").context("a status without a name")?.1;
    Ok(rest.split(' ').nth(field).context("a short status")?.to_owned())
}
