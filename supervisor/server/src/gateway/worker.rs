//! Workers: threads that share an address and the bounds of the gateway, and nothing else.
//!
//! Each has a runtime of its own, a listening socket of its own, and all the tasks that serve its clients. So a
//! request never changes threads, and what a worker makes for itself (its [`Door`], its streams to plugins) is
//! never waited for by another.

use std::future::Future;
use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, thread};

use arc_swap::ArcSwap;
use futures_util::future::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::Room;
use super::connection::Line;
use super::gatekeeper::Gate;
use super::handle::Door;
use super::listen;
use super::own::Own;
use super::serve::{Patience, Server};
use super::{Gateway, Limits, Settings};
use crate::plugin::snapshot::Routes;

/// The tasks of a worker. They end at the latest when the worker does.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    waited_for: TaskTracker,
    closing: CancellationToken,
}

impl Tasks {
    /// Runs a connection, a part of a request or a tunnel. A shutdown waits for it as long as it waits for
    /// requests, and then drops it.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.waited_for.spawn(reported(future)));
    }

    /// Cancelled when the gateway shuts down: the time for connections and tunnels to say goodbye.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }
}

/// A panic ends only the task that it is in.
async fn reported(future: impl Future<Output = ()>) {
    if AssertUnwindSafe(future).catch_unwind().await.is_err() {
        tracing::error!("answering a client's requests panicked; this is a bug, please report it");
    }
}

/// What all workers have in common.
#[derive(Clone)]
struct Common {
    settings: Settings,
    patience: Patience,
    routes: Arc<Routes>,
    limits: Arc<ArcSwap<Limits>>,
    bodies: Room,
    own: Option<Own>,
    gatekeeper: Option<Gate>,
    /// Of all clients together, so that one worker does not turn away whom another has room for.
    places: Arc<Semaphore>,
    drain: Duration,
    end: End,
}

/// The steps of the end, each for all workers before the next.
#[derive(Clone, Default)]
struct End {
    /// Accept no more clients.
    stopping: CancellationToken,
    /// Let the clients go.
    closing: CancellationToken,
    /// Nobody waits any longer: end at once.
    abandoned: CancellationToken,
}

/// Runs all workers until `shutdown`, and gives back how many connections were cut off in the end.
pub(super) async fn serve(
    gateway: Gateway,
    routes: Arc<Routes>,
    limits: Arc<ArcSwap<Limits>>,
    shutdown: impl Future<Output = ()>,
    drain: Duration,
) -> usize {
    let Gateway { listeners, settings, patience, body_memory, own, own_name, gatekeeper } = gateway;
    let gatekeeper = gatekeeper.map(Gate::new);
    let own = own.map(|router| Own::new(router, own_name, routes.observer()));
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let bodies = Room::new(body_memory);
    let end = End::default();
    let common =
        Common { settings, patience, routes, limits, bodies, own, gatekeeper, places, drain, end };
    let End { stopping, closing, abandoned } = common.end.clone();
    let _abandoned = abandoned.drop_guard();
    let (accepting, mut accepted) = mpsc::channel(1);
    let workers = listeners.into_iter().enumerate().map(|(index, listener)| {
        Worker { index, listener, accepting: accepting.clone(), common: common.clone() }.start()
    });
    let mut workers: FuturesUnordered<_> = workers.collect();
    drop(accepting);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            ended = workers.next() => match ended {
                // It told why. The others go on, and the kernel sends them its share of clients.
                Some(_) => {}
                None => return 0,
            },
        }
    }
    stopping.cancel();
    // Nobody is let go while another could still be accepted: a client that comes back must find the door shut.
    let _: Option<()> = accepted.recv().await;
    closing.cancel();
    workers.map(|cut_off| cut_off.unwrap_or(0)).fold(0, |all, one| async move { all + one }).await
}

struct Worker {
    index: usize,
    listener: TcpListener,
    /// Nothing is ever sent: it is dropped when no more clients are accepted.
    accepting: mpsc::Sender<()>,
    common: Common,
}

