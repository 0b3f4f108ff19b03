//! Who is at the other end of a Unix socket: a process of a plugin's tree, or a stranger.
//!
//! The kernel says which process connected (or, when we dialled, listened). A number alone would
//! not do, as it may have passed to another process since; so the process is held by a descriptor,
//! and found to be alive after everything else is known about it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::geteuid;

use crate::children::parent_of;
use crate::spec::Spec;
use crate::sys;

/// Namespaces nest at most 32 deep, and no sensible tree of processes is deeper than this.
const DEPTH_MAX: usize = 1024;

/// The processes of one plugin, as a whole. Cheap to clone; valid, and refusing everybody, after
/// the plugin's end.
#[derive(Clone, Debug)]
pub struct Tree(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    guard_pid: i32,
    guard: OwnedFd,
    /// `None` where there is none, or the kernel does not tell.
    namespace: Option<Namespace>,
    has_namespace: bool,
    uid: u32,
}

/// A namespace is what it is by the inode of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Namespace {
    device: u64,
    inode: u64,
}

/// A process that was found to belong to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
}

/// Why a peer is refused.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    #[error(
        "the peer runs as uid {uid}, the plugin as uid {expected}; connect from the plugin's own \
         processes"
    )]
    OtherUser { uid: u32, expected: u32 },
    #[error("the peer, process {pid}, is not of the plugin's processes; connect from those")]
    Stranger { pid: i32 },
    #[error("the peer, or the plugin, has ended")]
    Ended,
    #[error("the kernel does not tell who the peer is: {0}")]
    Unknown(#[from] io::Error),
}

impl From<Errno> for PeerError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ESRCH => Self::Ended,
            errno => Self::Unknown(errno.into()),
        }
    }
}

/// Finds out whether the process at the other end of `socket` is of the plugin's tree, and lives.
///
/// It is the process that called `connect`, or `listen` if we dialled; that it has passed the
/// socket on since changes nothing.
pub fn check(socket: BorrowedFd<'_>, tree: &Tree) -> Result<Peer, PeerError> {
    let credentials = getsockopt(&socket, sockopt::PeerCredentials)?;
    let peer = Peer { pid: credentials.pid(), uid: credentials.uid() };
    if peer.uid != tree.0.uid {
        return Err(PeerError::OtherUser { uid: peer.uid, expected: tree.0.uid });
    }
    let process = open_peer(socket, peer.pid)?;
    if sys::has_ended(&process)? {
        return Err(PeerError::Ended);
    }
    let is_ours = tree.holds(&process, peer.pid)?;
    // Only now is it certain that the number meant this process all the while.
    if sys::has_ended(&process)? || sys::has_ended(tree.guard())? {
        return Err(PeerError::Ended);
    }
    if is_ours { Ok(peer) } else { Err(PeerError::Stranger { pid: peer.pid }) }
}

impl Tree {
    pub(crate) fn new(guard_pid: i32, guard: OwnedFd, spec: &Spec) -> Self {
        let namespace = if spec.containment.has_namespace() {
            // A guard that died at once has none; its tree refuses everybody anyway.
            namespace_of(guard.as_fd(), guard_pid).and_then(|file| Namespace::of(&file)).ok()
        } else {
            None
        };
        let uid = spec.user.map_or_else(|| geteuid().as_raw(), |user| user.uid);
        let has_namespace = spec.containment.has_namespace();
        Self(Arc::new(Inner { guard_pid, guard, namespace, has_namespace, uid }))
    }

    pub(crate) fn guard(&self) -> BorrowedFd<'_> {
        self.0.guard.as_fd()
    }

    pub(crate) fn has_namespace(&self) -> bool {
        self.0.has_namespace
    }

    fn holds(&self, process: &OwnedFd, pid: i32) -> Result<bool, Errno> {
        match self.0.namespace {
            Some(ours) => match is_inside(process, pid, ours) {
                // Closed to us, as to a supervisor without privilege is a plugin that is not
                // dumpable. Who its ancestors are is still public.
                Err(Errno::EACCES | Errno::EPERM) => Ok(self.is_ancestor_of(pid)),
                other => other,
            },
            None => Ok(self.is_ancestor_of(pid)),
        }
    }

    /// A parent may end in the middle of the walk and lead it astray. By then its orphan has a new
    /// parent within the tree, so a second walk arrives.
    fn is_ancestor_of(&self, pid: i32) -> bool {
        self.walk_from(pid) || self.walk_from(pid)
    }

    fn walk_from(&self, pid: i32) -> bool {
        std::iter::successors(Some(pid), |pid| parent_of(*pid).filter(|parent| *parent > 1))
            .take(DEPTH_MAX)
            .skip(1)
            .any(|ancestor| ancestor == self.0.guard_pid)
    }
}

impl Namespace {
    fn of(file: &OwnedFd) -> Result<Self, Errno> {
        let stat = fstat(file)?;
        Ok(Self { device: stat.st_dev, inode: stat.st_ino })
    }
}

/// A descriptor of the peer itself where the kernel gives it; else of whoever has its number now,
/// who is judged instead if the peer is gone.
fn open_peer(socket: BorrowedFd<'_>, pid: i32) -> Result<OwnedFd, PeerError> {
    match getsockopt(&socket, sockopt::PeerPidfd) {
        Ok(process) => Ok(process),
        Err(Errno::ENOPROTOOPT) if pid > 0 => Ok(sys::open_process(pid)?),
        // What kernels say of a process that has been reaped differs.
        Err(Errno::EINVAL | Errno::ENODATA | Errno::ENOENT) => Err(PeerError::Ended),
        Err(errno) => Err(errno.into()),
    }
}

fn namespace_of(process: BorrowedFd<'_>, pid: i32) -> Result<OwnedFd, Errno> {
    match sys::pid_namespace(process) {
        Err(Errno::ENOTTY | Errno::EINVAL) => namespace_by_number(pid),
        other => other,
    }
}

/// For kernels that cannot tell by descriptor.
fn namespace_by_number(pid: i32) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/{pid}/ns/pid");
    match open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()) {
        Err(Errno::ENOENT) => Err(Errno::ESRCH),
        other => other,
    }
}

/// Whether the process lives in this namespace, or in one that was made inside of it.
fn is_inside(process: &OwnedFd, pid: i32, ours: Namespace) -> Result<bool, Errno> {
    let mut namespace = namespace_of(process.as_fd(), pid)?;
    loop {
        if Namespace::of(&namespace)? == ours {
            return Ok(true);
        }
        namespace = match sys::parent_namespace(namespace.as_fd()) {
            Ok(parent) => parent,
            // The outermost that we may see.
            Err(_) => return Ok(false),
        };
    }
}
