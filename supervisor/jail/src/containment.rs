//! The ways to hold a process tree together, and which of them this machine allows.

use std::fmt;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::unistd::{getegid, geteuid};

use crate::sys::{self, Branch};

/// What keeps a plugin's descendants within reach, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Containment {
    /// The guard is PID 1 of a namespace; the kernel kills the rest when it dies. Needs root.
    PidNamespace,
    /// The same inside a user namespace with one user, the supervisor's. Needs no privilege, but
    /// many containers and some distributions refuse it.
    UserPidNamespace,
    /// The guard adopts orphans and kills until none is left. Works everywhere; a plugin of the
    /// supervisor's own user can still kill its guard.
    SubReaper,
}

impl Containment {
    const ALL: [Self; 3] = [Self::PidNamespace, Self::UserPidNamespace, Self::SubReaper];

    /// The strongest this machine allows. Tried once per process, and remembered.
    pub fn strongest() -> Self {
        static STRONGEST: OnceLock<Containment> = OnceLock::new();
        *STRONGEST.get_or_init(|| {
            Self::ALL.into_iter().find(|mode| mode.is_available()).unwrap_or(Self::SubReaper)
        })
    }

    /// Whether this machine allows it to this process; tried anew at each call.
    pub fn is_available(self) -> bool {
        match self {
            Self::PidNamespace | Self::UserPidNamespace => self.probe().unwrap_or(false),
            Self::SubReaper => true,
        }
    }

    /// Whether the guard is PID 1 of a namespace of its own.
    pub(crate) fn has_namespace(self) -> bool {
        self != Self::SubReaper
    }

    pub(crate) fn clone_flags(self) -> i32 {
        match self {
            Self::PidNamespace => libc::CLONE_NEWPID,
            Self::UserPidNamespace => libc::CLONE_NEWUSER | libc::CLONE_NEWPID,
            Self::SubReaper => 0,
        }
    }

    pub(crate) fn to_byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    /// Makes such a namespace and leaves it. The user map is written too: where a distribution
    /// restricts user namespaces, the clone succeeds and only the map is refused.
    fn probe(self) -> Result<bool, Errno> {
        let owner = Owner::current();
        // SAFETY: the child only makes system calls and exits; it allocates nothing and takes no
        // lock, so it does not matter that other threads are gone in it.
        match unsafe { sys::clone(self.clone_flags(), 0) }? {
            Branch::Child => {
                let mapped = self != Self::UserPidNamespace || owner.map_into_namespace().is_ok();
                sys::exit(i32::from(!mapped))
            }
            Branch::Parent { pid, .. } => Ok(sys::wait_clone(pid)? == 0),
        }
    }
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PidNamespace => "pid namespace",
            Self::UserPidNamespace => "user and pid namespace",
            Self::SubReaper => "sub-reaper",
        })
    }
}

/// Who is mapped into a user namespace. Read before the clone: inside, before the map is written,
/// everybody is the overflow user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    pub(crate) fn current() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    /// Maps this one user and group to themselves, as the first thing in a new user namespace.
    pub(crate) fn map_into_namespace(self) -> Result<(), Errno> {
        // The files belong to root, and refuse us, while this process is not dumpable.
        nix::sys::prctl::set_dumpable(true)?;
        sys::write_file(c"/proc/self/setgroups", b"deny")?;
        let mut line = Line::default();
        sys::write_file(c"/proc/self/uid_map", line.identity(self.uid))?;
        sys::write_file(c"/proc/self/gid_map", line.identity(self.gid))
    }
}

/// A map line, made without the formatting machinery, whose pages each guard would pay for.
#[derive(Default)]
struct Line {
    bytes: [u8; 24],
}

impl Line {
    /// `"<id> <id> 1"`.
    fn identity(&mut self, id: u32) -> &[u8] {
        let mut digits = [0; 10];
        let mut first = digits.len();
        let mut rest = id;
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let mut len = 0;
        for part in [&digits[first..], b" ", &digits[first..], b" 1"] {
            self.bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        &self.bytes[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_line_names_the_id_twice_for_every_length_of_id() {
        for id in [0, 7, 10, 1000, 65534, u32::MAX] {
            let mut line = Line::default();
            assert_eq!(line.identity(id), format!("{id} {id} 1").as_bytes());
        }
    }

    #[test]
    fn every_mode_survives_the_trip_through_its_byte() {
        for mode in Containment::ALL {
            assert_eq!(Containment::from_byte(mode.to_byte()), Some(mode));
        }
        assert_eq!(Containment::from_byte(3), None);
    }
}
