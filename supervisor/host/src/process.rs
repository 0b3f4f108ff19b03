//! A plugin that runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use outboard_jail::{Exit, Launcher, Tree};
use outboard_proto::handshake::Handshake;
use outboard_proto::transport::Broker;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::child::Child;
use crate::connector::Connector;
use crate::error::StartError;
use crate::health::{self, HEALTH_TIMEOUT, HealthError};
use crate::launch::{Launch, Output};
use crate::stdio::Arrived;
use crate::{start, stop};

/// What go-plugin's hosts accept in one message, in bytes.
///
/// tonic's clients accept 4 MiB: give this to `max_decoding_message_size` of each client made from
/// [`Process::channel`], or rather a smaller limit that suits the service: a plugin need only announce
/// a message of this size, in five bytes, to have its host reserve that much memory for it, and may do
/// so in every call at once.
pub const MAX_MESSAGE_SIZE: usize = i32::MAX as usize;

/// One running plugin process, from its handshake to its end.
///
/// Dropping it kills the plugin with all its descendants, without waiting for them to be gone.
pub struct Process {
    pub(crate) child: Child,
    pub(crate) pid: i32,
    pub(crate) handshake: Handshake,
    pub(crate) channel: Channel,
    pub(crate) connector: Connector,
    pub(crate) broker: Broker,
    pub(crate) mirrored: Arrived,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, handshake, .. } = self;
        f.debug_struct("Process")
            .field("pid", pid)
            .field("handshake", handshake)
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Starts a plugin, and returns when it answers gRPC.
    ///
    /// Whether it is healthy is not asked here: see [`Process::check_health`]. Dropping the future
    /// kills what was started so far. Must be called within a tokio runtime with IO and time enabled.
    /// The launcher is waited for in `block_in_place` if that has several threads, else on the one it
    /// has: what else the same task does waits too.
    ///
    /// # Panics
    ///
    /// Within a `LocalSet` of a runtime with several threads.
    ///
    /// # Errors
    ///
    /// For everything in [`Cause`](crate::Cause). By then no process of the plugin is left.
    pub async fn start(
        launcher: &Launcher,
        launch: Launch,
        output: Arc<dyn Output>,
    ) -> Result<Self, StartError> {
        Self::start_until(launcher, launch, output, std::future::pending()).await
    }

    /// As [`Process::start`], unless `stop` is ready first: then the start ends with
    /// [`Cause::Aborted`](crate::Cause::Aborted), and by then no process of the plugin is left. Dropping the
    /// future instead does not wait for that.
    ///
    /// # Errors
    ///
    /// As [`Process::start`].
    pub async fn start_until(
        launcher: &Launcher,
        launch: Launch,
        output: Arc<dyn Output>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<Self, StartError> {
        start::start(launcher, launch, output, stop).await
    }

    /// The connection. It connects again by itself, with the same checks, while the plugin lives.
    /// Raise the limit on answers of the clients made from it: see [`MAX_MESSAGE_SIZE`].
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// For further connections to the plugin, each driven by the runtime that opens it.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// For connections to what either side serves under a number. A clone that is kept keeps its task.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What the plugin said of itself.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// The plugin's process id, as this process sees it. Good for logs; it may be another's as soon as
    /// the plugin has ended.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The plugin and its descendants, to tell whether a peer is one of them.
    pub fn tree(&self) -> Tree {
        self.child.tree()
    }

    /// How the plugin ended, as soon as it has. What it leaves behind is then being killed: to wait
    /// for that, and for its last output, call [`Process::kill`].
    ///
    /// A plugin whose guard was killed with it counts as killed: how it ended is not known.
    pub fn exited(&self) -> watch::Receiver<Option<Exit>> {
        self.child.exit()
    }

    /// The last lines of its stderr, cut and escaped, for a message about its end.
    pub fn last_words(&self) -> Vec<String> {
        self.child.stderr_tail().0
    }

    /// Asks go-plugin's health service, for at most [`HEALTH_TIMEOUT`]. A plugin that has none counts
    /// as healthy.
    ///
    /// # Errors
    ///
    /// When it says that it is not serving (which Go hosts overlook), answers with an error, or not at
    /// all.
    pub async fn check_health(&self) -> Result<(), HealthError> {
        health::check(&self.channel, HEALTH_TIMEOUT).await
    }

    /// Ends the plugin politely, and returns when its whole tree is gone and its last output has been
    /// delivered.
    ///
    /// Asks it to shut down, sends SIGTERM for the last part of `grace` (a quarter, at most 1 s), at once
    /// if it can't be asked, and kills what is left. So it takes at most `grace` and what killing
    /// takes. May be called again and at the same time, and after the plugin has ended. Dropping the
    /// future leaves the plugin asked or told, but not killed.
    pub async fn stop(&self, grace: Duration) -> Exit {
        stop::stop(self, grace).await
    }

    /// Kills the plugin and all its descendants, and returns when they are gone and their last output
    /// has been delivered. May be called again, and after the plugin has ended.
    pub async fn kill(&self) -> Exit {
        self.child.bury().await
    }
}
