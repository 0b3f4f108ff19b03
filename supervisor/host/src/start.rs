//! The start of a plugin, step by step: spawn, first line, handshake, connect, first answer.
//!
//! A step that fails ends the start: the tree is killed and gone before its cause is worked out and
//! returned.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outboard_jail::{Launcher, Spec, Step, Tree, peer};
use outboard_proto::handshake::{Address, Expect, Handshake, HandshakeError, MAX_LINE};
use outboard_proto::transport::{
    Broker, BrokerConfig, ConnectError, Identity, PeerCheck, Tls, TlsError, connect,
};
use tokio::time::{Instant, timeout_at};
use tonic::transport::Channel;

use crate::child::Child;
use crate::connector::Connector;
use crate::diagnose::{self, quote};
use crate::error::{Cause, StartError};
use crate::exit::Started;
use crate::firstline::{self, FirstLine, NoLine};
use crate::launch::{Launch, Output, Terms, TlsMode};
use crate::process::Process;
use crate::source::Source;
use crate::{health, inspect, stdio};

/// From the handshake line to the first answer. A Go plugin whose broker is multiplexed waits no
/// longer for its host.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Within so long the exit that explains a failure is known.
const SOON: Duration = Duration::from_millis(250);

/// `sun_path` holds 107 bytes and a NUL; go-plugin's names are `/plugin` and up to ten digits.
const LONGEST_SOCKET_DIR: usize = 107 - 17;

/// What stopped a start, as it was seen.
enum Failure {
    Exec(Step, i32),
    GuardLost,
    NoLine(NoLine),
    Handshake(HandshakeError),
    Tls(TlsError),
    Connect(ConnectError),
    NoAnswer(Address, String),
}

/// What a start that went well has found out.
pub(crate) struct Introduced {
    pub(crate) pid: i32,
    pub(crate) handshake: Handshake,
    pub(crate) channel: Channel,
    pub(crate) connector: Connector,
    pub(crate) broker: Broker,
    /// What is left of stdout, and what of it was read already.
    stdout: Source,
    rest: Vec<u8>,
}

pub(crate) async fn start(
    launcher: &Launcher,
    launch: Launch,
    output: Arc<dyn Output>,
    stop: impl Future<Output = ()>,
) -> Result<Process, StartError> {
    let plugin = launch.name.clone();
    let started = attempt(launcher, launch, output, stop).await;
    started.map_err(|cause| StartError { plugin, cause: Box::new(cause) })
}

async fn attempt(
    launcher: &Launcher,
    launch: Launch,
    output: Arc<dyn Output>,
    stop: impl Future<Output = ()>,
) -> Result<Process, Cause> {
    let deadline = Instant::now() + launch.start_timeout;
    check_length(&launch.socket_dir)?;
    check_length(&launch.broker_dir)?;
    let identity = match launch.tls {
        TlsMode::Required => Some(Identity::generate()?),
        TlsMode::Auto | TlsMode::Off => None,
    };
    let (spec, terms) = launch.split(identity.as_ref().map(Identity::cert_pem));
    let (child, stdout) = Child::spawn(launcher, &spec, &terms, &output)?;
    let introduced = tokio::select! {
        introduced = introduce(&child, stdout, &terms, identity.as_ref(), deadline) => introduced,
        () = stop => {
            child.bury().await;
            return Err(Cause::Aborted);
        }
    };
    match introduced {
        Ok(introduced) => Ok(settle_in(child, introduced, output)),
        Err(failure) => Err(explain(failure, &child, &spec, &terms).await),
    }
}

/// A Go plugin whose socket's path is too long exits with 0 and says so only in its log.
fn check_length(socket_dir: &Path) -> Result<(), Cause> {
    if socket_dir.as_os_str().len() <= LONGEST_SOCKET_DIR {
        return Ok(());
    }
    Err(Cause::SocketDir { path: socket_dir.to_owned(), limit: LONGEST_SOCKET_DIR })
}

async fn introduce(
    child: &Child,
    mut stdout: Source,
    terms: &Terms,
    identity: Option<&Identity>,
    deadline: Instant,
) -> Result<Introduced, Failure> {
    let pid = started(child, deadline).await?;
    let FirstLine { line, rest } =
        firstline::read(&mut stdout, deadline).await.map_err(Failure::NoLine)?;
    let handshake = shake_hands(&line, terms, identity).map_err(Failure::Handshake)?;
    let tls = pinned(identity, &handshake).map_err(Failure::Tls)?;
    let check = only(child.tree()).with_tcp(terms.tcp);
    let limit = CONNECT_LIMIT.min(terms.start_timeout);
    let channel = reach(&handshake.address, tls.as_ref(), &check, limit).await?;
    if let Some(socket) = own_socket(&handshake.address, &terms.socket_dir) {
        child.leaves(socket);
    }
    let connector = Connector::new(
        handshake.address.clone(),
        tls.clone(),
        check.clone(),
        limit,
        channel.clone(),
    );
    let broker = Broker::over(channel.clone(), broker_config(terms, tls, check));
    Ok(Introduced { pid, handshake, channel, connector, broker, stdout, rest })
}

async fn started(child: &Child, deadline: Instant) -> Result<i32, Failure> {
    match timeout_at(deadline, child.started()).await {
        Ok(Started::Runs(pid)) => Ok(pid),
        Ok(Started::Failed(step, errno)) => Err(Failure::Exec(step, errno)),
        Ok(Started::Lost) => Err(Failure::GuardLost),
        Err(_) => Err(Failure::NoLine(NoLine::Late(Vec::new()))),
    }
}

