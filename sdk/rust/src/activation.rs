//! What belongs to one activation of an instance, and how a request finds its handler.

use std::collections::HashMap;
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::endpoints::{EndpointId, Handler};
use crate::host::Host;
use crate::outcome::Outcome;
use crate::request::Request;

pub(crate) struct Activation<I> {
    pub(crate) host: Host,
    next_id: AtomicU32,
    /// Each request reads it, and next to nobody writes.
    handlers: ArcSwap<HashMap<u32, Handler<I>>>,
    /// Set when `init` has succeeded; nothing is served before.
    instance: OnceLock<Arc<I>>,
}

/// A handler at work. A panic fails its request only.
pub(crate) struct Running(BoxFuture<'static, Outcome>);

impl<I: Send + Sync + 'static> Activation<I> {
    pub(crate) fn new(host: Host) -> Self {
        Self {
            host,
            next_id: AtomicU32::new(1),
            handlers: ArcSwap::default(),
            instance: OnceLock::new(),
        }
    }

    pub(crate) fn next_id(&self) -> EndpointId {
        EndpointId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn insert(&self, handlers: &[(EndpointId, Handler<I>)]) {
        self.change(|all| all.extend(handlers.iter().map(|(id, it)| (id.0, Arc::clone(it)))));
    }

    pub(crate) fn remove(&self, id: EndpointId) {
        self.change(|all| drop(all.remove(&id.0)));
    }

    fn change(&self, change: impl Fn(&mut HashMap<u32, Handler<I>>)) {
        self.handlers.rcu(|handlers| {
            let mut handlers = HashMap::clone(handlers);
            change(&mut handlers);
            handlers
        });
    }

    /// Lets requests in.
    pub(crate) fn serve(&self, instance: I) {
        // Init runs once for each activation, so the cell is empty.
        let _ = self.instance.set(Arc::new(instance));
    }

    pub(crate) fn instance(&self) -> Option<Arc<I>> {
        self.instance.get().cloned()
    }

    /// Begins a step of a chain; `None`, if there is no such endpoint.
    pub(crate) fn begin(&self, endpoint_id: u32, request: Request) -> Option<Running> {
        let instance = self.instance()?;
        let handlers = self.handlers.load();
        let handler = handlers.get(&endpoint_id)?;
        // A plain `fn` handler may panic before it gives its future.
        let called = catch_unwind(AssertUnwindSafe(|| handler(instance, request)));
        Some(Running(called.unwrap_or_else(|_| ready(Outcome::fail()).boxed())))
    }
}

impl Future for Running {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = self.0.as_mut().poll(cx);
            if polled.is_ready() {
                // Dropped here, as that may panic, too.
                self.0 = pending().boxed();
            }
            polled
        }));
        polled.unwrap_or_else(|_| Poll::Ready(Outcome::fail()))
    }
}
