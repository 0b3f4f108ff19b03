//! What to start, and what may become of it. Plain values: nothing here does IO.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use crate::containment::Containment;

/// One plugin to start.
#[derive(Debug)]
pub struct Spec {
    pub program: Program,
    /// The whole argv, its first element included.
    pub args: Vec<OsString>,
    /// The whole environment: the plugin sees these variables and no others.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory, entered as the plugin's user.
    pub dir: PathBuf,
    pub containment: Containment,
    /// `None` is the supervisor's own user. Another one needs root, and groups become just `gid`.
    pub user: Option<User>,
}

#[derive(Debug)]
pub enum Program {
    /// Executed by descriptor, so that the file that was checked is the file that runs. An open
    /// for path only is enough. Not for scripts: their interpreter could not open them.
    File(File),
    /// Executed by name, relative to [`Spec::dir`]; `PATH` is not searched.
    Path(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal { signal: i32, core: bool },
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal { signal, core } => {
                let core = if *core { ", core dumped" } else { "" };
                match nix::sys::signal::Signal::try_from(*signal) {
                    Ok(name) => write!(f, "killed by {name}{core}"),
                    Err(_) => write!(f, "killed by signal {signal}{core}"),
                }
            }
        }
    }
}

/// What a plugin used, the descendants it waited for included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in the program.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// The most memory resident at one time, in bytes.
    pub max_rss: u64,
}

/// The news of one plugin, in the order in which they can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The program runs; `pid` is its process id as the supervisor sees it.
    Started { pid: i32 },
    /// The program never ran. `step` says what failed, `errno` why.
    ExecFailed { step: Step, errno: i32 },
    /// The plugin ended. What it left behind is being killed.
    Exited { status: Exit, rusage: Usage },
    /// Every process of the tree is dead.
    Gone,
    /// The guard was killed before it could say how the plugin ended. The tree dies with it: wait
    /// for [`crate::Guard::pidfd`].
    Lost,
}

/// The part of a start that failed; reads well after "could not".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Guard,
    UserNamespace,
    Fork,
    Stdio,
    OpenFiles,
    User,
    Directory,
    Confine,
    Program,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Guard,
        Self::UserNamespace,
        Self::Fork,
        Self::Stdio,
        Self::OpenFiles,
        Self::User,
        Self::Directory,
        Self::Confine,
        Self::Program,
    ];

    pub(crate) fn to_byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guard => "set up the guard process",
            Self::UserNamespace => "map the user into its namespace",
            Self::Fork => "fork the plugin",
            Self::Stdio => "connect the plugin's stdin, stdout and stderr",
            Self::OpenFiles => "set the plugin's limit of open files",
            Self::User => "switch to the plugin's user",
            Self::Directory => "enter the plugin's working directory",
            Self::Confine => "confine the plugin",
            Self::Program => "execute the program",
        })
    }
}
