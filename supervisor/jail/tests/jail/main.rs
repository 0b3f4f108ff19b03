//! Launcher and guard from outside, on real processes, in every mode this machine allows.
//!
//! This program plays all parts: the tests' own supervisor, the plugins (`plugin ..`), supervisors
//! that get killed (`supervisor ..`), and scenarios that need a launcher to themselves
//! (`scenario ..`). Run by root, it repeats everything as a user without privilege.

#![expect(unsafe_code, reason = "test plugins daemonise, and old kernels are played by a filter")]
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod confinement;
mod death;
mod exits;
mod filter;
mod losses;
mod peers;
mod plugin;
mod support;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use outboard_jail::{Containment, Launcher};

use support::{MODES, Stage, mode_named, name_of, own_program};

/// The user without privilege, and its group.
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    Launcher::run_if_asked();
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    match words.as_slice() {
        ["plugin", rest @ ..] => plugin::run(rest),
        ["supervisor", mode, fifo] => death::supervise(mode_named(mode), fifo, true),
        ["orphaning-supervisor", mode, fifo] => death::supervise(mode_named(mode), fifo, false),
        ["scenario", name, mode] => losses::run(name, mode_named(mode)),
        _ => run_tests(),
    }
}

fn run_tests() -> ExitCode {
    let launcher = support::launcher();
    let mut trials = Vec::new();
    for mode in MODES {
        let uid = nix::unistd::geteuid();
        if mode.is_available() {
            eprintln!("uid {uid}: testing {mode}");
            trials.extend(trials_of(mode, &launcher));
        } else {
            eprintln!("uid {uid}: not testing {mode}, which this kernel refuses to this user");
        }
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    drop(launcher);
    let mut is_good = !conclusion.has_failed();
    if nix::unistd::geteuid().is_root() {
        is_good &= repeat_without_privilege();
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn trials_of(mode: Containment, launcher: &Arc<Launcher>) -> Vec<Trial> {
    let tests = [exits::TESTS, confinement::TESTS, death::TESTS, peers::TESTS];
    let mut trials: Vec<Trial> = tests
        .into_iter()
        .flatten()
        .map(|(name, test)| {
            let stage = Stage { mode, launcher: Arc::clone(launcher) };
            Trial::test(format!("{}::{name}", name_of(mode)), move || {
                test(&stage);
                Ok(())
            })
        })
        .collect();
    for (name, _) in losses::SCENARIOS {
        trials.push(Trial::test(format!("{}::{name}", name_of(mode)), move || {
            losses::run_apart(name, mode);
            Ok(())
        }));
    }
    trials
}

/// The same tests by a copy of this program that everybody can execute.
fn repeat_without_privilege() -> bool {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let copy = dir.path().join("jail");
    std::fs::copy(own_program(), &copy).unwrap();
    let status = Command::new(copy)
        .args(std::env::args_os().skip(1))
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .status()
        .unwrap();
    status.success()
}
