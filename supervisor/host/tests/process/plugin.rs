//! The plugin's side: steps from the command line, carried out one after the other.
//!
//! | step | does |
//! |---|---|
//! | `out:TEXT`, `err:TEXT` | prints it |
//! | `many:N` | prints N times `a` on stdout |
//! | `close` | closes stdout |
//! | `beacon` | connects to the test's beacon socket until it dies |
//! | `listen:PATH` | listens there and never accepts |
//! | `daemon` | leaves behind a process in a session of its own that lights a beacon and holds the pipes |
//! | `session` | begins a session |
//! | `exit:N` | exits |
//! | `stay` | sleeps for ever |
//! | `serve:FLAG,…` | shakes hands and serves; see [`serve`] |

pub(crate) mod serve;

use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, exit};

/// The first argument of a scripted plugin.
pub(crate) const ROLE: &str = "plugin";

pub(crate) const COOKIE: (&str, &str) = ("SCRIPTED_PLUGIN", "b1c2");

/// Never returns if this process was started to be a plugin.
pub(crate) fn run_if_asked() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(ROLE) {
        args.for_each(|step| take(&step));
        exit(0);
    }
}

fn take(step: &str) {
    let (verb, argument) = step.split_once(':').unwrap_or((step, ""));
    match verb {
        "out" => print(argument),
        "err" => eprint!("{argument}"),
        "many" => print(&"a".repeat(argument.parse().expect("a number"))),
        "close" => nix::unistd::close(1).expect("open until now"),
        "beacon" => beacon(),
        "listen" => std::mem::forget(UnixListener::bind(argument).expect("bound")),
        "daemon" => daemon(),
        "session" => drop(nix::unistd::setsid().expect("no group leader")),
        "exit" => exit(argument.parse().expect("a number")),
        "stay" => stay(),
        "serve" => serve::serve(argument),
        _ => panic!("there is no step {step:?}"),
    }
}

/// Its reader may have had enough, which is not this side's mistake.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

fn beacon() {
    let path = std::env::var_os("BEACONS").expect("set by the test");
    std::mem::forget(UnixStream::connect(path).expect("the test listens"));
}

#[expect(clippy::zombie_processes, reason = "it is to be left behind")]
fn daemon() {
    let own = std::env::current_exe().expect("own path");
    Command::new(own).args([ROLE, "session", "beacon", "stay"]).spawn().expect("spawned");
}

fn stay() -> ! {
    loop {
        std::thread::park();
    }
}
