//! The bytes that supervisor, launcher and guard say to each other; no IO.
//!
//! All three are one program at one version, so the forms are fixed and carry no version. Strings
//! keep their NUL, so that the launcher hands pointers into the received bytes straight to `exec`.

use std::ffi::CStr;
use std::time::Duration;

use crate::containment::Containment;
use crate::spec::{Exit, Step, Usage, User};

/// The largest request, all arguments and variables together. A socket's default buffer holds it.
pub(crate) const REQUEST_MAX: usize = 128 * 1024;

const HEADER: usize = 7 * 4 + 2 * 8;

/// What the supervisor asks of the launcher: one plugin.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) containment: Containment,
    /// `None`: the program is the fifth descriptor.
    pub(crate) path: Option<&'a CStr>,
    pub(crate) dir: &'a CStr,
    pub(crate) args: Strings<'a>,
    pub(crate) env: Strings<'a>,
    pub(crate) user: Option<User>,
    pub(crate) open_files: OpenFiles,
}

/// Soft and hard `RLIMIT_NOFILE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// A counted run of NUL-terminated strings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strings<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> Strings<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a CStr> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| take_string(&mut rest))
    }
}

impl Request<'_> {
    /// Bytes of the request, header included.
    pub(crate) fn len(&self) -> usize {
        let path = self.path.map_or(1, |path| path.count_bytes() + 1);
        HEADER + path + self.dir.count_bytes() + 1 + self.args.bytes.len() + self.env.bytes.len()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        let user = self.user.unwrap_or(User { uid: 0, gid: 0 });
        for word in [
            u32::from(self.containment.to_byte()),
            u32::from(self.path.is_some()),
            u32::from(self.user.is_some()),
            user.uid,
            user.gid,
            self.args.count,
            self.env.count,
        ] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.open_files.soft.to_le_bytes());
        bytes.extend_from_slice(&self.open_files.hard.to_le_bytes());
        bytes.extend_from_slice(self.path.unwrap_or(c"").to_bytes_with_nul());
        bytes.extend_from_slice(self.dir.to_bytes_with_nul());
        bytes.extend_from_slice(self.args.bytes);
        bytes.extend_from_slice(self.env.bytes);
        bytes
    }
}

impl<'a> Request<'a> {
    pub(crate) fn decode(mut bytes: &'a [u8]) -> Option<Self> {
        let mut words = [0; 7];
        for word in &mut words {
            *word = u32::from_le_bytes(take(&mut bytes)?);
        }
        let [containment, has_path, has_user, uid, gid, args, env] = words;
        let soft = u64::from_le_bytes(take(&mut bytes)?);
        let hard = u64::from_le_bytes(take(&mut bytes)?);
        let path = take_string(&mut bytes)?;
        let dir = take_string(&mut bytes)?;
        Some(Self {
            containment: Containment::from_byte(u8::try_from(containment).ok()?)?,
            path: (has_path != 0).then_some(path),
            dir,
            args: take_strings(&mut bytes, args)?,
            env: take_strings(&mut bytes, env)?,
            user: (has_user != 0).then_some(User { uid, gid }),
            open_files: OpenFiles { soft, hard },
        })
        .filter(|_| bytes.is_empty())
    }
}

/// Strings in the form a request carries them, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
    count: u32,
}

impl Packed {
    /// Appends the string made of `parts`; `None` if it would hold a NUL.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> Option<()> {
        if parts.iter().any(|part| part.contains(&0)) {
            return None;
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
        self.count += 1;
        Some(())
    }

    pub(crate) fn strings(&self) -> Strings<'_> {
        Strings { bytes: &self.bytes, count: self.count }
    }
}

/// What the launcher answers: the guard's process id, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Guard { pid: i32 },
    Refused { errno: i32 },
}

impl Reply {
    pub(crate) const SIZE: usize = 4;

    pub(crate) fn encode(self) -> [u8; Self::SIZE] {
        match self {
            Self::Guard { pid } => pid.to_le_bytes(),
            Self::Refused { errno } => (-errno).to_le_bytes(),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match i32::from_le_bytes(bytes.try_into().ok()?) {
            pid if pid > 0 => Some(Self::Guard { pid }),
            errno => Some(Self::Refused { errno: -errno }),
        }
    }
}

/// What a guard says to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The plugin's process id is the guard's view of it. From inside a namespace it travels beside
    /// the report as well, as a credential, which the kernel translates.
    Started {
        pid: i32,
    },
    Failed {
        step: Step,
        errno: i32,
    },
    Exited {
        status: i32,
        usage: Usage,
    },
    Gone,
}

impl Report {
    pub(crate) const SIZE: usize = 32;

    pub(crate) fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        match self {
            Self::Started { pid } => {
                bytes[0] = b'S';
                bytes[4..8].copy_from_slice(&pid.to_le_bytes());
            }
            Self::Failed { step, errno } => {
                bytes[0] = b'F';
                bytes[1] = step.to_byte();
                bytes[4..8].copy_from_slice(&errno.to_le_bytes());
            }
            Self::Exited { status, usage } => {
                bytes[0] = b'X';
                bytes[4..8].copy_from_slice(&status.to_le_bytes());
                bytes[8..16].copy_from_slice(&micros(usage.user).to_le_bytes());
                bytes[16..24].copy_from_slice(&micros(usage.system).to_le_bytes());
                bytes[24..32].copy_from_slice(&usage.max_rss.to_le_bytes());
            }
            Self::Gone => bytes[0] = b'G',
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::SIZE {
            return None;
        }
        let [tag, step, _, _] = take(&mut bytes)?;
        let number = i32::from_le_bytes(take(&mut bytes)?);
        match tag {
            b'S' => Some(Self::Started { pid: number }),
            b'F' => Some(Self::Failed { step: Step::from_byte(step)?, errno: number }),
            b'X' => Some(Self::Exited {
                status: number,
                usage: Usage {
                    user: Duration::from_micros(u64::from_le_bytes(take(&mut bytes)?)),
                    system: Duration::from_micros(u64::from_le_bytes(take(&mut bytes)?)),
                    max_rss: u64::from_le_bytes(take(&mut bytes)?),
                },
            }),
            b'G' => Some(Self::Gone),
            _ => None,
        }
    }
}

/// What the supervisor says to a guard while it lives: send the plugin this signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) signal: i32,
}

impl Order {
    pub(crate) const SIZE: usize = 4;

    pub(crate) fn encode(self) -> [u8; Self::SIZE] {
        self.signal.to_le_bytes()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self { signal: i32::from_le_bytes(bytes.try_into().ok()?) })
    }
}

/// Splits a wait status as `wait4` gives it of a child that has ended.
pub(crate) fn exit_of(status: i32) -> Exit {
    if libc::WIFSIGNALED(status) {
        Exit::Signal { signal: libc::WTERMSIG(status), core: libc::WCOREDUMP(status) }
    } else {
        Exit::Code(libc::WEXITSTATUS(status))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk()?;
    *bytes = tail;
    Some(*head)
}

fn take_string<'a>(bytes: &mut &'a [u8]) -> Option<&'a CStr> {
    let string = CStr::from_bytes_until_nul(bytes).ok()?;
    *bytes = bytes.get(string.count_bytes() + 1..)?;
    Some(string)
}

fn take_strings<'a>(bytes: &mut &'a [u8], count: u32) -> Option<Strings<'a>> {
    let start = *bytes;
    for _ in 0..count {
        take_string(bytes)?;
    }
    Some(Strings { bytes: &start[..start.len() - bytes.len()], count })
}

#[cfg(test)]
mod tests;
