//! Nothing of a plugin outlives what it belongs to.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child as Process, Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pause};
use outboard_jail::{Child, Containment, Event, Exit, SIGTERM};

use crate::support::{
    Fifo, PATIENCE, Stage, Test, events, exit_among, launcher, name_of, own_program, plugin_spec,
    started, wait_for,
};

/// What a supervisor's death may take; it takes some ten milliseconds.
const PROMISE: Duration = Duration::from_secs(1);

/// How many plugins a supervisor that gets killed has.
const PLUGINS: usize = 3;

pub(crate) const TESTS: &[Test] = &[
    ("stdin_ends_when_its_holder_lets_go", stdin_ends_when_its_holder_lets_go),
    ("kill_tree_leaves_no_descendant", kill_tree_leaves_no_descendant),
    ("a_plugin_that_ends_takes_its_daemons_along", a_plugin_that_ends_takes_its_daemons_along),
    ("a_dropped_guard_ends_the_tree", a_dropped_guard_ends_the_tree),
    ("politeness_ends_no_stubborn_plugin", politeness_ends_no_stubborn_plugin),
    ("a_killed_supervisor_leaves_nobody", a_killed_supervisor_leaves_nobody),
    ("a_killed_supervisor_without_launcher_leaves_nobody", without_launcher_leaves_nobody),
    ("a_killed_guard_takes_its_tree_along", a_killed_guard_takes_its_tree_along),
];

fn stdin_ends_when_its_holder_lets_go(stage: &Stage) {
    let Child { stdin, stdout, stderr: _stderr, guard } = stage.start(&["echo"]);
    let mut stdin = File::from(stdin);
    stdin.write_all(b"echo").unwrap();
    drop(stdin);
    assert_eq!(crate::support::read_all(stdout), "echo");
    assert_eq!(exit_among(&events(&guard)), Some(Exit::Code(0)));
}

/// A plugin and a daemon of its, both deaf to polite signals, and the FIFO they hold.
fn family(stage: &Stage) -> (Child, Fifo) {
    let mut fifo = Fifo::new();
    let child = stage.start(&["family", fifo.path()]);
    fifo.wait_for_holders(2);
    assert!(fifo.is_held());
    (child, fifo)
}

fn kill_tree_leaves_no_descendant(stage: &Stage) {
    let (child, mut fifo) = family(stage);
    started(&child.guard);
    child.guard.kill_tree();
    let killed = Exit::Signal { signal: libc::SIGKILL, core: false };
    let events = events(&child.guard);
    assert!(matches!(events[0], Event::Exited { status, .. } if status == killed), "{events:?}");
    assert_eq!(events[1..], [Event::Gone]);
    assert!(!fifo.is_held(), "gone means gone");
}

fn a_plugin_that_ends_takes_its_daemons_along(stage: &Stage) {
    let mut fifo = Fifo::new();
    let Child { stdin, guard, .. } = stage.start(&["deserter", fifo.path()]);
    fifo.wait_for_holders(1);
    drop(stdin);
    assert_eq!(exit_among(&events(&guard)), Some(Exit::Code(0)));
    assert!(!fifo.is_held(), "gone means gone");
}

fn a_dropped_guard_ends_the_tree(stage: &Stage) {
    let (child, mut fifo) = family(stage);
    drop(child);
    assert!(fifo.is_deserted_within(PATIENCE));
}

fn politeness_ends_no_stubborn_plugin(stage: &Stage) {
    let (child, mut fifo) = family(stage);
    let plugin = started(&child.guard);
    child.guard.signal(SIGTERM);
    // As a terminal or a service manager does; the supervisor alone decides.
    let guard = crate::support::parent_of(plugin);
    for polite in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        kill(Pid::from_raw(guard), polite).unwrap();
    }
    // Sent and received in order, so what those signals do has been done when this is answered.
    child.guard.signal(libc::SIGKILL);
    let killed = Exit::Signal { signal: libc::SIGKILL, core: false };
    assert_eq!(exit_among(&events(&child.guard)), Some(killed));
    assert!(!fifo.is_held());
}

fn a_killed_supervisor_leaves_nobody(stage: &Stage) {
    kill_supervisor("supervisor", stage.mode);
}

fn without_launcher_leaves_nobody(stage: &Stage) {
    kill_supervisor("orphaning-supervisor", stage.mode);
}

fn kill_supervisor(role: &str, mode: Containment) {
    let mut fifo = Fifo::new();
    let mut supervisor = Supervisor::start(role, mode, &fifo);
    fifo.wait_for_holders(2 * PLUGINS);
    supervisor.wait_until_ready();
    assert!(fifo.is_held());
    supervisor.0.kill().unwrap();
    assert!(fifo.is_deserted_within(PROMISE), "somebody outlives the supervisor");
}

/// Another supervisor, killed at the end of the test if not by it.
struct Supervisor(Process);

impl Supervisor {
    fn start(role: &str, mode: Containment, fifo: &Fifo) -> Self {
        let mut command = Command::new(own_program());
        command.args([role, name_of(mode), fifo.path()]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn wait_until_ready(&mut self) {
        let stdout = self.0.stdout.as_mut().unwrap();
        stdout.read_exact(&mut [0; 1]).expect("the supervisor gets ready");
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The part of a supervisor that is going to be killed.
pub(crate) fn supervise(mode: Containment, fifo: &str, with_launcher: bool) -> ExitCode {
    let launcher = launcher();
    let children: Vec<Child> = (0..PLUGINS)
        .map(|_| launcher.spawn(&plugin_spec(mode, &["family", fifo])).unwrap())
        .collect();
    for child in &children {
        started(&child.guard);
    }
    if !with_launcher {
        kill(Pid::from_raw(launcher.pid()), Signal::SIGKILL).unwrap();
    }
    println!("!");
    pause();
    ExitCode::FAILURE
}

fn a_killed_guard_takes_its_tree_along(stage: &Stage) {
    let (child, mut fifo) = family(stage);
    let guard = crate::support::parent_of(started(&child.guard));
    kill(Pid::from_raw(guard), Signal::SIGKILL).unwrap();
    assert_eq!(events(&child.guard), [Event::Lost]);
    assert!(wait_for(child.guard.pidfd(), PATIENCE));
    assert!(fifo.is_deserted_within(PATIENCE));
}
