//! The launcher process: forks a guard for each request, and reaps it.
//!
//! It has one thread, little memory and no secrets, so that forking it is cheap and safe, which a
//! large threaded supervisor is not. Plugins do not depend on it: it may die, and be replaced.

use std::ffi::{CStr, c_char};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::SignalFd;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, setsid};

use crate::children;
use crate::containment::{Containment, Owner};
use crate::guard;
use crate::message::{OpenFiles, REQUEST_MAX, Reply, Request};
use crate::spec::User;
use crate::sys::{self, Branch, Received};

/// How soon to look again for the children of those that were just killed.
const SWEEP: Duration = Duration::from_millis(10);

/// Serves the supervisor at the other end of `socket` until it is gone.
pub(super) fn serve(socket: OwnedFd) -> ! {
    let served = Server::set_up(socket).map(|mut server| server.run());
    sys::exit(i32::from(served.is_err()))
}

/// One plugin as the guard needs it. Strings stay in the launcher's receive buffer, of which the
/// guard has its own copy.
pub(crate) struct Plan<'a> {
    pub(crate) containment: Containment,
    pub(crate) path: Option<&'a CStr>,
    pub(crate) file: Option<OwnedFd>,
    pub(crate) dir: &'a CStr,
    /// Both end with null.
    pub(crate) argv: Vec<*const c_char>,
    pub(crate) envp: Vec<*const c_char>,
    pub(crate) user: Option<User>,
    pub(crate) owner: Owner,
    pub(crate) is_root: bool,
    pub(crate) open_files: OpenFiles,
    pub(crate) stdio: [OwnedFd; 3],
    pub(crate) control: OwnedFd,
}

impl<'a> Plan<'a> {
    fn new(request: &Request<'a>, received: Received) -> Option<Self> {
        let [stdin, stdout, stderr, control, file] = received.descriptors;
        if request.path.is_none() && file.is_none() {
            return None;
        }
        Some(Self {
            containment: request.containment,
            path: request.path,
            file,
            dir: request.dir,
            argv: pointers(request.args.iter()),
            envp: pointers(request.env.iter()),
            user: request.user,
            owner: Owner::current(),
            is_root: geteuid().is_root(),
            open_files: request.open_files,
            stdio: [stdin?, stdout?, stderr?],
            control: control?,
        })
    }
}

fn pointers<'a>(strings: impl Iterator<Item = &'a CStr>) -> Vec<*const c_char> {
    strings.map(CStr::as_ptr).chain([ptr::null()]).collect()
}

/// A guard that has not been reaped yet.
struct Guard {
    pid: i32,
    containment: Containment,
}

struct Server {
    socket: OwnedFd,
    ended: SignalFd,
    guards: Vec<Guard>,
    /// Somebody was killed who belonged to no guard; there may be more.
    sweeping: bool,
    buffer: Vec<u8>,
}

impl Server {
    fn set_up(socket: OwnedFd) -> Result<Self, Errno> {
        // Out of the terminal's reach; refused only to a process that is so already.
        let _ = setsid();
        prctl::set_name(c"outboard-launch")?;
        // In this order: a SIGCHLD that was ignored would take the guards' statuses away.
        sys::default_signals();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
        let socket = above_stdio(socket)?;
        detach_stdio();
        sys::close_all_but(socket.as_raw_fd());
        sys::wipe_environment();
        // Guards inherit it. An unprivileged supervisor could not ask the kernel for the namespace
        // of a guard that is not dumpable; there is nothing to hide, now the environment is gone.
        prctl::set_dumpable(true)?;
        prctl::set_child_subreaper(true)?;
        let buffer = vec![0; REQUEST_MAX];
        Ok(Self { socket, ended: children::ended()?, guards: Vec::new(), sweeping: false, buffer })
    }

    fn run(&mut self) {
        loop {
            let ready = [Some(self.socket.as_fd()), Some(self.ended.as_fd())];
            let Ok([asked, _]) = sys::poll(ready, self.sweeping.then_some(SWEEP)) else { return };
            self.reap();
            if asked && !self.answer() {
                return self.outlast_guards();
            }
        }
    }

