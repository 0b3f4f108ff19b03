//! What belongs to one activation of an instance, and how a request finds its handler.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use futures_util::FutureExt as _;

use crate::endpoints::{EndpointId, Handler};
use crate::host::Host;
use crate::outcome::Outcome;
use crate::request::Request;

pub(crate) struct Activation<I> {
    pub(crate) host: Host,
    next_id: AtomicU32,
    handlers: RwLock<HashMap<u32, Handler<I>>>,
    /// Set when `init` has succeeded; nothing is served before.
    instance: OnceLock<Arc<I>>,
}

/// The host named an endpoint that this activation does not have.
#[derive(Debug)]
pub(crate) struct NoSuchEndpoint;

impl<I: Send + Sync + 'static> Activation<I> {
    pub(crate) fn new(host: Host) -> Self {
        Self {
            host,
            next_id: AtomicU32::new(1),
            handlers: RwLock::default(),
            instance: OnceLock::new(),
        }
    }

    pub(crate) fn insert(&self, handler: Handler<I>) -> EndpointId {
        let id = EndpointId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(id.0, handler);
        id
    }

    pub(crate) fn remove(&self, id: EndpointId) {
        self.handlers.write().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
    }

    /// Lets requests in.
    pub(crate) fn serve(&self, instance: I) {
        // Init runs once for each activation, so the cell is empty.
        let _ = self.instance.set(Arc::new(instance));
    }

    pub(crate) fn instance(&self) -> Option<Arc<I>> {
        self.instance.get().cloned()
    }

    /// Runs one step of a chain. A handler that panics fails its own request only.
    pub(crate) async fn step(
        &self,
        endpoint_id: u32,
        request: Request,
    ) -> Result<Outcome, NoSuchEndpoint> {
        let handler = {
            let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
            handlers.get(&endpoint_id).cloned()
        };
        let (Some(handler), Some(instance)) = (handler, self.instance()) else {
            return Err(NoSuchEndpoint);
        };
        // A plain `fn` handler may panic before it gives its future, so both stand inside.
        let answer = async move { handler(instance, request).await };
        Ok(AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| Outcome::fail()))
    }
}
