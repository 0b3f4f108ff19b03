//! Starts plugins so that nothing of them outlives the supervisor.
//!
//! # Three kinds of process
//!
//! The **launcher** is forked from the supervisor before it has threads, and forks for it from then
//! on: cheaply, as it stays small, and safely, as it has one thread. For each plugin it makes a
//! **guard**, which starts the **plugin** and holds together everything that the plugin starts in
//! turn ([`Containment`] says by what means).
//!
//! One socket joins supervisor and guard. Reports come up it ([`Event`]); its end going down is the
//! order to kill. The kernel closes it when the supervisor dies, however it dies, so no plugin
//! survives a `kill -9` of the supervisor by more than the moment it takes. Neither that order nor
//! those reports pass through the launcher: it may die, plugins run on, and the next
//! [`Launcher::spawn`] starts another.
//!
//! # Use
//!
//! ```no_run
//! # use outboard_jail::{Launcher, forbid_dumping};
//! fn main() -> std::io::Result<()> {
//!     Launcher::run_if_asked();
//!     let launcher = Launcher::fork()?;
//!     forbid_dumping()?;
//!     // Only now threads, a runtime, secrets, and `launcher.spawn(..)`.
//!     # drop(launcher);
//!     Ok(())
//! }
//! ```
//!
//! A [`Guard`] is a pollable descriptor and does nothing that blocks, so it fits any event loop.
//!
//! [`peer::check`] tells a plugin's processes from all others at the other end of a socket.

#![expect(unsafe_code, reason = "the one crate that forks and speaks to the kernel directly")]

mod children;
mod containment;
mod guard;
mod launcher;
mod limits;
mod message;
pub mod peer;
mod request;
mod spec;
mod sys;

pub use libc::{SIGABRT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

pub use containment::Containment;
pub use guard::{Child, Guard};
pub use launcher::{Launcher, SpawnError};
pub use limits::{forbid_dumping, raise_open_files};
pub use peer::{Peer, PeerError, Tree};
pub use request::Unfit;
pub use spec::{Event, Exit, Program, Spec, Step, Usage, User};