    /// The supervisor is gone, and so the guards are ending their trees. Stays until they have, for
    /// those that are killed meanwhile; whoever is left after the last guard belongs to nobody.
    fn outlast_guards(&mut self) {
        while self.reap() {
            self.sweeping |= self.guards.is_empty();
            let _ = sys::poll([Some(self.ended.as_fd())], self.sweeping.then_some(SWEEP));
        }
    }

    /// False at the end of the supervisor's side.
    fn answer(&mut self) -> bool {
        let (reply, pidfd) = match sys::receive(self.socket.as_fd(), &mut self.buffer) {
            Ok(received) if received.len == 0 => return false,
            Err(Errno::EMSGSIZE) => (Reply::Refused { errno: Errno::EMSGSIZE as i32 }, None),
            Err(_) => return false,
            Ok(received) => match self.start_guard(received) {
                Ok((pid, pidfd)) => (Reply::Guard { pid }, Some(pidfd)),
                Err(errno) => (Reply::Refused { errno: errno as i32 }, None),
            },
        };
        let pidfd = pidfd.as_ref().map(AsRawFd::as_raw_fd);
        sys::send(self.socket.as_fd(), &reply.encode(), pidfd.as_slice(), None).is_ok()
    }

    fn start_guard(&mut self, received: Received) -> Result<(i32, OwnedFd), Errno> {
        let request = Request::decode(&self.buffer[..received.len]).ok_or(Errno::EPROTO)?;
        let containment = request.containment;
        let plan = Plan::new(&request, received).ok_or(Errno::EPROTO)?;
        // SAFETY: this process has one thread, and the child is a guard, which keeps to system
        // calls and ends by exec or exit.
        match unsafe { sys::clone(containment.clone_flags(), libc::SIGCHLD) }? {
            Branch::Child => {
                // A guard that held these would keep a dead supervisor's launcher waiting.
                sys::close_inherited(self.socket.as_raw_fd());
                sys::close_inherited(self.ended.as_fd().as_raw_fd());
                guard::process::run(plan)
            }
            Branch::Parent { pid, pidfd } => {
                self.guards.push(Guard { pid, containment });
                Ok((pid, pidfd))
            }
        }
    }

    /// Takes every status there is; false when no child is left.
    fn reap(&mut self) -> bool {
        children::acknowledge(&self.ended);
        let more = loop {
            match sys::reap() {
                Ok(Some(child)) => self.sweeping |= self.leaves_strangers(child.pid, child.status),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if self.sweeping {
            self.sweeping = self.kill_strangers();
        }
        more
    }

    /// A guard without a namespace that did not end by itself leaves its plugin's orphans to us,
    /// and so does each of those.
    fn leaves_strangers(&mut self, pid: i32, status: i32) -> bool {
        let Some(index) = self.guards.iter().position(|guard| guard.pid == pid) else {
            return true;
        };
        let guard = self.guards.swap_remove(index);
        !guard.containment.has_namespace() && libc::WIFSIGNALED(status)
    }

    /// Whoever is our child and no guard was left behind by a guard. True if there was anybody: its
    /// own children are ours once it is dead.
    fn kill_strangers(&self) -> bool {
        let mut any = false;
        children::for_each(|child| {
            if self.guards.iter().all(|guard| guard.pid != child) {
                sys::kill(child, libc::SIGKILL);
                any = true;
            }
        });
        any
    }
}

/// Moves the socket out of the way of the numbers 0 to 2.
fn above_stdio(socket: OwnedFd) -> Result<OwnedFd, Errno> {
    sys::adopt(fcntl(socket, FcntlArg::F_DUPFD_CLOEXEC(3))?)
}

/// Gives up the supervisor's stdin, stdout and stderr: whoever reads those waits for every holder.
fn detach_stdio() {
    let Ok(null) = open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) else {
        return;
    };
    for number in 0..3 as RawFd {
        // A number that is left as it was is no reason to start no plugin.
        let _ = sys::copy_to(null.as_fd(), number);
    }
}
