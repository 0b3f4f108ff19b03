//! Programs that a measurement needs: started on cores of its choice, and stopped whatever happens.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::client;

/// Longer than any of them takes to start or to stop.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// Where something runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    All,
    One(usize),
}

impl Cores {
    /// Runs `act` on a thread of its own there. Programs that it starts stay there too.
    pub(crate) fn run<T: Send>(self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let pinned = move || {
            if let Self::One(core) = self {
                let mut set = CpuSet::new();
                set.set(core)?;
                sched_setaffinity(Pid::from_raw(0), &set)
                    .with_context(|| format!("core {core} can't be had; two are needed"))?;
            }
            act()
        };
        match thread::scope(|scope| scope.spawn(pinned).join()) {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// A running program. Dropped, it is asked to stop, and killed if it does not.
pub(crate) struct Program {
    name: String,
    child: Child,
    /// What it printed.
    log: PathBuf,
}

impl Program {
    /// Starts it; what it prints goes to a file in `directory`.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        directory: &Path,
        cores: Cores,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let spawned = cores.run(|| Ok(command.spawn()?));
        let child = spawned.with_context(|| format!("{name} can't be started"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a request for `path` is answered with 200.
    pub(crate) fn wait_until_it_serves(&mut self, address: SocketAddr, path: &str) -> Result<()> {
        self.wait_until("serve", || client::get(address, path).is_ok_and(|status| status == 200))
    }

    pub(crate) fn wait_until(&mut self, what: &str, is_so: impl Fn() -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > end {
                let printed = fs::read_to_string(&self.log).unwrap_or_default();
                bail!("{} does not {what} ({ended:?}); it printed:\n{printed}", self.name);
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// With `-9`, and waits for its end.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn has_ended(&mut self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(PAUSE);
        }
        true
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if !self.has_ended(PATIENCE) {
            eprintln!("bench: {} had to be killed", self.name);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A directory with a short path, since sockets go into it. Goes with everything in it when dropped.
pub(crate) fn directory() -> Result<TempDir> {
    tempfile::Builder::new().prefix("ob").tempdir_in("/tmp").context("no directory below /tmp")
}

/// An address of the loopback that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A program that was built beside this one.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.is_file(), "{} is missing; run `cargo xtask bench`", path.display());
    Ok(path)
}