impl Worker {
    fn start(self) -> oneshot::Receiver<usize> {
        start(self.index, || self.run())
    }

    fn run(self) -> io::Result<usize> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let abandoned = self.common.end.abandoned.clone();
        runtime.block_on(async {
            tokio::select! {
                biased;
                cut_off = self.serve() => cut_off,
                () = abandoned.cancelled() => Ok(0),
            }
        })
        // What is left is dropped with the runtime.
    }

    async fn serve(self) -> io::Result<usize> {
        let Self { index, listener, accepting, common } = self;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let End { stopping, closing, .. } = common.end.clone();
        let tasks = Tasks { waited_for: TaskTracker::new(), closing: closing.child_token() };
        let open = Arc::new(AtomicUsize::new(0));
        let drain = common.drain;
        let places = common.places.clone();
        let server = Arc::new(common.server(index, tasks.clone()));
        let next = async || {
            let (stream, peer) = listen::accept(&listener).await;
            // One client more than there are places waits here instead of in the kernel's queue: a worker that
            // first took a place and then waited for a client would keep it from the others.
            (place(&places).await, stream, peer)
        };
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                (place, stream, peer) = next() => {
                    let counted = server.door.observer.connection();
                    let line = Line::new(place, counted, open.clone());
                    tasks.spawn(server.clone().connection(stream, peer.ip(), line));
                }
            }
        }
        drop((listener, accepting));
        closing.cancelled().await;
        tasks.waited_for.close();
        let _ = tokio::time::timeout(drain, tasks.waited_for.wait()).await;
        Ok(open.load(Ordering::Relaxed))
    }
}

async fn place(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    places.clone().acquire_owned().await.expect("the semaphore is never closed")
}

impl Common {
    fn server(self, worker: usize, tasks: Tasks) -> Server {
        let Self { settings, patience, routes, limits, bodies, own, gatekeeper, .. } = self;
        let (prefix, cookie) = (settings.prefix.clone(), settings.cookie.clone());
        let observer = routes.observer().worker(worker);
        let door = Door {
            worker,
            tasks,
            prefix,
            cookie,
            routes,
            limits,
            bodies,
            own,
            gatekeeper,
            observer,
        };
        Server::new(&settings, patience, door)
    }
}

/// Runs a worker in a thread, and tells how many connections it cut off when nothing of it is left.
fn start(
    index: usize,
    run: impl FnOnce() -> io::Result<usize> + Send + 'static,
) -> oneshot::Receiver<usize> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name(format!("gateway-{index}"));
    let started = thread.spawn(move || match std::panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(cut_off)) => drop(tell.send(cut_off)),
        Ok(Err(error)) => {
            tracing::error!(worker = index, %error, "a worker of the gateway could not start");
        }
        Err(_) => tracing::error!(
            worker = index,
            "a worker of the gateway panicked, and its clients are cut off; this is a bug, please report it"
        ),
    });
    if let Err(error) = started {
        tracing::error!(worker = index, %error, "a thread of the gateway could not be started");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_worker_is_noticed_however_it_comes() {
        assert_eq!(start(0, || Ok(3)).await, Ok(3));
        assert!(start(1, || Err(io::ErrorKind::OutOfMemory.into())).await.is_err());
        assert!(start(2, || panic!("this is what the test is about")).await.is_err());
        let named = start(3, || {
            assert_eq!(thread::current().name(), Some("gateway-3"));
            Ok(0)
        });
        assert_eq!(named.await, Ok(0));
    }

    #[tokio::test]
    async fn a_panic_ends_only_its_task() {
        let tasks = Tasks::default();
        tasks.spawn(async { panic!("this is what the test is about") });
        let (tell, told) = oneshot::channel();
        tasks.spawn(async { tell.send(()).unwrap() });
        told.await.unwrap();
        tasks.waited_for.close();
        tasks.waited_for.wait().await;
    }
}
