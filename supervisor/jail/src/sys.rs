//! System calls that no safe wrapper offers, each as thin as it can be.
//!
//! Guard and launcher use these between fork and exec, so nothing here allocates or panics.

use std::ffi::{CStr, c_char};
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use libc::c_int;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::spec::Usage;

mod socket;

pub(crate) use socket::{Received, receive, send};

pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// From `linux/pidfd.h`. The neighbour 0xFF09 is the *user* namespace, which is the same for
/// everybody, so that a check made with it would accept everybody.
const PIDFD_GET_PID_NAMESPACE: libc::Ioctl = 0xFF05;

/// Which side of a clone we are on.
pub(crate) enum Branch {
    Child,
    Parent { pid: i32, pidfd: OwnedFd },
}

/// Clones this process as `fork` does, by `clone3`, or by `clone` where a container's filter
/// does not know the newer call: some say that it does not exist, others that it is not permitted.
///
/// # Safety
///
/// The child continues with this thread alone and without the C library's knowledge: it must not
/// take locks that other threads may hold, nor panic or abort, and must end with [`exit`] or
/// [`exec`].
pub(crate) unsafe fn clone(flags: c_int, exit_signal: c_int) -> Result<Branch> {
    let mut pidfd: RawFd = -1;
    let flags = flags | libc::CLONE_PIDFD;
    // SAFETY: an all-zero clone_args is valid: no stack, no thread state, nothing to set.
    let mut args: libc::clone_args = unsafe { zeroed() };
    args.flags = u64::from(flags.cast_unsigned());
    args.exit_signal = u64::from(exit_signal.cast_unsigned());
    args.pidfd = ptr::from_mut(&mut pidfd) as u64;
    // SAFETY: the arguments live through the call; without CLONE_VM the child has its own copy of
    // this stack. What the child may do is the caller's promise.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    let result = match Errno::result(result) {
        // SAFETY: as above. A null stack means a copy of ours; every architecture that Rust
        // supports, s390x aside, takes flags, stack and parent_tid in this order.
        Err(Errno::ENOSYS | Errno::EPERM) => Errno::result(unsafe {
            libc::syscall(libc::SYS_clone, flags | exit_signal, 0, &raw mut pidfd, 0, 0)
        }),
        other => other,
    };
    match result? {
        0 => Ok(Branch::Child),
        pid => Ok(Branch::Parent {
            pid: i32::try_from(pid).unwrap_or(i32::MAX),
            // SAFETY: the kernel has just made this descriptor for us, by CLONE_PIDFD.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// Waits for a child cloned with exit signal 0, which no other `wait` in this process can take.
pub(crate) fn wait_clone(pid: i32) -> Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for writing.
        match Errno::result(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(status),
        }
    }
}

/// Leaves at once: no exit handler, no destructor, nothing flushed twice.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: `_exit` has no precondition.
    unsafe { libc::_exit(code) }
}

/// Sends a signal; a process that is gone already is no error here.
pub(crate) fn kill(pid: i32, signal: c_int) {
    // SAFETY: takes two numbers. The callers name children of theirs which they have not reaped.
    unsafe { libc::kill(pid, signal) };
}

/// Kills the process of this descriptor, whatever has become of its number.
pub(crate) fn kill_process(process: BorrowedFd<'_>) {
    let info = ptr::null::<libc::siginfo_t>();
    // SAFETY: without signal information the kernel reads nothing of ours.
    unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, info, 0)
    };
}

/// A child that has ended.
pub(crate) struct Reaped {
    pub(crate) pid: i32,
    pub(crate) status: i32,
    pub(crate) usage: Usage,
}

/// Takes the status of one ended child, if there is one. `ECHILD` when there are no children.
pub(crate) fn reap() -> Result<Option<Reaped>> {
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { zeroed() };
    // SAFETY: both out-pointers are valid for writing.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut usage) };
    match Errno::result(pid)? {
        0 => Ok(None),
        pid => Ok(Some(Reaped { pid, status, usage: usage_of(&usage) })),
    }
}

fn usage_of(usage: &libc::rusage) -> Usage {
    Usage {
        user: duration_of(usage.ru_utime),
        system: duration_of(usage.ru_stime),
        // The kernel counts in KiB.
        max_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
    }
}

fn duration_of(time: libc::timeval) -> Duration {
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u32::try_from(time.tv_usec).unwrap_or(0);
    Duration::new(secs, micros.saturating_mul(1000))
}

/// Replaces this process; returns only when that failed. `program` `None` executes `file`.
///
/// # Safety
///
/// `argv` and `envp` end with a null pointer, and what they point to ends with NUL.
pub(crate) unsafe fn exec(
    program: Option<&CStr>,
    file: Option<BorrowedFd<'_>>,
    argv: &[*const c_char],
    envp: &[*const c_char],
) -> Errno {
    let (dir, path, flags) = match (program, file) {
        (Some(path), _) => (libc::AT_FDCWD, path, 0),
        (None, Some(file)) => (file.as_raw_fd(), c"", libc::AT_EMPTY_PATH),
        (None, None) => return Errno::EBADF,
    };
    // SAFETY: `path` is NUL-terminated by its type, the two arrays by the caller's promise. The raw
    // call, as the C library's `execveat` may emulate it through /proc.
    unsafe {
        libc::syscall(libc::SYS_execveat, dir, path.as_ptr(), argv.as_ptr(), envp.as_ptr(), flags);
    }
    Errno::last()
}

