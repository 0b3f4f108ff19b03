//! Whether a process descends from another, by `/proc`.

use std::fs;

/// Further up than any process tree that somebody would make.
const HIGHEST: usize = 4096;

/// True if `ancestor` is above `pid`, or is `pid` itself.
///
/// A chain that can't be followed to the top, because a process in it has just ended, counts as a
/// descent: whoever asks wants to let in only those of whom he is sure.
pub(super) fn descends(pid: i32, ancestor: i32) -> bool {
    let mut current = pid;
    for _ in 0..HIGHEST {
        match current {
            _ if current == ancestor => return true,
            0 | 1 => return false,
            _ => match parent(current) {
                Some(parent) => current = parent,
                None => return true,
            },
        }
    }
    true
}

/// The fourth field of `/proc/PID/stat`, counted behind the name, which may hold anything.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_pid() -> i32 {
        nix::unistd::getpid().as_raw()
    }

    #[test]
    fn a_process_descends_from_itself_and_its_parent_but_not_from_its_child() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let child_pid = i32::try_from(child.id()).unwrap();
        assert!(descends(own_pid(), own_pid()));
        assert!(descends(child_pid, own_pid()));
        assert!(!descends(own_pid(), child_pid));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn who_can_not_be_traced_counts_as_a_descendant() {
        assert!(descends(i32::MAX, own_pid()));
    }
}
