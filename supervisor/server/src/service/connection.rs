//! Connections of callers: accepted, told apart, bounded in number, and ended in order.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd as _;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::caller::{Admitted, Caller};
use super::door::Door;
use super::listen::Listener;
use super::{IsPlugin, Parts, Patience, Service, Tls};
use crate::task;

/// Connections at a time; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 4096;
/// Of one caller; further ones are closed.
const MOST_OF_ONE: usize = 1024;
/// Requests at a time on one connection of HTTP/2.
const MOST_STREAMS: u32 = 256;
/// Bytes of a head.
const HEAD_BYTES: u32 = 64 << 10;
/// Pause after accepting failed for want of file descriptors or memory, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections have in common.
struct Hall {
    door: Door,
    is_plugin: IsPlugin,
    admitted: Admitted,
    tls: Option<Arc<Tls>>,
    patience: Patience,
    /// How many connections each caller has.
    places: Mutex<HashMap<Caller, usize>>,
    closing: CancellationToken,
    cut_off: CancellationToken,
}

/// A connection's place among those of its caller.
struct Place {
    hall: Arc<Hall>,
    caller: Caller,
}

/// What a connection keeps until its end.
struct Kept {
    _permit: OwnedSemaphorePermit,
    _counted: TaskTrackerToken,
}

enum Accepted {
    Unix(UnixStream),
    Tcp(TcpStream),
}

pub(super) async fn serve(
    service: Service,
    parts: Parts,
    shutdown: impl Future<Output = ()>,
    drain: Duration,
) {
    let Service { listener, tls, patience, body_space } = service;
    let gid = match &listener {
        Listener::Unix { gid, .. } => *gid,
        Listener::Tcp(_) => None,
    };
    let cut_off = CancellationToken::new();
    let hall = Arc::new(Hall {
        is_plugin: parts.is_plugin.clone(),
        door: Door::new(parts, patience.body, body_space),
        admitted: Admitted { uid: nix::unistd::geteuid().as_raw(), gid },
        tls,
        patience,
        places: Mutex::default(),
        closing: cut_off.child_token(),
        cut_off: cut_off.clone(),
    });
    let _cut_off_when_dropped = cut_off.drop_guard();
    let open = TaskTracker::new();
    tokio::select! {
        () = shutdown => {}
        () = accept_all(&hall, &listener, &open) => {}
    }
    // Whoever comes now is told so at once.
    drop(listener);
    hall.closing.cancel();
    open.close();
    if tokio::time::timeout(drain, open.wait()).await.is_err() {
        let left = open.len();
        tracing::warn!(left, "requests to the service outlived drain_timeout and were cut off");
    }
}

async fn accept_all(hall: &Arc<Hall>, listener: &Listener, open: &TaskTracker) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let accepted = match listener {
            Listener::Unix { listener, .. } => accept_unix(listener).await,
            Listener::Tcp(listener) => accept_tcp(listener).await,
        };
        match accepted {
            Ok(accepted) => {
                let kept = Kept { _permit: permit, _counted: open.token() };
                let (hall, cut_off) = (hall.clone(), hall.cut_off.clone());
                let connection = async move {
                    cut_off.run_until_cancelled(connection(hall, accepted)).await;
                    drop(kept);
                };
                task::spawn("connection to the service", connection).detach();
            }
            Err(error) => {
                tracing::debug!(%error, "service.listen cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept_unix(listener: &UnixListener) -> io::Result<Accepted> {
    Ok(Accepted::Unix(listener.accept().await?.0))
}

async fn accept_tcp(listener: &TcpListener) -> io::Result<Accepted> {
    let (stream, _) = listener.accept().await?;
    // An answer is written whole, so waiting for more would only delay it.
    stream.set_nodelay(true)?;
    Ok(Accepted::Tcp(stream))
}

async fn connection(hall: Arc<Hall>, accepted: Accepted) {
    match accepted {
        Accepted::Unix(stream) => {
            if let Some(caller) = hall.admit(&stream) {
                speak(&hall, stream, caller).await;
            }
        }
        Accepted::Tcp(stream) => {
            // Without TLS there is no TCP, which the configuration has seen to.
            let Some(tls) = hall.tls.clone() else { return };
            match tokio::time::timeout(hall.patience.head, tls.accept(stream)).await {
                Ok(Ok((stream, caller))) => speak(&hall, stream, caller).await,
                // Anybody who reaches the port can make this line, so it is none that is seen by default.
                Ok(Err(error)) => {
                    tracing::debug!(%error, "refused a connection to service.listen: no TLS with a certificate of service.tls.clients");
                }
                Err(_) => tracing::debug!("a TLS handshake with service.listen took too long"),
            }
        }
    }
}

impl Hall {
    fn admit(&self, stream: &UnixStream) -> Option<Caller> {
        match self.admitted.caller(stream) {
            Ok(Some(_)) if self.is_plugin(stream) => {
                tracing::warn!(
                    "refused a connection to the service socket: a plugin, which has host services of its own"
                );
                None
            }
            Ok(Some(caller)) => Some(caller),
            Ok(None) => {
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                tracing::warn!(
                    uid,
                    "refused a connection to the service socket: another user; service.group lets one in"
                );
                None
            }
            Err(error) => {
                tracing::debug!(%error, "a connection to the service socket has gone");
                None
            }
        }
    }

    fn is_plugin(&self, stream: &UnixStream) -> bool {
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        (self.is_plugin)(stream.as_fd(), pid)
    }

    fn place(self: &Arc<Self>, caller: &Caller) -> Option<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = places.entry(caller.clone()).or_default();
        if *taken >= MOST_OF_ONE {
            return None;
        }
        *taken += 1;
        Some(Place { hall: self.clone(), caller: caller.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.hall.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = places.get_mut(&self.caller) {
            *taken -= 1;
            if *taken == 0 {
                places.remove(&self.caller);
            }
        }
    }
}

/// HTTP/1.1 or HTTP/2, as the caller begins.
async fn speak<S>(hall: &Arc<Hall>, stream: S, caller: Caller)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(_place) = hall.place(&caller) else {
        tracing::warn!(%caller, "closed a connection to the service: it has {MOST_OF_ONE} others");
        return;
    };
    let door = hall.door.clone();
    let service = tower::service_fn(move |request| {
        let (door, caller) = (door.clone(), caller.clone());
        async move { Ok::<_, Infallible>(door.answer(request, &caller).await) }
    });
    let builder = builder(&hall.patience);
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = hall.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection to the service ended early");
    }
}

fn builder(patience: &Patience) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(HEAD_BYTES)
        // So that a caller that was switched off loses its place.
        .keep_alive_interval(Duration::from_mins(1))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
