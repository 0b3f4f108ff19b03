//! What becomes of a plugin's process tree, as its guard tells it.
//!
//! One task per plugin reads the guard's news and publishes them; it ends when the guard itself is
//! gone, which is the only proof that the whole tree is.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use nix::fcntl::{AtFlags, OFlag, open};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use outboard_jail::{Event, Exit, Guard, Step};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// What is said of a plugin whose guard was killed with it: its own end is not known.
pub(crate) const UNKNOWN: Exit = Exit::Signal { signal: libc::SIGKILL, core: false };

/// What is known so far. Each field only ever changes once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) start: Option<Started>,
    pub(crate) exit: Option<Exit>,
    /// Every process of the tree, and the guard, is dead.
    pub(crate) is_gone: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Started {
    /// The plugin's process id as this process sees it.
    Runs(i32),
    Failed(Step, i32),
    /// The guard was lost before it could say.
    Lost,
}

/// Where the news arrive.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) seen: watch::Receiver<Seen>,
    /// [`Seen::exit`] alone, for users.
    pub(crate) exit: watch::Receiver<Option<Exit>>,
    /// The name of the plugin's socket in its directory, to be removed when its tree is gone: Go
    /// plugins leave it when they are killed, and when their broker is multiplexed.
    pub(crate) leftover: Arc<OnceLock<OsString>>,
}

/// The directory of the plugin's sockets as it was before the plugin ran.
///
/// The plugin may do with its directory what it likes, such as put a link to another in its place. So
/// it is held by descriptor, and what is removed is named relative to that.
#[derive(Debug)]
pub(crate) struct SocketDir(OwnedFd);

impl SocketDir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// Removes the socket of that name. Anything else of that name is let alone. The plugin must be
    /// gone: only it could swap the one for the other in between.
    fn remove_socket(&self, name: &OsString) {
        let found = fstatat(&self.0, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
        let is_socket = |mode| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFSOCK;
        // Usually the plugin has removed it itself.
        if found.is_ok_and(|file| is_socket(file.st_mode)) {
            let _ = unlinkat(&self.0, name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

struct Teller {
    seen: watch::Sender<Seen>,
    exit: watch::Sender<Option<Exit>>,
    sockets: SocketDir,
    leftover: Arc<OnceLock<OsString>>,
}

/// Begins to follow `guard`. Must be called within a tokio runtime.
///
/// All that is needed to tell that the tree is gone is had here, so that it can't be told for want of
/// a descriptor later.
pub(crate) fn follow(guard: Arc<Guard>, sockets: SocketDir) -> io::Result<News> {
    let pidfd = watch_for_reading(guard.pidfd().try_clone_to_owned()?)?;
    let control = watch_for_reading(guard)?;
    let (seen_sender, seen) = watch::channel(Seen::default());
    let (exit_sender, exit) = watch::channel(None);
    let leftover = Arc::new(OnceLock::new());
    let teller =
        Teller { seen: seen_sender, exit: exit_sender, sockets, leftover: Arc::clone(&leftover) };
    tokio::spawn(teller.tell(control, pidfd));
    Ok(News { seen, exit, leftover })
}

impl Teller {
    async fn tell(self, control: AsyncFd<Arc<Guard>>, pidfd: AsyncFd<OwnedFd>) {
        while let Some(event) = next(&control).await {
            match event {
                Event::Started { pid } => self.started(Started::Runs(pid)),
                Event::ExecFailed { step, errno } => self.started(Started::Failed(step, errno)),
                Event::Exited { status, .. } => self.exited(status),
                Event::Gone | Event::Lost => break,
            }
        }
        // Now the guard is about to die or dead; should it neither say nor die, it is made to.
        control.get_ref().kill_tree();
        // Fails only while the runtime ends, when nobody is told any more.
        if pidfd.readable().await.is_ok() {
            self.gone();
        }
    }

    fn started(&self, started: Started) {
        self.seen.send_modify(|seen| seen.start = seen.start.or(Some(started)));
    }

    fn exited(&self, exit: Exit) {
        self.seen.send_modify(|seen| seen.exit = seen.exit.or(Some(exit)));
        self.exit.send_modify(|known| *known = known.or(Some(exit)));
    }

    fn gone(&self) {
        if let Some(socket) = self.leftover.get() {
            self.sockets.remove_socket(socket);
        }
        self.started(Started::Lost);
        self.exited(UNKNOWN);
        self.seen.send_modify(|seen| seen.is_gone = true);
    }
}

/// `None` when there is nothing more to come.
async fn next(control: &AsyncFd<Arc<Guard>>) -> Option<Event> {
    loop {
        let mut ready = control.readable().await.ok()?;
        match control.get_ref().next() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            event => return event.ok().flatten(),
        }
    }
}

#[expect(
    deprecated,
    reason = "sound for what owns its descriptor; the successor is unsafe to call"
)]
fn watch_for_reading<T: AsFd + AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(owner, Interest::READABLE)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    /// A directory with a socket, a file and a link to the socket, beside another with a socket.
    fn sockets() -> (TempDir, SocketDir) {
        let dir = tempfile::tempdir().expect("made");
        for (place, name) in [("own", "socket"), ("other", "socket")] {
            let place = dir.path().join(place);
            std::fs::create_dir(&place).expect("made");
            UnixListener::bind(place.join(name)).expect("bound");
        }
        let own = dir.path().join("own");
        std::fs::write(own.join("file"), "").expect("written");
        symlink("socket", own.join("link")).expect("linked");
        let opened = SocketDir::open(&own).expect("opened");
        (dir, opened)
    }

    #[test]
    fn only_a_socket_is_removed() {
        let (dir, sockets) = sockets();
        for (name, is_left) in [("socket", false), ("file", true), ("link", true), ("none", false)]
        {
            sockets.remove_socket(&name.into());
            let path = dir.path().join("own").join(name);
            assert_eq!(path.symlink_metadata().is_ok(), is_left, "{name}");
        }
    }

    #[test]
    fn a_directory_that_was_swapped_for_a_link_is_not_followed() {
        let (dir, sockets) = sockets();
        std::fs::rename(dir.path().join("own"), dir.path().join("moved")).expect("moved");
        symlink("other", dir.path().join("own")).expect("linked");
        sockets.remove_socket(&"socket".into());
        assert!(dir.path().join("other/socket").exists());
        assert!(!dir.path().join("moved/socket").exists());
        assert!(SocketDir::open(&dir.path().join("own")).is_err(), "it is a link from the start");
    }
}
