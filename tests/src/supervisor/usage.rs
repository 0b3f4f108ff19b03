//! What processes hold at a moment, and that they hold no more of it in the end.

use std::{fs, io::ErrorKind, time::Duration};

use anyhow::{Context, Result, bail};

use super::{LIMIT, Supervisor, processes::Process};
use crate::wait::until_within;

/// What one process holds.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Memory that is its own or mapped, in bytes: now, and the most there ever was.
    pub resident: u64,
    pub peak: u64,
    pub descriptors: u64,
}

impl Process {
    /// Lets the most there ever was begin anew with what is there now: `proc_pid_clear_refs(5)`. Where we may not, it
    /// stays what it was.
    fn forget_peak(&self) -> Result<Usage> {
        let file = format!("/proc/{}/clear_refs", self.pid);
        match fs::write(&file, "5") {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error).context(file),
            _ => self.usage(),
        }
    }

    pub fn usage(&self) -> Result<Usage> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let words = line.with_context(|| format!("no {name} of process {}", self.pid))?;
            let kib: u64 = words.trim().trim_end_matches(" kB").parse()?;
            anyhow::Ok(kib * 1024)
        };
        let (resident, peak) = (kib("VmRSS:")?, kib("VmHWM:")?);
        Ok(Usage { resident, peak, descriptors: descriptors(self.pid)? })
    }
}

/// The supervisor's may be listed by root alone, but counted by everybody (from Linux 6.2).
fn descriptors(pid: i32) -> Result<u64> {
    let directory = format!("/proc/{pid}/fd");
    let counted = fs::metadata(&directory)?.len();
    if counted > 0 {
        return Ok(counted);
    }
    let listed = fs::read_dir(&directory).with_context(|| format!("{directory}: run as root"))?;
    Ok(listed.count() as u64)
}

/// The supervisor and the process of a plugin, as they were.
pub struct Before {
    processes: Vec<(&'static str, Process, Usage)>,
}

impl Before {
    /// Remembers them. What they set up at their first requests should be there by now, and what they only had while
    /// they started, like the memory of a password's hash, should be given back.
    pub fn of(supervisor: &Supervisor<'_>, plugin: &str) -> Result<Self> {
        let plugin = Process::open(supervisor.plugin(plugin)?.pid()?)?;
        let supervisor = Process::open(supervisor.pid())?;
        let processes = [("supervisor", supervisor), ("plugin", plugin)];
        let processes = processes.map(|(name, process)| {
            let usage = process.forget_peak()?;
            anyhow::Ok((name, process, usage))
        });
        Ok(Self { processes: processes.into_iter().collect::<Result<_>>()? })
    }

    /// What each of them holds more at the most than it did then, in bytes.
    pub fn peak_growth(&self) -> Result<Vec<(&'static str, u64)>> {
        let growth = |(name, process, before): &(&'static str, Process, Usage)| {
            let now = process.usage()?;
            Ok((*name, now.peak.saturating_sub(before.peak)))
        };
        self.processes.iter().map(growth).collect()
    }

    /// None of them has held more than so many bytes more at any time since.
    pub fn never_grew_by(&self, bytes: u64) -> Result<()> {
        let grown = self.peak_growth()?;
        if grown.iter().any(|(_, more)| *more > bytes) {
            bail!("grown by more than {bytes} bytes at a time: {grown:?}");
        }
        Ok(())
    }

    /// Waits until each of them has no more descriptors than then, and at most so many bytes more of memory.
    pub fn returns(&self, bytes: u64) -> Result<()> {
        self.returns_within(LIMIT, bytes)
    }

    /// The same, where it may take longer.
    pub fn returns_within(&self, limit: Duration, bytes: u64) -> Result<()> {
        for (name, process, before) in &self.processes {
            let is_back = |now: &Usage| {
                now.descriptors <= before.descriptors && now.resident <= before.resident + bytes
            };
            until_within(limit, || process.usage(), is_back).with_context(|| {
                format!("the {name} keeps what it should not: {before:?} before")
            })?;
        }
        Ok(())
    }
}
