//! The mock as a notifier: it keeps what it is told, and goes wrong on demand.
//!
//! How, say the instance's parameters (`notify`) and the event's own data (an object `mock`, which then stands in
//! their place). `GET notified` gives what came, `DELETE notified` forgets it; the parameter `journal` names a file
//! that outlives the process.

use std::collections::VecDeque;
use std::fs::File;
use std::future::pending;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use outboard_sdk::{
    Delivery, Event, Failure, Notifier, NotifyError, Problems, Request, Response, StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::handlers::number;
use crate::{Instance, Mock};

/// A test that forgets what came has a bound all the same.
const MOST_KEPT: usize = 100_000;

/// What the operator may configure.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    /// A file to write a line to when an event comes (`"at": "begin"`) and when it is answered (`"end"`).
    journal: Option<PathBuf>,
    behaviour: Behaviour,
}

/// What to get wrong. The numbers are attempts: what is said happens up to that one, and never with 0.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Behaviour {
    /// First of all, wait.
    delay_ms: u64,
    /// End the process.
    crash: u32,
    panic: u32,
    /// Never answer.
    hang: u32,
    /// Ask for another attempt,
    retry: u32,
    /// no sooner than that.
    retry_after_ms: Option<u64>,
    /// Refuse for good.
    reject: bool,
}

/// What is kept, and where.
pub(crate) struct Notified {
    behaviour: Behaviour,
    journal: Option<Mutex<File>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    records: VecDeque<Record>,
    /// In all, those that were dropped among them.
    came: u64,
    running: usize,
    most_at_once: usize,
}

/// A delivery.
#[derive(Clone, Serialize)]
struct Record {
    number: u64,
    delivery_id: String,
    attempt: u32,
    replayed: bool,
    key: Option<String>,
    event: Value,
    begun_ms: u64,
    ended_ms: Option<u64>,
    /// Nothing while it runs, and where it was given up.
    outcome: Option<&'static str>,
}

impl Notified {
    pub(crate) fn new(parameters: Parameters) -> Result<Self, Problems> {
        let Parameters { journal, behaviour } = parameters;
        let journal = journal.map(|path| open(&path)).transpose().map_err(|error| {
            let mut problems = Problems::default();
            problems.add("/notify/journal", format!("can't be written: {error}"));
            problems
        })?;
        Ok(Self { behaviour, journal: journal.map(Mutex::new), kept: Mutex::default() })
    }

    /// Keeps what came, and gives its number.
    fn begin(&self, delivery: &Delivery) -> u64 {
        let number = self.keep(delivery);
        self.note(number, delivery, "begin", None);
        number
    }

    fn keep(&self, delivery: &Delivery) -> u64 {
        let mut kept = self.kept();
        let number = kept.came;
        kept.came += 1;
        kept.running += 1;
        kept.most_at_once = kept.most_at_once.max(kept.running);
        if kept.records.len() >= MOST_KEPT {
            kept.records.pop_front();
        }
        kept.records.push_back(Record {
            number,
            delivery_id: delivery.id.clone(),
            attempt: delivery.attempt,
            replayed: delivery.replayed,
            key: delivery.event.key().map(str::to_owned),
            event: delivery.event.to_cloud_event(),
            begun_ms: now_ms(),
            ended_ms: None,
            outcome: None,
        });
        number
    }

    fn end(&self, number: u64, delivery: &Delivery, outcome: &'static str) {
        self.note(number, delivery, "end", Some(outcome));
        let mut kept = self.kept();
        if let Some(record) = kept.records.iter_mut().rev().find(|it| it.number == number) {
            (record.outcome, record.ended_ms) = (Some(outcome), Some(now_ms()));
        }
    }

    /// One write, so that the lines of several processes do not mix.
    fn note(&self, number: u64, delivery: &Delivery, at: &str, outcome: Option<&str>) {
        let Some(journal) = &self.journal else { return };
        let line = json!({
            "at": at,
            "number": number,
            "pid": std::process::id(),
            "id": delivery.event.id,
            "source": delivery.event.source,
            "key": delivery.event.key(),
            "delivery_id": delivery.id,
            "attempt": delivery.attempt,
            "replayed": delivery.replayed,
            "ms": now_ms(),
            "outcome": outcome,
        });
        let line = format!("{line}\n");
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = journal.write_all(line.as_bytes()) {
            tracing::error!(%error, "the journal can't be written");
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery at work; dropped, it works no more, however it ended.
struct Running<'a>(&'a Notified);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.kept().running -= 1;
    }
}

impl Notifier for Mock {
    async fn on_notify(
        &self,
        instance: Arc<Instance>,
        delivery: Delivery,
    ) -> Result<(), NotifyError> {
        let notified = &instance.notified;
        let number = notified.begin(&delivery);
        let _running = Running(notified);
        let behaviour = match asked(&delivery.event) {
            Some(behaviour) => behaviour?,
            None => notified.behaviour.clone(),
        };
        let answer = behaviour.behave(delivery.attempt).await;
        let outcome = match &answer {
            Ok(()) => "delivered",
            Err(error) if error.is_final() => "rejected",
            Err(_) => "retry",
        };
        notified.end(number, &delivery, outcome);
        answer
    }
}

/// What the event's own data say.
fn asked(event: &Event) -> Option<Result<Behaviour, NotifyError>> {
    let mut data = event.json_data()?;
    let asked = data.get_mut("mock")?.take();
    let wrong = |error| NotifyError::reject(format!("data.mock: {error}"));
    Some(serde_json::from_value(asked).map_err(wrong))
}

impl Behaviour {
    async fn behave(&self, attempt: u32) -> Result<(), NotifyError> {
        tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        if attempt <= self.crash {
            std::process::abort();
        }
        assert!(attempt > self.panic, "panicking in a delivery, as asked");
        if attempt <= self.hang {
            pending::<()>().await;
        }
        if attempt <= self.retry {
            let error = NotifyError::retry(format!("failing in attempt {attempt}, as asked"));
            let after = self.retry_after_ms.map(Duration::from_millis);
            return Err(after.map_or(error.clone(), |after| error.after(after)));
        }
        if self.reject {
            return Err(NotifyError::reject("refusing, as asked"));
        }
        Ok(())
    }
}

/// `GET notified?after=`: what came with a number above that one, and how much it was.
pub(crate) async fn list(instance: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let after = request.query_value("after").map(|_| number(&request, "after", 0)).transpose()?;
    let kept = instance.notified.kept();
    let records = kept.records.iter().filter(|record| after.is_none_or(|it| record.number > it));
    let records: Vec<&Record> = records.collect();
    Ok(Response::json(&json!({
        "came": kept.came,
        "running": kept.running,
        "most_at_once": kept.most_at_once,
        "deliveries": records,
    })))
}

/// `DELETE notified`: forgets what came.
pub(crate) async fn forget(instance: Arc<Instance>, _: Request) -> StatusCode {
    let mut kept = instance.notified.kept();
    kept.records.clear();
    kept.most_at_once = kept.running;
    StatusCode::NO_CONTENT
}

fn open(path: &std::path::Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
