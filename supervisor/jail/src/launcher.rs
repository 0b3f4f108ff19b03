//! The supervisor's end of the launcher: forks it, asks it for plugins, replaces it when lost.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::sockopt::{
    PassCred, ReceiveTimeout, SendTimeout, SndBuf, SockType as SocketType,
};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, setsockopt, socketpair};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, pipe2};

use crate::containment::Containment;
use crate::guard::{Child, Guard};
use crate::limits;
use crate::message::{OpenFiles, REQUEST_MAX, Reply};
use crate::peer::Tree;
use crate::request::{Packing, Unfit};
use crate::spec::{Program, Spec};
use crate::sys;

pub(crate) mod process;

/// The word that makes this program a launcher: `<program> launcher <socket>`.
const ROLE: &str = "launcher";

/// How long a launcher may take over one plugin, in seconds, before it counts as lost.
const PATIENCE: i64 = 10;

/// Starts plugins. One per process, made before anything else.
#[derive(Debug)]
pub struct Launcher {
    line: Mutex<Line>,
    pid: AtomicI32,
    /// As they were before the supervisor raised its own.
    open_files: OpenFiles,
}

/// What reaches one launcher.
#[derive(Debug)]
struct Line {
    socket: OwnedFd,
    process: OwnedFd,
}

impl Launcher {
    /// Forks the launcher. Call it first in `main`, after [`Launcher::run_if_asked`] and before
    /// anything that starts a thread, reads a secret or calls [`crate::forbid_dumping`].
    ///
    /// # Errors
    ///
    /// When this process has more than one thread already, or no process can be made.
    pub fn fork() -> io::Result<Self> {
        require_one_thread()?;
        let (ours, theirs) = socket_pair()?;
        let open_files = limits::open_files()?;
        // SAFETY: there is only this thread, so the child is a whole copy and may do anything.
        match unsafe { nix::unistd::fork() }? {
            ForkResult::Child => {
                drop(ours);
                process::serve(theirs)
            }
            ForkResult::Parent { child } => {
                let pid = child.as_raw();
                let line = Mutex::new(Line::new(pid, ours)?);
                Ok(Self { line, pid: AtomicI32::new(pid), open_files })
            }
        }
    }

    /// Serves as a launcher and never returns, if the arguments of this process are `launcher` and
    /// the number of a socket. Call it at the very top of `main`: a supervisor that has lost its
    /// launcher executes itself anew.
    pub fn run_if_asked() {
        let mut args = std::env::args_os().skip(1);
        if args.next().is_none_or(|role| role != ROLE) {
            return;
        }
        let Some(socket) = args.next().and_then(|number| number.to_str()?.parse().ok()) else {
            return;
        };
        if let Ok(socket) = named_socket(socket) {
            process::serve(socket)
        }
        eprintln!("the launcher is started by the supervisor, not by hand; run the supervisor");
        std::process::exit(2)
    }

    /// Starts a plugin and waits until its guard runs, which takes well under a millisecond. How
    /// the plugin itself fares is told by [`Guard::next`].
    ///
    /// A lost launcher is replaced, once per call; plugins that run do not notice.
    pub fn spawn(&self, spec: &Spec) -> Result<Child, SpawnError> {
        let packing = Packing::new(spec, self.open_files)?;
        let bytes = packing.encode()?;
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        match attempt(&line.socket, spec, &bytes) {
            Err(Attempt::LauncherLost) => {
                self.replace(&mut line).map_err(SpawnError::Launcher)?;
                attempt(&line.socket, spec, &bytes).map_err(SpawnError::from)
            }
            other => other.map_err(SpawnError::from),
        }
    }

    /// The process id of the launcher as of now.
    pub fn pid(&self) -> i32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Executes this program again as a launcher, as a fork of a large process with many threads
    /// would be neither cheap nor safe.
    fn replace(&self, line: &mut Line) -> io::Result<()> {
        line.bury(self.pid());
        let (ours, theirs) = socket_pair()?;
        // The socket goes as stdin: what else this process has open closes by itself.
        let child = Command::new("/proc/self/exe")
            .arg0("outboard")
            .args([ROLE, "0"])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        *line = Line::new(pid, ours)?;
        self.pid.store(pid, Ordering::Relaxed);
        Ok(())
    }
}

