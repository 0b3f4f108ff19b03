//! Ways to get the handshake wrong.

use std::env;
use std::io::{self, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use super::VARIABLE;

/// What silent processes wait for, unless they are killed.
const LONGEST: Duration = Duration::from_mins(5);

/// Gives an exit code if the word is one of these, and nothing if the start shall go on.
pub(super) fn misbehave(word: &str) -> Option<ExitCode> {
    match word {
        "exit" => {
            eprintln!("the mock has no licence file; it exits, as asked");
            return Some(ExitCode::from(3));
        }
        "silent" => thread::sleep(LONGEST),
        "close-stdout" => return Some(close_stdout()),
        "log-first" => {
            say("starting up...\n");
            return None;
        }
        "garbage" => linger("this is not a handshake\n"),
        "endless-line" => linger(&"x".repeat(1024 * 1024)),
        "no-newline" => linger(&line("1|1|unix|SOCKET|grpc|", "")),
        "core-version" => linger(&line("2|1|unix|SOCKET|grpc|", "\n")),
        "app-version" => linger(&line("1|99|unix|SOCKET|grpc|", "\n")),
        "network" => linger(&line("1|1|udp|SOCKET|grpc|", "\n")),
        "netrpc" => linger(&line("1|1|unix|SOCKET", "\n")),
        "bad-certificate" => linger(&line("1|1|unix|SOCKET|grpc|", &("!".repeat(80) + "\n"))),
        "dead-socket" => dead_socket(),
        "deaf-socket" => deaf_socket(),
        "ignore-stop" => return Some(ignore_stop()),
        _ => return None,
    }
    Some(ExitCode::FAILURE)
}

fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    // A host that has seen enough closes its end.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Says it, and stays.
fn linger(text: &str) {
    say(text);
    thread::sleep(LONGEST);
}

fn line(start: &str, end: &str) -> String {
    start.replace("SOCKET", &socket().display().to_string()) + end
}

fn socket() -> PathBuf {
    let dir = env::var_os("PLUGIN_UNIX_SOCKET_DIR").map_or_else(env::temp_dir, PathBuf::from);
    dir.join(format!("mock{}", std::process::id()))
}

/// A socket that is there and that nobody listens on.
fn dead_socket() {
    drop(UnixListener::bind(socket()));
    linger(&line("1|1|unix|SOCKET|grpc|", "\n"));
}

/// A socket that accepts in the system's queue alone: no byte ever comes back.
fn deaf_socket() {
    let _listener = UnixListener::bind(socket());
    linger(&line("1|1|unix|SOCKET|grpc|", "\n"));
}

fn close_stdout() -> ExitCode {
    match std::fs::File::open("/dev/null").map(nix::unistd::dup2_stdout) {
        Ok(Ok(())) => thread::sleep(LONGEST),
        _ => eprintln!("could not close stdout"),
    }
    ExitCode::FAILURE
}

/// Serves from a child and stays when that one was asked to go, deaf to SIGTERM.
fn ignore_stop() -> ExitCode {
    let rest: Vec<String> =
        super::words().into_iter().filter(|word| word != "ignore-stop").collect();
    let child = env::current_exe()
        .and_then(|program| Command::new(program).env(VARIABLE, rest.join(",")).spawn());
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTERM);
    blocked.add(Signal::SIGINT);
    match (child, blocked.thread_block()) {
        (Ok(_), Ok(())) => thread::sleep(LONGEST),
        failed => eprintln!("could not ignore being stopped: {failed:?}"),
    }
    ExitCode::FAILURE
}
