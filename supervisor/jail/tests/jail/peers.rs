//! Who may speak for a plugin, and who may not.

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child as Process, Command, Stdio};

use nix::unistd::geteuid;
use outboard_jail::{Containment, Peer, PeerError, Spec, Tree, User, peer};
use tempfile::TempDir;

use crate::support::{PATIENCE, Stage, Test, events, open_dir, own_program, started, wait_for};

pub(crate) const TESTS: &[Test] = &[
    ("the_plugin_is_accepted", the_plugin_is_accepted),
    ("a_daemon_of_the_plugin_is_accepted", a_daemon_of_the_plugin_is_accepted),
    ("a_namespace_inside_the_plugin_is_accepted", a_namespace_inside_the_plugin_is_accepted),
    ("a_plugin_that_forbids_dumping_is_accepted", a_plugin_that_forbids_dumping_is_accepted),
    ("a_stranger_of_the_same_user_is_refused", a_stranger_of_the_same_user_is_refused),
    ("another_plugin_is_refused", another_plugin_is_refused),
    ("a_peer_that_has_ended_is_refused", a_peer_that_has_ended_is_refused),
    ("everybody_is_refused_once_the_plugin_is_gone", everybody_is_refused_after_the_end),
    ("another_user_is_refused", another_user_is_refused),
];

/// A listening socket that everybody may connect to.
pub(crate) struct Door {
    listener: UnixListener,
    path: String,
    _dir: TempDir,
}

impl Door {
    pub(crate) fn new() -> Self {
        let dir = open_dir();
        let path = dir.path().join("door");
        let listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        Self { listener, path: path.to_str().unwrap().to_owned(), _dir: dir }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn accept(&self) -> UnixStream {
        assert!(wait_for(self.listener.as_fd(), PATIENCE), "nobody connects");
        self.listener.accept().unwrap().0
    }

    pub(crate) fn check(&self, tree: &Tree) -> Result<Peer, PeerError> {
        peer::check(self.accept().as_fd(), tree)
    }
}

/// A process of the same program and user that no guard knows of.
pub(crate) struct Stranger(Process);

impl Stranger {
    pub(crate) fn at(door: &Door) -> Self {
        let mut command = Command::new(own_program());
        command.args(["plugin", "dial", door.path()]);
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn the_plugin_is_accepted(stage: &Stage) {
    let door = Door::new();
    let child = stage.start(&["dial", door.path()]);
    let peer = door.check(&child.guard.tree()).unwrap();
    assert_eq!(peer, Peer { pid: started(&child.guard), uid: geteuid().as_raw() });
}

fn a_daemon_of_the_plugin_is_accepted(stage: &Stage) {
    let door = Door::new();
    let child = stage.start(&["daemon-dials", door.path()]);
    let peer = door.check(&child.guard.tree()).unwrap();
    assert_ne!(peer.pid, started(&child.guard));
}

fn a_namespace_inside_the_plugin_is_accepted(stage: &Stage) {
    if !Containment::UserPidNamespace.is_available() {
        return;
    }
    let door = Door::new();
    let child = stage.start(&["nested-dials", door.path()]);
    let peer = door.check(&child.guard.tree()).unwrap();
    assert_ne!(peer.pid, started(&child.guard));
}

fn a_plugin_that_forbids_dumping_is_accepted(stage: &Stage) {
    let door = Door::new();
    let child = stage.start(&["secretive-dials", door.path()]);
    door.check(&child.guard.tree()).unwrap();
    let other = stage.start(&["wait"]);
    let _again = stage.start(&["secretive-dials", door.path()]);
    door.check(&other.guard.tree()).unwrap_err();
}

fn a_stranger_of_the_same_user_is_refused(stage: &Stage) {
    let door = Door::new();
    let child = stage.start(&["wait"]);
    let stranger = Stranger::at(&door);
    let refusal = door.check(&child.guard.tree()).unwrap_err();
    assert!(matches!(refusal, PeerError::Stranger { pid } if pid == stranger.pid()), "{refusal:?}");
}

fn another_plugin_is_refused(stage: &Stage) {
    let door = Door::new();
    let child = stage.start(&["wait"]);
    let other = stage.start(&["dial", door.path()]);
    let refusal = door.check(&child.guard.tree()).unwrap_err();
    let pid = started(&other.guard);
    assert!(matches!(refusal, PeerError::Stranger { pid: p } if p == pid), "{refusal:?}");
}

fn a_peer_that_has_ended_is_refused(stage: &Stage) {
    let door = Door::new();
    let child = stage.start(&["dial-and-exit", door.path()]);
    let socket = door.accept();
    events(&child.guard);
    let refusal = peer::check(socket.as_fd(), &child.guard.tree()).unwrap_err();
    assert!(matches!(refusal, PeerError::Ended), "{refusal:?}");
}

fn everybody_is_refused_after_the_end(stage: &Stage) {
    let door = Door::new();
    let child = stage.start(&["exit", "0"]);
    events(&child.guard);
    let _stranger = Stranger::at(&door);
    assert!(door.check(&child.guard.tree()).is_err());
}

fn another_user_is_refused(stage: &Stage) {
    if !geteuid().is_root() || stage.mode == Containment::UserPidNamespace {
        return;
    }
    let door = Door::new();
    let user = Some(User { uid: 4242, gid: 4242 });
    let spec = Spec { user, ..stage.spec(&["dial", door.path()]) };
    let child = stage.launcher.spawn(&spec).unwrap();
    let tree = child.guard.tree();
    assert_eq!(door.check(&tree).unwrap().uid, 4242);
    let _stranger = Stranger::at(&door);
    let refusal = door.check(&tree).unwrap_err();
    assert!(matches!(refusal, PeerError::OtherUser { uid: 0, expected: 4242 }), "{refusal:?}");
}
