//! What a plugin has, and has not, when its program begins.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;
use outboard_jail::{Containment, Exit, Spec, Step, User};

use crate::support::{
    OPEN_FILES, Stage, Test, events, exit_among, field, open_dir, parent_of, started,
};

pub(crate) const TESTS: &[Test] = &[
    ("the_environment_is_exactly_the_given_one", the_environment_is_exactly_the_given_one),
    ("a_large_environment_arrives", a_large_environment_arrives),
    ("only_stdio_is_open", only_stdio_is_open),
    ("a_plugin_starts_clean", a_plugin_starts_clean),
    ("a_plugin_gets_the_limit_from_before_it_was_raised", a_plugin_gets_the_old_limit),
    ("privilege_cannot_be_gained_without_root", privilege_cannot_be_gained_without_root),
    ("a_plugin_runs_as_its_user", a_plugin_runs_as_its_user),
    ("a_directory_closed_to_its_user_is_refused", a_directory_closed_to_its_user_is_refused),
    ("a_program_is_executed_by_a_path_only_descriptor", by_a_path_only_descriptor),
    ("a_guard_holds_nothing_but_its_wires", a_guard_holds_nothing_but_its_wires),
    ("many_start_at_once", many_start_at_once),
];

fn the_environment_is_exactly_the_given_one(stage: &Stage) {
    let env = vec![("NAME".into(), "a value".into()), ("EMPTY".into(), "".into())];
    let said = stage.said(&Spec { env, ..stage.spec(&["environment"]) });
    assert_eq!(said, "NAME=a value\nEMPTY=\n");
    assert_eq!(stage.said(&stage.spec(&["environment"])), "");
}

fn a_large_environment_arrives(stage: &Stage) {
    let value = "x".repeat(100 * 1024);
    let env = vec![("LARGE".into(), value.clone().into())];
    let said = stage.said(&Spec { env, ..stage.spec(&["environment"]) });
    assert_eq!(said, format!("LARGE={value}\n"));
}

fn only_stdio_is_open(stage: &Stage) {
    assert_eq!(stage.said(&stage.spec(&["descriptors"])), "0\n1\n2\n");
}

fn a_plugin_starts_clean(stage: &Stage) {
    let dir = open_dir();
    let said = stage.said(&Spec { dir: dir.path().into(), ..stage.spec(&["status"]) });
    assert_eq!(field(&said, "SigBlk"), "0000000000000000");
    // Rust programs ignore SIGPIPE by themselves; that is the only one.
    assert_eq!(field(&said, "SigIgn"), "0000000000001000");
    assert_eq!(field(&said, "Directory"), dir.path().to_str().unwrap());
    assert_eq!(field(&said, "LeadsSession"), "true");
    assert_eq!(field(&said, "StdinBlocks"), "true");
}

fn a_plugin_gets_the_old_limit(stage: &Stage) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let said = stage.said(&stage.spec(&["status"]));
    assert_eq!(field(&said, "OpenFiles"), format!("{OPEN_FILES} {hard}"));
}

fn privilege_cannot_be_gained_without_root(stage: &Stage) {
    let said = stage.said(&stage.spec(&["status"]));
    let expected = if geteuid().is_root() { "0" } else { "1" };
    assert_eq!(field(&said, "NoNewPrivs"), expected);
    if !geteuid().is_root() {
        assert_eq!(field(&said, "CapEff"), "0000000000000000");
    }
}

/// Only root can, and only where there are other users.
fn can_switch_user(stage: &Stage) -> bool {
    geteuid().is_root() && stage.mode != Containment::UserPidNamespace
}

fn a_plugin_runs_as_its_user(stage: &Stage) {
    if !can_switch_user(stage) {
        return;
    }
    let user = Some(User { uid: 4242, gid: 4343 });
    let said = stage.said(&Spec { user, ..stage.spec(&["status"]) });
    assert_eq!(field(&said, "Uid"), "4242\t4242\t4242\t4242");
    assert_eq!(field(&said, "Gid"), "4343\t4343\t4343\t4343");
    assert_eq!(field(&said, "Groups"), "4343");
    assert_eq!(field(&said, "CapEff"), "0000000000000000");
}

fn a_directory_closed_to_its_user_is_refused(stage: &Stage) {
    if !can_switch_user(stage) {
        return;
    }
    let dir = open_dir();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let user = Some(User { uid: 4242, gid: 4343 });
    let spec = Spec { user, dir: dir.path().into(), ..stage.spec(&["exit", "0"]) };
    let child = stage.launcher.spawn(&spec).unwrap();
    let refused = outboard_jail::Event::ExecFailed { step: Step::Directory, errno: libc::EACCES };
    assert_eq!(events(&child.guard)[0], refused);
}

fn by_a_path_only_descriptor(stage: &Stage) {
    let program = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(crate::support::own_program())
        .unwrap();
    let program = outboard_jail::Program::File(program);
    let child = stage.launcher.spawn(&Spec { program, ..stage.spec(&["exit", "42"]) }).unwrap();
    assert_eq!(exit_among(&events(&child.guard)), Some(Exit::Code(42)));
}

fn a_guard_holds_nothing_but_its_wires(stage: &Stage) {
    let child = stage.start(&["wait"]);
    let guard = parent_of(started(&child.guard));
    let Ok(open) = std::fs::read_dir(format!("/proc/{guard}/fd")) else {
        assert!(!geteuid().is_root());
        return;
    };
    let targets: Vec<String> = open
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
        .collect();
    let of = |kind: &str| targets.iter().filter(|target| target.starts_with(kind)).count();
    assert_eq!((of("/dev/null"), of("socket:"), of("anon_inode:"), of("pipe:")), (3, 1, 1, 0));
    assert_eq!(targets.len(), 5, "{targets:?}");
}

fn many_start_at_once(stage: &Stage) {
    let threads: Vec<_> = (0..40)
        .map(|code| {
            let launcher = Arc::clone(&stage.launcher);
            let spec = stage.spec(&["exit", &code.to_string()]);
            std::thread::spawn(move || {
                let child = launcher.spawn(&spec).unwrap();
                assert_eq!(exit_among(&events(&child.guard)), Some(Exit::Code(code)));
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
