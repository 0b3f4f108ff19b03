//! Scenarios that need a launcher, or a whole kernel, to themselves: each is a process of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outboard_jail::{Child, Containment, Exit, Launcher, forbid_dumping};

use crate::filter;
use crate::peers::{Door, Stranger};
use crate::support::{
    Fifo, OPEN_FILES, PATIENCE, Stage, events, exit_among, field, launcher, name_of, own_program,
    parent_of, read_all, started, wait_for,
};

type Scenario = (&'static str, fn(Containment));

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("a_lost_launcher_is_replaced_and_plugins_do_not_notice", a_lost_launcher_is_replaced),
    ("an_old_kernel_is_served_by_the_older_calls", an_old_kernel_is_served),
    ("a_container_that_refuses_namespaces_gets_the_sub_reaper", in_a_strict_container),
    ("secrets_in_the_environment_do_not_reach_launcher_or_guard", secrets_do_not_reach),
    ("a_threaded_process_forks_no_launcher", a_threaded_process_forks_no_launcher),
    ("a_supervisor_that_forbade_dumping_too_early_still_works", dumping_forbidden_too_early),
];

/// Plays a scenario in this process.
pub(crate) fn run(name: &str, mode: Containment) -> ExitCode {
    let scenario = SCENARIOS.iter().find(|(known, _)| *known == name).expect("a known scenario");
    scenario.1(mode);
    ExitCode::SUCCESS
}

/// Has a scenario played by another process, and passes on what it says if it fails.
pub(crate) fn run_apart(name: &str, mode: Containment) {
    let mut process = Command::new(own_program())
        .args(["scenario", name, name_of(mode)])
        .env("OUTBOARD_TEST_SECRET", SECRET)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = process.stderr.take().unwrap();
    let mut said = String::new();
    let is_done = wait_for(stderr.as_fd(), PATIENCE);
    if !is_done {
        process.kill().unwrap();
    }
    stderr.read_to_string(&mut said).unwrap();
    let status = process.wait().unwrap();
    assert!(is_done && status.success(), "{status}: {said}");
}

const SECRET: &str = "do not tell";

fn stage(mode: Containment) -> Stage {
    Stage { mode, launcher: launcher() }
}

fn a_lost_launcher_is_replaced(mode: Containment) {
    let stage = stage(mode);
    let Child { stdin, stdout, stderr: _stderr, guard } = stage.start(&["echo"]);
    started(&guard);
    for _ in 0..3 {
        let lost = stage.launcher.pid();
        kill(Pid::from_raw(lost), Signal::SIGKILL).unwrap();
        let said = stage.said(&stage.spec(&["status"]));
        assert!(field(&said, "OpenFiles").starts_with(&format!("{OPEN_FILES} ")));
        assert_eq!(field(&said, "SigBlk"), "0000000000000000");
        assert_eq!(stage.said(&stage.spec(&["descriptors"])), "0\n1\n2\n");
        assert_ne!(stage.launcher.pid(), lost);
    }
    File::from(stdin).write_all(b"still here").unwrap();
    assert_eq!(read_all(stdout), "still here");
    assert_eq!(exit_among(&events(&guard)), Some(Exit::Code(0)));
    check_everything(&stage);
}

/// What a launcher is for, in short: a status, a tree killed, a lost guard, friend and stranger.
fn check_everything(stage: &Stage) {
    let child = stage.start(&["exit", "42"]);
    assert_eq!(exit_among(&events(&child.guard)), Some(Exit::Code(42)));
    assert_eq!(stage.said(&stage.spec(&["descriptors"])), "0\n1\n2\n");
    for end in [|_| (), kill_guard] {
        let mut fifo = Fifo::new();
        let child = stage.start(&["family", fifo.path()]);
        fifo.wait_for_holders(2);
        end(started(&child.guard));
        child.guard.kill_tree();
        events(&child.guard);
        assert!(fifo.is_deserted_within(PATIENCE));
    }
    let door = Door::new();
    let child = stage.start(&["daemon-dials", door.path()]);
    door.check(&child.guard.tree()).unwrap();
    let _stranger = Stranger::at(&door);
    door.check(&child.guard.tree()).unwrap_err();
}

fn kill_guard(plugin: i32) {
    kill(Pid::from_raw(parent_of(plugin)), Signal::SIGKILL).unwrap();
}

fn an_old_kernel_is_served(mode: Containment) {
    filter::play_old_kernel();
    check_everything(&stage(mode));
}

fn in_a_strict_container(_: Containment) {
    filter::play_strict_container();
    assert_eq!(Containment::strongest(), Containment::SubReaper);
    check_everything(&stage(Containment::SubReaper));
}

fn secrets_do_not_reach(mode: Containment) {
    assert_eq!(std::env::var("OUTBOARD_TEST_SECRET").as_deref(), Ok(SECRET));
    let stage = stage(mode);
    for _ in 0..2 {
        let child = stage.start(&["wait"]);
        let guard = parent_of(started(&child.guard));
        for pid in [guard, stage.launcher.pid()] {
            let shown = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            assert!(!shown.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
        }
        // Once more with a launcher that was executed anew.
        kill(Pid::from_raw(stage.launcher.pid()), Signal::SIGKILL).unwrap();
    }
}

fn a_threaded_process_forks_no_launcher(_: Containment) {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    let error = Launcher::fork().unwrap_err();
    assert!(error.to_string().contains("first thing in main"), "{error}");
    drop(stop);
    thread.join().unwrap().unwrap_err();
}

fn dumping_forbidden_too_early(mode: Containment) {
    forbid_dumping().unwrap();
    check_everything(&stage(mode));
}
