//! The plugins that the tests start: this program under another first argument.

use std::fs::File;
use std::io::{Write, stdin, stdout};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getgroups, getpid, getsid, pause, setsid};

pub(crate) fn run(args: &[&str]) -> ExitCode {
    match args {
        ["exit", code] => return ExitCode::from(code.parse::<u8>().unwrap()),
        ["signal", number] => die_by(number.parse().unwrap()),
        ["environment"] => print_environment(),
        ["descriptors"] => print_descriptors(),
        ["status"] => print_status(),
        ["echo"] => drop(std::io::copy(&mut stdin(), &mut stdout())),
        ["spin"] => spin(),
        ["wait"] => wait_for_ever(),
        ["family", fifo] => {
            daemonise(|| hold(fifo));
            hold(fifo);
        }
        ["deserter", fifo] => {
            daemonise(|| hold(fifo));
            std::io::copy(&mut stdin(), &mut stdout()).unwrap();
        }
        ["dial", socket] => dial(socket),
        ["daemon-dials", socket] => {
            daemonise(|| dial(socket));
            wait_for_ever()
        }
        ["nested-dials", socket] => {
            nest(|| dial(socket));
            wait_for_ever()
        }
        ["secretive-dials", socket] => {
            nix::sys::prctl::set_dumpable(false).unwrap();
            dial(socket);
        }
        ["dial-and-exit", socket] => drop(UnixStream::connect(socket).unwrap()),
        other => panic!("no such test plugin: {other:?}"),
    }
    ExitCode::SUCCESS
}

fn die_by(number: i32) -> ! {
    // A core file would take its time and be in the way.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    let number = Signal::try_from(number).unwrap();
    if !matches!(number, Signal::SIGKILL | Signal::SIGSTOP) {
        // SAFETY: the default action is no handler. Rust has one for SIGSEGV.
        unsafe { signal(number, SigHandler::SigDfl) }.unwrap();
    }
    kill(getpid(), number).unwrap();
    wait_for_ever()
}

fn print_environment() {
    for (name, value) in std::env::vars_os() {
        let mut line = name.as_bytes().to_vec();
        line.extend_from_slice(b"=");
        line.extend_from_slice(value.as_bytes());
        line.push(b'\n');
        stdout().write_all(&line).unwrap();
    }
}

/// The numbers that are open. Tried one by one, as a look into `/proc/self/fd` opens another.
fn print_descriptors() {
    for number in 0..1024 {
        // SAFETY: only asks whether the number is open.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
            println!("{number}");
        }
    }
}

fn print_status() {
    print!("{}", std::fs::read_to_string("/proc/self/status").unwrap());
    println!("Directory:\t{}", std::env::current_dir().unwrap().display());
    println!("LeadsSession:\t{}", getsid(None).unwrap() == getpid());
    println!("GroupCount:\t{}", getgroups().unwrap().len());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    println!("OpenFiles:\t{soft} {hard}");
    let stdin = fcntl(stdin(), FcntlArg::F_GETFL).unwrap();
    println!("StdinBlocks:\t{}", stdin & libc::O_NONBLOCK == 0);
}

/// Uses some processor time, to be found in the report.
fn spin() {
    let start = std::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_millis(30) {
        std::hint::spin_loop();
    }
}

fn wait_for_ever() -> ! {
    loop {
        pause();
    }
}

/// Does something in a process with a session of its own, whose parent is gone.
fn daemonise(then: impl FnOnce()) {
    // SAFETY: a test plugin has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => drop(waitpid(child, None).unwrap()),
        ForkResult::Child => {
            setsid().unwrap();
            // SAFETY: as above.
            if let ForkResult::Child = unsafe { fork() }.unwrap() {
                then();
            }
            std::process::exit(0)
        }
    }
}

/// Does something in a PID namespace inside the plugin's own.
fn nest(then: impl FnOnce()) {
    if unshare(CloneFlags::CLONE_NEWPID).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID).unwrap();
    }
    // SAFETY: a test plugin has one thread.
    if let ForkResult::Child = unsafe { fork() }.unwrap() {
        assert_eq!(getpid(), Pid::from_raw(1));
        then();
    }
}

/// Says that it lives, and goes on doing so; politeness does not end it.
fn hold(fifo: &str) {
    for polite in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: ignoring needs no handler.
        unsafe { signal(polite, SigHandler::SigIgn) }.unwrap();
    }
    let mut fifo = File::options().write(true).open(fifo).unwrap();
    fifo.write_all(b"!").unwrap();
    wait_for_ever()
}

/// Connects, and keeps the connection.
fn dial(socket: &str) {
    let socket = OwnedFd::from(UnixStream::connect(socket).unwrap());
    assert!(socket.as_raw_fd() > 2);
    wait_for_ever()
}
