//! go-plugin's host side for Rust: one plugin, from its start to its end, and no policy.
//!
//! # Theory of operation
//!
//! A plugin is a program that prints one line on its stdout, the *handshake*, which says where it
//! serves gRPC. [`Process::start`] has it started, reads that line, connects, and gives a [`Process`],
//! whose [`channel`](Process::channel) is what clients of the plugin's own services are made from.
//!
//! The program is not started by this process but by its *launcher*, a small process forked before
//! there were threads, and under a *guard*, which is the parent of the plugin, tells of its end, and
//! kills it with all its descendants when it is told to or when this process is gone
//! (`outboard-jail`). So nothing a plugin does, daemonising included, lets it outlive a [`Process`]:
//! dropping one, or a start that has not finished, kills the tree.
//!
//! Nobody believes a plugin. What listens at the address of its handshake must be a process of its own
//! tree, or hold the key of the certificate in its handshake ([`TlsMode`]). Its output is read for
//! ever, so that it never blocks, but bounded: the first line in size and time, parsed log lines in
//! rate, what is kept of them in number. No call waits for it without a limit.
//!
//! Three streams leave a plugin and go to its [`Output`]: stderr, parsed into lines as go-plugin does
//! (hclog's JSON, `[LEVEL]` prefixes, panics); what it mirrors over gRPC, as Go plugins do with their
//! standard output; and what it writes to the stdout pipe after its handshake. Each has a task of its
//! own, which ends with the tree.
//!
//! An end has two moments. [`Process::exited`] tells of the first: the plugin itself has ended. The
//! second is when the guard is gone too, the only proof that no descendant is left; by then the
//! plugin's socket is removed, and [`Process::stop`] and [`Process::kill`] return after it, with the
//! last output delivered.
//!
//! What is deliberately absent: restarts, back-off, configuration, anything about more than one
//! plugin. A start that failed says whether trying again can help
//! ([`StartError::is_permanent`]); whether to is the caller's business.
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! use outboard_host::{Launch, Launcher, Process, TlsMode};
//!
//! # async fn example(launcher: &Launcher, launch: Launch) -> Result<(), Box<dyn std::error::Error>> {
//! // `Launcher::run_if_asked()` and `Launcher::fork()` came first in `main`, before the runtime.
//! let process = Process::start(launcher, launch, Arc::new(())).await?;
//! process.check_health().await?;
//! // … make clients from process.channel() …
//! process.stop(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod child;
mod connector;
mod diagnose;
mod error;
mod exit;
mod firstline;
mod health;
mod inspect;
mod launch;
mod process;
mod source;
mod start;
mod stderr;
mod stdio;
mod stop;

pub use connector::Connector;
pub use error::{Cause, StartError, StderrTail};
pub use health::{HEALTH_TIMEOUT, HealthError};
pub use launch::{Launch, Output, TlsMode};
pub use process::{MAX_MESSAGE_SIZE, Process};
pub use stderr::{Level, LogLine};

pub use outboard_jail::{Containment, Exit, Launcher, Program, Tree, User};
pub use outboard_proto::transport::ConnectError;
