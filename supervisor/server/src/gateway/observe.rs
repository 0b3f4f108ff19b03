//! What a request leaves behind: numbers for whoever measures, and a line in the access log.
//!
//! A request has one [`Record`], from its head until its response has ended or nobody is there any more. All that
//! it touches on the way is a [`Shard`] of its instance's [`Series`]: counters of its own worker, found when the
//! instance was published, so that counting is a few additions in memory that no other thread writes. Whoever
//! wants to know a number adds up the shards.
//!
//! The gateway has one [`Observer`], of which each worker gets its own by [`Observer::worker`].

pub mod reason;
pub mod series;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use http::request::Parts;
use tokio::time::Instant;

use super::access_log::{AccessLog, Line};
pub use reason::Reason;
use reason::Reasons;
pub use series::Series;
use series::Shard;

/// Where all that is observed comes together. Clones observe into the same numbers.
#[derive(Debug, Clone)]
pub struct Observer {
    common: Arc<Common>,
    worker: usize,
}

#[derive(Debug)]
struct Common {
    workers: usize,
    series: Mutex<BTreeMap<(String, String), Weak<Series>>>,
    /// Requests that reached no instance.
    unrouted: Reasons,
    connections: AtomicU64,
    tunnels: AtomicU64,
    log: Option<AccessLog>,
}

/// One connection or tunnel, counted until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the count"]
pub struct Counted {
    common: Arc<Common>,
    of: fn(&Common) -> &AtomicU64,
}

impl Observer {
    /// For a gateway of so many workers, which writes a line for each request to `log`.
    pub fn new(workers: usize, log: Option<AccessLog>) -> Self {
        let common = Common {
            workers: workers.max(1),
            series: Mutex::default(),
            unrouted: Reasons::default(),
            connections: AtomicU64::new(0),
            tunnels: AtomicU64::new(0),
            log,
        };
        Self { common: Arc::new(common), worker: 0 }
    }

    /// The same observer for the worker of this number, from 0. Workers that share one are only slower.
    #[must_use]
    pub fn worker(&self, number: usize) -> Self {
        Self { common: self.common.clone(), worker: number % self.common.workers }
    }

    /// The numbers of an instance, which are there as long as somebody holds them. Meant for when it is published.
    pub fn series(&self, plugin: &str, instance: &str) -> Arc<Series> {
        let mut all = self.all();
        all.retain(|_, series| series.strong_count() > 0);
        let key = (plugin.to_owned(), instance.to_owned());
        if let Some(known) = all.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let series = Arc::new(Series::new(plugin, instance, self.common.workers));
        all.insert(key, Arc::downgrade(&series));
        series
    }

    /// The numbers of all instances, by plugin and instance.
    pub fn all_series(&self) -> Vec<Arc<Series>> {
        self.all().values().filter_map(Weak::upgrade).collect()
    }

    /// Begins to observe a request whose head came at `began`.
    pub fn begin(&self, parts: &Parts, id: &str, peer: IpAddr, began: Instant) -> Record {
        let log = self.common.log.as_ref();
        Record {
            began,
            worker: self.worker,
            shard: None,
            status: 0,
            reason: None,
            is_complete: false,
            is_counted: false,
            sent: 0,
            tunnel: None,
            line: log.map(|log| log.line(parts, id, peer)),
        }
    }

    /// Counts a request that reached no instance. For those that have a [`Record`], see [`Record::unrouted`].
    pub fn unrouted(&self, reason: Reason) {
        self.common.unrouted.add(reason);
    }

    /// How many requests reached no instance, and why.
    pub fn unrouted_counts(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.common.unrouted.iter()
    }

    /// Counts a connection as long as the result lives.
    pub fn connection(&self) -> Counted {
        self.count(|common| &common.connections)
    }

    pub fn connections(&self) -> u64 {
        self.common.connections.load(Ordering::Relaxed)
    }

    pub fn tunnels(&self) -> u64 {
        self.common.tunnels.load(Ordering::Relaxed)
    }