/// Makes `target` a copy of `source` that stays open across exec.
pub(crate) fn copy_to(source: BorrowedFd<'_>, target: RawFd) -> Result<()> {
    // SAFETY: the callers own the numbers they aim at: 0 to 2 of a process that is still ours.
    Errno::result(unsafe { libc::dup2(source.as_raw_fd(), target) }).map(drop)
}

/// Closes a descriptor that this process only has because its parent had it.
pub(crate) fn close_inherited(descriptor: RawFd) {
    // SAFETY: the callers are fresh forks which never return to the code that owns the number.
    unsafe { libc::close(descriptor) };
}

/// Closes every descriptor from 3 up, but for `keep`.
pub(crate) fn close_all_but(keep: RawFd) {
    let keep = keep.cast_unsigned();
    close_range(3, keep.saturating_sub(1), 0);
    close_range(keep.saturating_add(1).max(3), u32::MAX, 0);
}

/// Lets exec close every descriptor from 3 up.
pub(crate) fn close_all_on_exec() {
    close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed());
}

fn close_range(first: u32, last: u32, flags: c_int) {
    if first > last {
        return;
    }
    // SAFETY: the callers are processes that own no descriptor in the range any more.
    let done = Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) });
    if done.is_err() {
        close_one_by_one(first, last, flags);
    }
}

/// For kernels and container filters without `close_range`, or without its CLOEXEC flag.
fn close_one_by_one(first: u32, last: u32, flags: c_int) {
    // SAFETY: as in `close_range`; a number that is not open is refused and changes nothing.
    let end = u32::try_from(unsafe { libc::sysconf(libc::_SC_OPEN_MAX) }).unwrap_or(65_536);
    for descriptor in first..=last.min(end) {
        // SAFETY: as above.
        unsafe {
            if flags == 0 {
                libc::close(descriptor.cast_signed());
            } else {
                libc::fcntl(descriptor.cast_signed(), libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
}

/// Gives every signal its default action, ignored ones too, which exec would hand on.
///
/// Past the C library, which keeps two signals to itself, and starts programs with one of them
/// ignored.
pub(crate) fn default_signals() {
    // Larger than any architecture's `struct sigaction`, in which zero means the default.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        let old = ptr::null_mut::<u64>();
        // SAFETY: the kernel reads the action and writes no old one; KILL and STOP it refuses.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, 8) };
    }
}

/// Overwrites the environment this process was given, where `/proc/<pid>/environ` shows it.
pub(crate) fn wipe_environment() {
    // SAFETY: the launcher is single-threaded and reads no variable, so nobody holds these strings;
    // the array ends with null, each string with NUL, and both are in writable memory of ours.
    unsafe {
        let mut entry = libc::environ;
        while !entry.is_null() && !(*entry).is_null() {
            let string = *entry;
            ptr::write_bytes(string, 0, libc::strlen(string));
            entry = entry.add(1);
        }
        libc::environ = ptr::null_mut();
    }
}

/// Writes `bytes` to an existing file, in one call.
pub(crate) fn write_file(path: &CStr, bytes: &[u8]) -> Result<()> {
    let file = nix::fcntl::open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::write(&file, bytes).map(drop)
}

/// Waits until one of `descriptors` has something to say, an end included; `None` never has.
/// Without `timeout`, for ever.
pub(crate) fn poll<const N: usize>(
    descriptors: [Option<BorrowedFd<'_>>; N],
    timeout: Option<Duration>,
) -> Result<[bool; N]> {
    let mut entries = descriptors.map(|descriptor| libc::pollfd {
        fd: descriptor.map_or(-1, |descriptor| descriptor.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    let timeout = timeout.map_or(-1, |t| i32::try_from(t.as_millis()).unwrap_or(i32::MAX));
    loop {
        // SAFETY: the array is alive and has N entries.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), N as libc::nfds_t, timeout) };
        match Errno::result(ready) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(entries.map(|entry| entry.revents != 0)),
        }
    }
}

/// A descriptor of the process that has this id now.
pub(crate) fn open_process(pid: i32) -> Result<OwnedFd> {
    // SAFETY: takes two numbers.
    let descriptor = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    owned(descriptor)
}

/// The PID namespace of a process, by its descriptor.
pub(crate) fn pid_namespace(process: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: this request takes no argument and gives a new descriptor.
    let result = unsafe { libc::ioctl(process.as_raw_fd(), PIDFD_GET_PID_NAMESPACE, 0) };
    owned(Errno::result(result)?.into())
}

/// The namespace around a PID namespace; `EPERM` when that is outside of what we may see.
pub(crate) fn parent_namespace(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: this request takes no argument and gives a new descriptor.
    let result = unsafe { libc::ioctl(namespace.as_raw_fd(), libc::NS_GET_PARENT) };
    owned(Errno::result(result)?.into())
}

fn owned(descriptor: libc::c_long) -> Result<OwnedFd> {
    let descriptor = RawFd::try_from(descriptor).map_err(|_| Errno::EBADF)?;
    // SAFETY: the callers pass what the kernel has just made for them.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Takes over a descriptor that was named by number, as on a command line.
pub(crate) fn adopt(descriptor: RawFd) -> Result<OwnedFd> {
    // SAFETY: only asks whether the number is open.
    Errno::result(unsafe { libc::fcntl(descriptor, libc::F_GETFD) })?;
    // SAFETY: it is open, and the caller found it in the arguments of this process, so that nothing
    // else in the process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Whether the process of this descriptor has ended.
pub(crate) fn has_ended(process: impl AsFd) -> Result<bool> {
    poll([Some(process.as_fd())], Some(Duration::ZERO)).map(|[ended]| ended)
}