impl Line {
    /// To a child of ours that nobody has waited for.
    fn new(pid: i32, socket: OwnedFd) -> Result<Self, Errno> {
        // Bounds every wait for the launcher.
        setsockopt(&socket, SendTimeout, &TimeVal::new(PATIENCE, 0))?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(PATIENCE, 0))?;
        // Room for the largest request, wherever the system's default is smaller.
        setsockopt(&socket, SndBuf, &(2 * REQUEST_MAX))?;
        Ok(Self { socket, process: sys::open_process(pid)? })
    }

    /// Makes sure that this launcher is dead, and takes its status. Its guards go on.
    fn bury(&self, pid: i32) {
        sys::kill_process(self.process.as_fd());
        let dead = sys::poll([Some(self.process.as_fd())], Some(Duration::from_secs(1)));
        if dead == Ok([true]) {
            // Somebody else in this process may have taken it; then there is nothing to take.
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// Why no plugin was started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("{0}")]
    Unfit(#[from] Unfit),
    #[error("no pipes for another plugin: {0}; raise the limit of open files")]
    Descriptors(#[source] io::Error),
    #[error(
        "no process in a {containment}: {source}; raise the limit of processes, or choose a \
         weaker containment if this machine refuses that one"
    )]
    Refused { containment: Containment, source: io::Error },
    #[error("the launcher is lost and could not be started again: {0}; restart the supervisor")]
    Launcher(#[source] io::Error),
}

enum Attempt {
    LauncherLost,
    Failed(SpawnError),
}

impl From<Attempt> for SpawnError {
    fn from(attempt: Attempt) -> Self {
        match attempt {
            Attempt::LauncherLost => Self::Launcher(Errno::EPIPE.into()),
            Attempt::Failed(error) => error,
        }
    }
}

fn attempt(socket: &OwnedFd, spec: &Spec, bytes: &[u8]) -> Result<Child, Attempt> {
    let failed = |errno: Errno| Attempt::Failed(SpawnError::Descriptors(errno.into()));
    let wires = Wires::new().map_err(failed)?;
    let mut theirs = wires.theirs.each_ref().map(AsRawFd::as_raw_fd).to_vec();
    if let Program::File(file) = &spec.program {
        theirs.push(file.as_raw_fd());
    }
    sys::send(socket.as_fd(), bytes, &theirs, None).map_err(|errno| match errno {
        // The last is an answer that has not come in time.
        Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN | Errno::EAGAIN => Attempt::LauncherLost,
        _ => failed(errno),
    })?;
    // Held here, they would keep the plugin's output from ever ending.
    drop(wires.theirs);
    let (guard_pid, pidfd) = answer(socket, spec.containment)?;
    let [stdin, stdout, stderr] = wires.stdio;
    let tree = Tree::new(guard_pid, pidfd, spec);
    Ok(Child { stdin, stdout, stderr, guard: Guard::new(wires.control, tree) })
}

fn answer(socket: &OwnedFd, containment: Containment) -> Result<(i32, OwnedFd), Attempt> {
    let mut bytes = [0; Reply::SIZE];
    let received = sys::receive(socket.as_fd(), &mut bytes).map_err(|_| Attempt::LauncherLost)?;
    let [pidfd, ..] = received.descriptors;
    match (Reply::decode(&bytes[..received.len]), pidfd) {
        (Some(Reply::Guard { pid }), Some(pidfd)) => Ok((pid, pidfd)),
        (Some(Reply::Refused { errno }), _) => Err(Attempt::Failed(SpawnError::Refused {
            containment,
            source: io::Error::from_raw_os_error(errno),
        })),
        _ => Err(Attempt::LauncherLost),
    }
}

/// The pipes and the control socket of one plugin.
struct Wires {
    stdio: [OwnedFd; 3],
    control: OwnedFd,
    /// In the order in which the launcher expects them.
    theirs: [OwnedFd; 4],
}

impl Wires {
    fn new() -> Result<Self, Errno> {
        let (stdin_reader, stdin) = pipe2(OFlag::O_CLOEXEC)?;
        let (stdout, stdout_writer) = pipe2(OFlag::O_CLOEXEC)?;
        let (stderr, stderr_writer) = pipe2(OFlag::O_CLOEXEC)?;
        let (control, guards_end) = socket_pair()?;
        fcntl(&control, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        // The guard's reports carry the plugin's process id as a credential.
        setsockopt(&control, PassCred, &true)?;
        Ok(Self {
            stdio: [stdin, stdout, stderr],
            control,
            theirs: [stdin_reader, stdout_writer, stderr_writer, guards_end],
        })
    }
}

fn socket_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

fn require_one_thread() -> io::Result<()> {
    match std::fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        threads => Err(io::Error::other(format!(
            "{threads} threads run already; fork the launcher first thing in main"
        ))),
    }
}

fn named_socket(descriptor: RawFd) -> Result<OwnedFd, Errno> {
    let socket = sys::adopt(descriptor)?;
    match getsockopt(&socket, SocketType)? {
        SockType::SeqPacket => Ok(socket),
        _ => Err(Errno::EPROTOTYPE),
    }
}