    pub fn access_log(&self) -> Option<&AccessLog> {
        self.common.log.as_ref()
    }

    fn count(&self, of: fn(&Common) -> &AtomicU64) -> Counted {
        of(&self.common).fetch_add(1, Ordering::Relaxed);
        Counted { common: self.common.clone(), of }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(String, String), Weak<Series>>> {
        self.common.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts, and writes no log.
impl Default for Observer {
    fn default() -> Self {
        Self::new(1, None)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.of)(&self.common).fetch_sub(1, Ordering::Relaxed);
    }
}

/// One request, while it is under way. Dropping it is its end: whole if [`Self::complete`] was called, for the
/// [`Reason`] that was given else, and without one because the client has gone.
#[derive(Debug)]
#[must_use = "dropping it ends the request"]
pub struct Record {
    began: Instant,
    worker: usize,
    /// None until it has found its instance.
    shard: Option<Arc<Shard>>,
    /// 0 until the response has begun.
    status: u16,
    reason: Option<Reason>,
    is_complete: bool,
    /// Whether what became of it is in the numbers.
    is_counted: bool,
    sent: u64,
    tunnel: Option<Counted>,
    line: Option<Box<Line>>,
}

impl Record {
    /// Whom the client is, where that is known better than by the connection's address.
    pub fn client(&mut self, address: &str) {
        if let Some(line) = &mut self.line {
            address.clone_into(&mut line.client);
        }
    }

    /// It is for this instance.
    pub fn routed(&mut self, series: &Series) {
        let shard = series.shard(self.worker);
        shard.begin();
        self.shard = Some(shard);
    }

    /// It is refused, or its response cut off, and the host knows why. The first reason counts.
    pub fn refused(&mut self, observer: &Observer, reason: Reason) {
        if self.reason.is_some() {
            return;
        }
        self.reason = Some(reason);
        match &self.shard {
            Some(shard) => shard.refuse(reason),
            None => observer.unrouted(reason),
        }
    }

    /// Counts the bytes of its body where they are read.
    pub fn meter(&self) -> Meter {
        let line = self.line.as_ref().map(|line| line.received.clone());
        Meter { shard: self.shard.clone(), line }
    }

    /// The head of its response is on its way.
    pub fn answered(&mut self, status: u16) {
        self.status = status;
    }

    /// Its connection was upgraded: the request is over, and what follows is a tunnel. Call [`Self::answered`] first.
    pub fn tunnelled(&mut self, observer: &Observer) {
        self.count();
        self.tunnel = Some(observer.count(|common| &common.tunnels));
    }

    /// So many bytes of the response's body are on their way.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        if let Some(shard) = &self.shard {
            shard.sent(bytes as u64);
        }
    }

    /// The response, or the tunnel, has ended as it should.
    pub fn complete(&mut self) {
        self.is_complete = true;
    }

    fn count(&mut self) {
        if let Some(shard) = &self.shard
            && !std::mem::replace(&mut self.is_counted, true)
        {
            shard.answered(self.status, self.began.elapsed());
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.count();
        if let Some(shard) = &self.shard {
            shard.end();
        }
        let Some(mut line) = self.line.take() else { return };
        line.took = self.began.elapsed();
        line.status = self.status;
        line.sent = self.sent;
        line.instance = self.shard.as_ref().map(|shard| shard.instance().clone());
        line.outcome = match (self.reason, self.is_complete) {
            (Some(reason), _) => reason.label(),
            (None, true) => "complete",
            (None, false) => "client_gone",
        };
        AccessLog::write(line);
    }
}

/// Counts the bytes of one request's body, or of one direction of a tunnel.
#[derive(Debug)]
pub struct Meter {
    shard: Option<Arc<Shard>>,
    line: Option<Arc<AtomicU64>>,
}

impl Meter {
    /// So many more bytes have come.
    pub fn add(&self, bytes: usize) {
        if let Some(shard) = &self.shard {
            shard.received(bytes as u64);
        }
        if let Some(line) = &self.line {
            line.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