fn shake_hands(
    line: &[u8],
    terms: &Terms,
    identity: Option<&Identity>,
) -> Result<Handshake, HandshakeError> {
    let expect =
        Expect { versions: &terms.versions, auto_mtls: identity.is_some(), multiplex: false };
    let mut handshake = Handshake::parse(line, &expect)?;
    if let Address::Unix(path) = &mut handshake.address {
        // Relative to where the plugin is, not to where its host is.
        *path = terms.work_dir.join(&*path);
    }
    Ok(handshake)
}

/// The name of the socket, if the plugin made it where it was told to. Only for an address at which
/// the plugin was found to listen: it may name any file it likes.
fn own_socket(address: &Address, socket_dir: &Path) -> Option<OsString> {
    match address {
        Address::Unix(path) if path.parent() == Some(socket_dir) => {
            path.file_name().map(OsStr::to_owned)
        }
        Address::Unix(_) | Address::Abstract(_) | Address::Tcp(_) => None,
    }
}

fn pinned(identity: Option<&Identity>, handshake: &Handshake) -> Result<Option<Tls>, TlsError> {
    let pair = identity.zip(handshake.server_cert.as_deref());
    pair.map(|(identity, peer)| Tls::new(identity, peer)).transpose()
}

/// Lets in, on Unix sockets, processes of this tree alone.
fn only(tree: Tree) -> PeerCheck {
    PeerCheck::new(move |socket| peer::check(socket, &tree).map(drop).map_err(io::Error::other))
}

/// Connects, and waits for the first answer of any kind: with TLS 1.3 a plugin that refuses its
/// host's certificate shows it only then, and so does one that accepts and stays silent.
async fn reach(
    address: &Address,
    tls: Option<&Tls>,
    check: &PeerCheck,
    limit: Duration,
) -> Result<Channel, Failure> {
    let deadline = Instant::now() + limit;
    let channel = connect(address, tls, check, limit).await.map_err(Failure::Connect)?;
    let no_answer = |error| Failure::NoAnswer(address.clone(), error);
    match timeout_at(deadline, health::probe(&channel)).await {
        Ok(Ok(())) => Ok(channel),
        Ok(Err(status)) => Err(no_answer(chain(&status))),
        Err(_) => {
            Err(no_answer(format!("it accepted the connection and was silent for {limit:?}")))
        }
    }
}

/// An error with what caused it; tonic's own message alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn broker_config(terms: &Terms, tls: Option<Tls>, check: PeerCheck) -> BrokerConfig {
    BrokerConfig {
        socket_dir: terms.broker_dir.clone(),
        socket_group: terms.socket_group.clone(),
        tls,
        check,
        allow_tcp: terms.tcp,
    }
}

/// From here on its output is delivered for as long as it lives.
fn settle_in(child: Child, introduced: Introduced, output: Arc<dyn Output>) -> Process {
    let Introduced { pid, handshake, channel, connector, broker, stdout, rest } = introduced;
    let (mirrored, mirror) = stdio::mirror(channel.clone(), Arc::clone(&output));
    child.read(mirror);
    child.read(firstline::drain(stdout, rest, output));
    Process { child, pid, handshake, channel, connector, broker, mirrored }
}

/// Kills what there is, and says why it had to be.
async fn explain(failure: Failure, child: &Child, spec: &Spec, terms: &Terms) -> Cause {
    let exit = match &failure {
        Failure::NoLine(NoLine::Closed) | Failure::Connect(_) | Failure::NoAnswer(..) => {
            child.exit_by(Instant::now() + SOON).await
        }
        _ => None,
    };
    child.bury().await;
    let stderr = child.stderr_tail();
    match (failure, exit) {
        (Failure::Exec(Step::Program, errno), _) => diagnose::exec(errno, inspect::program(spec)),
        (Failure::Exec(Step::Directory, errno), _) => {
            let error = io::Error::from_raw_os_error(errno);
            Cause::WorkDir { path: spec.dir.clone(), error }
        }
        (Failure::Exec(step, errno), _) => {
            Cause::Confine { step, error: io::Error::from_raw_os_error(errno) }
        }
        (Failure::GuardLost, _) => Cause::GuardLost,
        (Failure::NoLine(NoLine::Closed), Some(exit)) => diagnose::exited(exit, stderr),
        (Failure::NoLine(NoLine::Closed), None) => Cause::StdoutClosed { stderr },
        (Failure::NoLine(NoLine::TooLong(start)), _) => {
            Cause::LineTooLong { limit: MAX_LINE, start: quote(&start) }
        }
        (Failure::NoLine(NoLine::Late(partial)), _) => {
            let partial = if partial.is_empty() { String::new() } else { quote(&partial) };
            Cause::Silent { limit: terms.start_timeout, partial, stderr }
        }
        (Failure::Handshake(error), _) => Cause::Handshake(error),
        (Failure::Tls(error), _) => Cause::Tls(error),
        (Failure::Connect(_) | Failure::NoAnswer(..), Some(exit)) => {
            Cause::ExitedEarly { exit, stderr }
        }
        (Failure::Connect(error), None) => diagnose::connect(error, stderr),
        (Failure::NoAnswer(address, error), None) => Cause::NoAnswer { address, error, stderr },
    }
}
