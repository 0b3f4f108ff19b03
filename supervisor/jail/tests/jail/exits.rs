//! How a plugin ended, or why it never began.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outboard_jail::{Event, Exit, Program, SIGTERM, SpawnError, Spec, Step, Unfit};

use crate::support::{
    PATIENCE, Stage, Test, events, exit_among, field, next_event, open_dir, parent_of, started,
    status_of, wait_for,
};

pub(crate) const TESTS: &[Test] = &[
    ("an_exit_code_is_reported_exactly", an_exit_code_is_reported_exactly),
    ("a_fatal_signal_is_reported_exactly", a_fatal_signal_is_reported_exactly),
    ("news_comes_in_order_and_ends", news_comes_in_order_and_ends),
    ("a_signal_reaches_the_plugin", a_signal_reaches_the_plugin),
    ("orders_that_come_too_late_hide_no_news", orders_that_come_too_late_hide_no_news),
    ("a_failed_exec_is_told_from_an_exit_with_127", a_failed_exec_is_told_from_an_exit_with_127),
    ("a_file_that_is_no_program_is_told_by_errno", a_file_that_is_no_program_is_told_by_errno),
    ("a_missing_directory_is_told_from_a_missing_program", a_missing_directory_is_told),
    ("a_script_runs_by_its_path", a_script_runs_by_its_path),
    ("what_the_plugin_used_is_reported", what_the_plugin_used_is_reported),
    ("a_request_that_cannot_work_never_leaves", a_request_that_cannot_work_never_leaves),
];

fn an_exit_code_is_reported_exactly(stage: &Stage) {
    for code in [0, 42, 127, 255] {
        let child = stage.start(&["exit", &code.to_string()]);
        assert_eq!(exit_among(&events(&child.guard)), Some(Exit::Code(code)));
    }
}

fn a_fatal_signal_is_reported_exactly(stage: &Stage) {
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGABRT] {
        let child = stage.start(&["signal", &signal.to_string()]);
        let expected = Exit::Signal { signal, core: false };
        assert_eq!(exit_among(&events(&child.guard)), Some(expected));
    }
}

fn news_comes_in_order_and_ends(stage: &Stage) {
    let child = stage.start(&["exit", "0"]);
    let events = events(&child.guard);
    let [Event::Started { pid }, Event::Exited { .. }, Event::Gone] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert!(*pid > 2, "a process id as seen from here, even of a plugin that is gone: {pid}");
    assert_eq!(next_event(&child.guard), None);
}

fn a_signal_reaches_the_plugin(stage: &Stage) {
    let child = stage.start(&["wait"]);
    started(&child.guard);
    child.guard.signal(SIGTERM);
    let expected = Exit::Signal { signal: SIGTERM, core: false };
    assert_eq!(exit_among(&events(&child.guard)), Some(expected));
    // Too late, and harmless.
    child.guard.signal(SIGTERM);
    child.guard.kill_tree();
}

fn orders_that_come_too_late_hide_no_news(stage: &Stage) {
    let child = stage.start(&["wait"]);
    let plugin = started(&child.guard);
    let guard = Pid::from_raw(parent_of(plugin));
    kill(guard, Signal::SIGSTOP).unwrap();
    kill(Pid::from_raw(plugin), Signal::SIGKILL).unwrap();
    while !field(&status_of(plugin), "State").starts_with('Z') {
        std::thread::yield_now();
    }
    // The guard wakes up to a dead plugin, and ends without having read them all.
    for _ in 0..5 {
        child.guard.signal(SIGTERM);
    }
    kill(guard, Signal::SIGCONT).unwrap();
    assert!(wait_for(child.guard.pidfd(), PATIENCE));
    let killed = Exit::Signal { signal: libc::SIGKILL, core: false };
    let events = events(&child.guard);
    assert!(matches!(events[0], Event::Exited { status, .. } if status == killed), "{events:?}");
    assert_eq!(events[1..], [Event::Gone]);
}

fn check_failure(stage: &Stage, spec: &Spec, step: Step, errno: i32) {
    let child = stage.launcher.spawn(spec).unwrap();
    let events = events(&child.guard);
    assert_eq!(events, [Event::ExecFailed { step, errno }, Event::Gone]);
    assert!(wait_for(child.guard.pidfd(), PATIENCE));
}

fn a_failed_exec_is_told_from_an_exit_with_127(stage: &Stage) {
    let program = Program::Path(PathBuf::from("/nonexistent/plugin"));
    let spec = Spec { program, ..stage.spec(&[]) };
    check_failure(stage, &spec, Step::Program, libc::ENOENT);
}

fn a_file_that_is_no_program_is_told_by_errno(stage: &Stage) {
    let dir = open_dir();
    let path = dir.path().join("text");
    std::fs::write(&path, "no program").unwrap();
    let spec = || Spec { program: Program::File(File::open(&path).unwrap()), ..stage.spec(&[]) };
    check_failure(stage, &spec(), Step::Program, libc::EACCES);
    make_executable(&path);
    check_failure(stage, &spec(), Step::Program, libc::ENOEXEC);
}

fn a_missing_directory_is_told(stage: &Stage) {
    let spec = Spec { dir: PathBuf::from("/nonexistent"), ..stage.spec(&["exit", "0"]) };
    check_failure(stage, &spec, Step::Directory, libc::ENOENT);
}

fn a_script_runs_by_its_path(stage: &Stage) {
    let dir = open_dir();
    let path = dir.path().join("script");
    std::fs::write(&path, "#!/bin/sh\necho \"$0 $1\"\n").unwrap();
    make_executable(&path);
    let args = vec!["ignored".into(), "argument".into()];
    let program = Program::Path(path.clone());
    let said = stage.said(&Spec { program, args, ..stage.spec(&[]) });
    assert_eq!(said, format!("{} argument\n", path.display()));
}

fn make_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

fn what_the_plugin_used_is_reported(stage: &Stage) {
    let child = stage.start(&["spin"]);
    let events = events(&child.guard);
    let usage = events.iter().find_map(|event| match event {
        Event::Exited { rusage, .. } => Some(*rusage),
        _ => None,
    });
    let usage = usage.unwrap();
    assert!(usage.user + usage.system >= Duration::from_millis(1), "{usage:?}");
    assert!(usage.max_rss >= 256 * 1024, "{usage:?}");
}

fn a_request_that_cannot_work_never_leaves(stage: &Stage) {
    let spec = Spec { args: Vec::new(), ..stage.spec(&[]) };
    let error = stage.launcher.spawn(&spec).unwrap_err();
    assert!(matches!(error, SpawnError::Unfit(Unfit::NoArguments)), "{error}");
}
