//! The children of this process: who they are, and the news that one has ended.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{getpid, read};

/// Readable when a child has ended. The signal is blocked already, as all are.
pub(crate) fn ended() -> Result<SignalFd, Errno> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Takes the pending news, before the children are looked at. Several ends are one piece of news.
pub(crate) fn acknowledge(ended: &SignalFd) {
    // Nothing pending is as good.
    let _ = ended.read_signal();
}

/// Calls `visit` with each child, as far as the kernel can list them while they come and go. A
/// caller who needs them all looks again.
pub(crate) fn for_each(mut visit: impl FnMut(i32)) {
    match open(c"/proc/thread-self/children", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()) {
        Ok(list) => each_listed(&list, visit),
        // A kernel without that list: every process is asked who its parent is.
        Err(_) => each_process_of(getpid().as_raw(), &mut visit),
    }
}

fn each_listed(list: &OwnedFd, mut visit: impl FnMut(i32)) {
    let mut numbers = Numbers::default();
    let mut buffer = [0; 1024];
    while let Ok(len) = read(list, &mut buffer)
        && len > 0
    {
        for &byte in &buffer[..len] {
            if let Some(pid) = numbers.push(byte) {
                visit(pid);
            }
        }
    }
}

fn each_process_of(parent: i32, visit: &mut impl FnMut(i32)) {
    let Ok(entries) = std::fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid.filter(|pid| parent_of(*pid) == Some(parent)) {
            visit(pid);
        }
    }
}

/// The parent of a process, by `/proc`. `None` when there is no such process.
pub(crate) fn parent_of(pid: i32) -> Option<i32> {
    parent_in(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The name stands in parentheses and may hold anything, further parentheses too.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = stat[after_name..].split(|byte| *byte == b' ').filter(|f| !f.is_empty());
    std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()
}

/// Reads numbers, each ended by a space, from bytes that come in pieces.
#[derive(Default)]
struct Numbers {
    value: Option<i32>,
}

impl Numbers {
    fn push(&mut self, byte: u8) -> Option<i32> {
        if !byte.is_ascii_digit() {
            return self.value.take();
        }
        let digit = i32::from(byte - b'0');
        self.value = Some(self.value.unwrap_or(0).wrapping_mul(10).wrapping_add(digit));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_across_the_pieces_they_come_in() {
        let mut numbers = Numbers::default();
        let read: Vec<i32> = b"12 7 32768 ".iter().filter_map(|byte| numbers.push(*byte)).collect();
        assert_eq!(read, [12, 7, 32768]);
    }

    #[test]
    fn the_parent_is_found_behind_a_name_made_to_mislead() {
        assert_eq!(parent_in(b"42 (a) S 1 (b) R 7 42 42 0 -1"), Some(7));
        assert_eq!(parent_in(b"42 (sh) S 41 42"), Some(41));
        assert_eq!(parent_in(b""), None);
    }

    #[test]
    fn a_child_is_listed_and_its_parent_is_found() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut scanned = Vec::new();
        each_process_of(getpid().as_raw(), &mut |pid| scanned.push(pid));
        assert!(scanned.contains(&pid));
        assert_eq!(parent_of(pid), Some(getpid().as_raw()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
