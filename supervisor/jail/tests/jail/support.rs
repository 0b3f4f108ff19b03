//! Starting plugins and waiting for what becomes of them, never for ever.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use outboard_jail::{
    Child, Containment, Event, Exit, Guard, Launcher, Program, Spec, forbid_dumping,
    raise_open_files,
};
use tempfile::TempDir;

/// Longer than anything here takes on the slowest machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The soft limit of open files before it is raised, unlike any hard one.
pub(crate) const OPEN_FILES: u64 = 1000;

pub(crate) const MODES: [Containment; 3] =
    [Containment::PidNamespace, Containment::UserPidNamespace, Containment::SubReaper];

pub(crate) type Test = (&'static str, fn(&Stage));

/// What a test is given: one mode, and the launcher that all tests share.
pub(crate) struct Stage {
    pub(crate) mode: Containment,
    pub(crate) launcher: Arc<Launcher>,
}

impl Stage {
    pub(crate) fn spec(&self, args: &[&str]) -> Spec {
        plugin_spec(self.mode, args)
    }

    /// Starts this program as a plugin.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.launcher.spawn(&self.spec(args)).unwrap()
    }

    /// What a plugin says on stdout until it closes it.
    pub(crate) fn said(&self, spec: &Spec) -> String {
        let child = self.launcher.spawn(spec).unwrap();
        let text = read_all(child.stdout);
        let events = events(&child.guard);
        assert!(
            events.iter().any(|event| matches!(event, Event::Exited { status: Exit::Code(0), .. })),
            "{events:?} {text}"
        );
        text
    }
}

/// A launcher, and this process as a supervisor is once it has one.
pub(crate) fn launcher() -> Arc<Launcher> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, hard).unwrap();
    // One that exec would hand on, as a service manager or a careless library leaves behind.
    let leak = File::open("/dev/null").unwrap();
    fcntl(&leak, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let launcher = Launcher::fork().unwrap();
    std::mem::forget(leak);
    forbid_dumping().unwrap();
    assert_eq!(raise_open_files().unwrap(), hard);
    Arc::new(launcher)
}

pub(crate) fn name_of(mode: Containment) -> &'static str {
    match mode {
        Containment::PidNamespace => "pid_namespace",
        Containment::UserPidNamespace => "user_pid_namespace",
        Containment::SubReaper => "sub_reaper",
    }
}

pub(crate) fn mode_named(name: &str) -> Containment {
    MODES.into_iter().find(|mode| name_of(*mode) == name).expect("a mode by its name")
}

pub(crate) fn own_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

pub(crate) fn plugin_spec(mode: Containment, args: &[&str]) -> Spec {
    let args = ["plugin-under-test", "plugin"].iter().chain(args).map(OsString::from).collect();
    Spec {
        program: Program::File(File::open(own_program()).unwrap()),
        args,
        env: Vec::new(),
        dir: PathBuf::from("/"),
        containment: mode,
        user: None,
    }
}

/// A directory that every user may enter and write to.
pub(crate) fn open_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    dir
}

/// True when the descriptor became readable, or ended, in time.
pub(crate) fn wait_for(descriptor: BorrowedFd<'_>, patience: Duration) -> bool {
    let mut entries = [PollFd::new(descriptor, PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(patience).unwrap();
    poll(&mut entries, timeout).unwrap() > 0
}

pub(crate) fn next_event(guard: &Guard) -> Option<Event> {
    loop {
        match guard.next() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(wait_for(guard.as_fd(), PATIENCE), "the guard says nothing");
            }
            other => return other.unwrap(),
        }
    }
}

/// Everything that a guard says until its end, and then the end of the tree itself.
pub(crate) fn events(guard: &Guard) -> Vec<Event> {
    let events = std::iter::from_fn(|| next_event(guard)).collect();
    assert!(wait_for(guard.pidfd(), PATIENCE), "the guard lives on");
    events
}

/// The plugin's process id, once it runs.
pub(crate) fn started(guard: &Guard) -> i32 {
    match next_event(guard) {
        Some(Event::Started { pid }) => pid,
        other => panic!("the plugin should start, but {other:?}"),
    }
}

pub(crate) fn exit_among(events: &[Event]) -> Option<Exit> {
    events.iter().find_map(|event| match event {
        Event::Exited { status, .. } => Some(*status),
        _ => None,
    })
}

pub(crate) fn read_all(pipe: OwnedFd) -> String {
    let mut pipe = File::from(pipe);
    let mut bytes = Vec::new();
    loop {
        assert!(wait_for(pipe.as_fd(), PATIENCE), "the plugin keeps its stdout open");
        let mut part = [0; 4096];
        match pipe.read(&mut part).unwrap() {
            0 => return String::from_utf8(bytes).unwrap(),
            len => bytes.extend_from_slice(&part[..len]),
        }
    }
}

/// A FIFO which the processes of a tree hold open: each writes a byte, and it ends when the last
/// of them is dead.
pub(crate) struct Fifo {
    pub(crate) path: PathBuf,
    reader: File,
    _dir: TempDir,
}

impl Fifo {
    pub(crate) fn new() -> Self {
        let dir = open_dir();
        let path = dir.path().join("alive");
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()).unwrap();
        Self { path, reader: reader.into(), _dir: dir }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Waits until so many processes hold it.
    pub(crate) fn wait_for_holders(&mut self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = 0;
        while seen < count {
            assert!(Instant::now() < deadline, "{seen} of {count} processes came up");
            wait_for(self.reader.as_fd(), PATIENCE);
            match self.reader.read(&mut [0; 1]) {
                // Nobody has opened it yet; its end shows no change to wait for.
                Ok(0) => std::thread::yield_now(),
                Ok(len) => seen += len,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    /// True if everybody who held it is dead within that time.
    pub(crate) fn is_deserted_within(&mut self, limit: Duration) -> bool {
        wait_for(self.reader.as_fd(), limit);
        !self.is_held()
    }

    pub(crate) fn is_held(&mut self) -> bool {
        match self.reader.read(&mut [0; 1]) {
            Ok(len) => len > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// The parent of a process, which for a plugin is its guard.
pub(crate) fn parent_of(pid: i32) -> i32 {
    field(&status_of(pid), "PPid").parse().unwrap()
}

pub(crate) fn status_of(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
}

/// The value of a line such as `PPid: 42` of a status file.
pub(crate) fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
}
