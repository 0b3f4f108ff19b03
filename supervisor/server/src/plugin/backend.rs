//! How requests reach a process: over connections of the gateway's workers, each opened by its worker at its
//! first request and driven by it, so that no request changes threads.
//!
//! A [`Backend`] belongs to one process and is shared by its activations. It finds what a worker has opened
//! without a lock; only opening is one at a time, for each worker by itself.

mod link;

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use outboard_proto::plugin::v1::RequestFrame;
use outboard_proto::plugin::v1::http_client::HttpClient;
use outboard_proto::transport::ConnectError;
use outboard_proto::transport::mux::Exchange;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;

use link::Link;

/// How long a plugin may take to say Hello on a stream.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// How many streams are tried for one request, each of which goes away before it can be opened there.
const MOST_STREAMS: usize = 3;

/// In which of the two ways a process takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `Http.Handle`: a call for each step of a request.
    Plain,
    /// `Http.Serve`: many requests at once, in pieces, over one stream of each worker.
    Framed,
}

/// The connections of one process for requests. They end with it.
pub struct Backend {
    /// The plugin's, for logs.
    plugin: Arc<str>,
    way: Way,
    dial: Dial,
    hello_limit: Duration,
    slots: Slots,
    /// Dropped with the backend, which ends its streams.
    gone: DropGuard,
}

type Dial = Box<dyn Fn() -> Dialling + Send + Sync>;
type Dialling = Pin<Box<dyn Future<Output = Result<Channel, ConnectError>> + Send>>;

/// Why a worker has no connection to a process.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(Arc<str>);

/// Why a request was not opened.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error("{0}")]
    Unreachable(#[from] Unreachable),
    /// The plugin takes no more at a time, and none of its requests ended soon enough.
    #[error("the plugin takes no more requests at a time")]
    Full,
}

impl Backend {
    /// For a process of `plugin` that `dial` connects to, each time in the runtime of whoever asks. Nothing is
    /// dialled yet.
    pub fn new<F>(plugin: &str, way: Way, dial: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Channel, ConnectError>> + Send + 'static,
    {
        Self {
            plugin: plugin.into(),
            way,
            dial: Box::new(move || Box::pin(dial())),
            hello_limit: HELLO_LIMIT,
            slots: Slots::default(),
            gone: CancellationToken::new().drop_guard(),
        }
    }

    /// How long a plugin may take to say Hello. Default: 5 seconds.
    #[must_use]
    pub fn with_hello_limit(self, hello_limit: Duration) -> Self {
        Self { hello_limit, ..self }
    }

    pub fn way(&self) -> Way {
        self.way
    }

    /// Requests that are open on the current streams of all workers.
    pub fn open_requests(&self) -> usize {
        let links = self.slots.iter().filter_map(|slot| slot.link.load_full());
        links.map(|link| link.open_requests()).sum()
    }

    /// A client for plain calls, on the connection of a worker.
    pub(crate) async fn client(&self, worker: usize) -> Result<HttpClient<Channel>, Unreachable> {
        Ok(self.link(self.slots.of(worker)).await?.client())
    }

    /// Opens a request on the stream of a worker, if there is one with a place for it. Who gets the request back
    /// calls [`Self::open`].
    pub(crate) fn try_open(
        &self,
        worker: usize,
        request: Box<RequestFrame>,
    ) -> Result<Exchange, Box<RequestFrame>> {
        match &*self.slots.of(worker).link.load() {
            Some(link) => link.open(request).map_err(|(_, request)| request),
            None => Err(request),
        }
    }

    /// Opens a request on the stream of a worker, or on a new one. Waits at most `patience` for a place on it.
    pub(crate) async fn open(
        &self,
        worker: usize,
        mut request: Box<RequestFrame>,
        patience: Duration,
    ) -> Result<Exchange, NotOpened> {
        let slot = self.slots.of(worker);
        let mut until = None;
        for _ in 0..MOST_STREAMS {
            let link = self.link(slot).await?;
            while link.is_usable() {
                let until = *until.get_or_insert_with(|| Instant::now() + patience);
                let room = tokio::time::timeout_at(until, link.room()).await;
                room.map_err(|_| NotOpened::Full)?;
                request = match link.open(request) {
                    Ok(exchange) => return Ok(exchange),
                    Err((_, request)) => request,
                };
            }
        }
        Err(Unreachable::goes_away().into())
    }

    /// What a worker has, or a new one. Whoever comes while one is being opened waits for that, and shares its
    /// failure too: a process that can't be reached must not be dialled once for each request that waits.
    async fn link(&self, slot: &Slot) -> Result<Arc<Link>, Unreachable> {
        if let Some(link) = slot.usable() {
            return Ok(link);
        }
        let seen = slot.tried.load(Ordering::Acquire);
        let mut failure = slot.failure.lock().await;
        if let Some(link) = slot.usable() {
            return Ok(link);
        }
        if let Some(failure) = &*failure
            && slot.tried.load(Ordering::Acquire) != seen
        {
            return Err(failure.clone());
        }
        let tried = self.try_link().await;
        slot.tried.fetch_add(1, Ordering::Release);
        *failure = tried.as_ref().err().cloned();
        // The one before ends by itself, after its last request.
        slot.link.store(tried.as_ref().ok().cloned());
        tried
    }

    async fn try_link(&self) -> Result<Arc<Link>, Unreachable> {
        let channel = (self.dial)().await.map_err(|error| Unreachable(error.to_string().into()))?;
        match self.way {
            Way::Plain => Ok(Arc::new(Link::plain(channel))),
            Way::Framed => {
                let (plugin, gone) = (self.plugin.clone(), self.gone.token().clone());
                Ok(Arc::new(Link::framed(plugin, channel, gone, self.hello_limit).await?))
            }
        }
    }
}

impl Unreachable {
    fn goes_away() -> Self {
        Self("the plugin ends each stream as soon as it has begun".into())
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("plugin", &self.plugin)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

/// What one worker has of a process.
#[derive(Debug, Default)]
struct Slot {
    link: ArcSwapOption<Link>,
    /// How often a link was tried, to its end.
    tried: AtomicU64,
    /// Held by whoever tries. Why it came to nothing the last time.
    failure: Mutex<Option<Unreachable>>,
}

impl Slot {
    fn usable(&self) -> Option<Arc<Link>> {
        self.link.load_full().filter(|link| link.is_usable())
    }
}

/// A slot for each worker, made when it is first asked for; how many workers there are need not be known. Each
/// array is twice as long as the one before.
#[derive(Debug, Default)]
struct Slots([OnceLock<Box<[Slot]>>; 11]);

impl Slots {
    /// Two workers may share one, beyond 2047 of them.
    fn of(&self, worker: usize) -> &Slot {
        let most = (1 << self.0.len()) - 1;
        let number = worker % most + 1;
        let array = usize::try_from(number.ilog2()).expect("fewer than 64");
        let length = 1 << array;
        let slots = self.0[array].get_or_init(|| (0..length).map(|_| Slot::default()).collect());
        &slots[number - length]
    }

    fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter_map(OnceLock::get).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_a_slot_of_its_own_that_stays() {
        let slots = Slots::default();
        let places: Vec<*const Slot> =
            (0..2047).map(|worker| &raw const *slots.of(worker)).collect();
        let mut distinct = places.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 2047);
        assert_eq!(slots.iter().count(), 2047);
        assert!((0..2047).all(|worker| std::ptr::eq(slots.of(worker), places[worker])));
        assert!(std::ptr::eq(slots.of(2047), slots.of(0)));
    }
}
