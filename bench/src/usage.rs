//! What processes have used, as the kernel counts it.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};

/// Of all threads, user and system time.
pub(crate) fn processor(pids: &[u32]) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for pid in pids {
        let path = format!("/proc/{pid}/stat");
        // The unit of that file, whatever the kernel's own clock does.
        sum += Duration::from_millis(10) * Stat::read(Path::new(&path))?.ticks;
    }
    Ok(sum)
}

/// What is of interest in a stat file.
pub(crate) struct Stat {
    pub(crate) parent: u32,
    /// User and system time in hundredths of a second.
    pub(crate) ticks: u32,
}

impl Stat {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        // The program's name, in parentheses, may hold anything.
        let fields = text.rsplit_once(") ").context("not a stat file")?.1;
        let fields: Vec<&str> = fields.split(' ').collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok());
        let (parent, user, system) = (number(1), number(11), number(12));
        let ticks = user.context("no user time")? + system.context("no system time")?;
        Ok(Self { parent: parent.context("no parent")?, ticks })
    }
}

/// A size out of `/proc/<pid>/status`, such as `VmHWM`, in KiB.
pub(crate) fn memory(pid: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = line.and_then(|line| line.trim().split(' ').next());
    Ok(value.with_context(|| format!("no {field}"))?.parse()?)
}

/// Lets `VmHWM` begin anew with what is there now, without what the process only took to start.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").context(path)
}

/// Processes that `pid` has started.
pub(crate) fn children(pid: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("children"))?;
        for child in text.split_whitespace() {
            children.push(child.parse()?);
        }
    }
    Ok(children)
}

/// The processes below `pid` that have started none themselves.
pub(crate) fn leaves(pid: u32) -> Result<Vec<u32>> {
    let mut leaves = Vec::new();
    let mut open = children(pid)?;
    while let Some(pid) = open.pop() {
        let children = children(pid)?;
        if children.is_empty() {
            leaves.push(pid);
        }
        open.extend(children);
    }
    Ok(leaves)
}
