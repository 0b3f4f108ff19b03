//! The one task that writes: what arrives while a transaction runs goes into the next one, together.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use outboard_store::StoreError;
use outboard_store::outbox::{Accept, Accepted, Group, Receipt, Settle, Written};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::publish::PublishError;
use super::{Common, now_ms};

/// Orders that wait. Further ones wait to be taken.
const WAITING: usize = 4096;
/// Events and outcomes in one transaction: so many that its sync costs little, and so few that nobody waits long.
const MOST_IN_GROUP: usize = 2000;
/// Bytes of all events that wait to be written, in units of [`UNIT`].
const ROOM: usize = 64 << 10;
const UNIT: usize = 1024;
/// After a transaction that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// Where orders are handed in.
pub(super) struct Desk {
    orders: mpsc::Sender<Order>,
    room: Arc<Semaphore>,
}

/// What somebody wants written, and is told when it is.
pub(super) enum Order {
    Accept(Accept, Answer<Result<Vec<Receipt>, PublishError>>, OwnedSemaphorePermit),
    Settle(Settle, Answer<()>),
    /// Nothing comes after this.
    Close,
}

type Answer<T> = oneshot::Sender<T>;

/// The desk is closed.
#[derive(Debug)]
pub(super) struct Closed;

impl Desk {
    pub(super) fn open() -> (Self, mpsc::Receiver<Order>) {
        let (orders, waiting) = mpsc::channel(WAITING);
        (Self { orders, room: Arc::new(Semaphore::new(ROOM)) }, waiting)
    }

    /// Has events of so many bytes written.
    pub(super) async fn accept(
        &self,
        accept: Accept,
        bytes: usize,
    ) -> Result<Vec<Receipt>, PublishError> {
        let units = u32::try_from((bytes / UNIT + 1).min(ROOM)).unwrap_or(u32::MAX);
        let closed = || PublishError::Unavailable("the supervisor is stopping".to_owned());
        let room = self.room.clone().acquire_many_owned(units).await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let order = Order::Accept(accept, answer, room);
        self.orders.send(order).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Has an outcome written, however long it takes.
    pub(super) async fn settle(&self, settle: Settle) -> Result<(), Closed> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Settle(settle, answer)).await.map_err(|_| Closed)?;
        answered.await.map_err(|_| Closed)
    }

    pub(super) async fn close(&self) {
        // It may have ended by itself.
        let _ = self.orders.send(Order::Close).await;
    }
}

/// Writes until the desk is closed, and then the rest. `_writing` is dropped at its end.
pub(super) async fn run(
    common: Arc<Common>,
    mut orders: mpsc::Receiver<Order>,
    _writing: mpsc::Sender<()>,
) {
    let mut waiting = VecDeque::new();
    let mut is_failing = false;
    let mut arrived = Vec::new();
    loop {
        if waiting.is_empty() {
            if orders.recv_many(&mut arrived, MOST_IN_GROUP).await == 0 {
                return;
            }
        } else {
            while arrived.len() < MOST_IN_GROUP
                && let Ok(order) = orders.try_recv()
            {
                arrived.push(order);
            }
        }
        for order in arrived.drain(..) {
            match order {
                // Those that were handed in before are still there to be received.
                Order::Close => orders.close(),
                order => waiting.push_back(order),
            }
        }
        if is_failing {
            tokio::time::sleep(PAUSE).await;
        }
        let group = take_group(&mut waiting);
        if !group.is_empty() {
            is_failing = write(&common, group, &mut waiting).await;
        }
    }
}

fn take_group(waiting: &mut VecDeque<Order>) -> Vec<Order> {
    let (mut group, mut size) = (Vec::new(), 0);
    while size < MOST_IN_GROUP
        && let Some(order) = waiting.pop_front()
    {
        size += match &order {
            Order::Accept(accept, ..) => accept.events.len(),
            Order::Settle(..) | Order::Close => 1,
        };
        group.push(order);
    }
    group
}

/// Writes one group, and answers those who wait for it. True: it failed, and what must not be lost waits once more.
async fn write(common: &Common, orders: Vec<Order>, waiting: &mut VecDeque<Order>) -> bool {
    let mut group = Group { now_ms: now_ms(), accept: Vec::new(), settle: Vec::new() };
    let (mut accepts, mut settles) = (Vec::new(), Vec::new());
    for order in orders {
        match order {
            Order::Accept(accept, answer, room) => {
                group.accept.push(accept);
                accepts.push((answer, room));
            }
            Order::Settle(settle, answer) => {
                group.settle.push(settle);
                settles.push(answer);
            }
            Order::Close => {}
        }
    }
    match common.store.outbox().write(&group, &common.settings.bounds).await {
        Ok(written) => {
            tell(common, &group, &written);
            for ((answer, _room), accepted) in accepts.into_iter().zip(written.accepted) {
                // Whoever asked may have gone away.
                let _ = answer.send(verdict(accepted));
            }
            for answer in settles {
                let _ = answer.send(());
            }
            false
        }
        Err(error) => {
            refuse(accepts.into_iter().map(|(answer, _)| answer), &group, common, &error);
            // In front, since they were there first.
            for order in group.settle.into_iter().zip(settles).rev() {
                waiting.push_front(Order::Settle(order.0, order.1));
            }
            true
        }
    }
}

fn verdict(accepted: Accepted) -> Result<Vec<Receipt>, PublishError> {
    match accepted {
        Accepted::Stored(receipts) => Ok(receipts),
        Accepted::Full => Err(PublishError::Full),
    }
}

/// Counts, and rings for whoever has something to do now.
fn tell(common: &Common, group: &Group, written: &Written) {
    let mut told = BTreeSet::new();
    for (accept, accepted) in group.accept.iter().zip(&written.accepted) {
        let Accepted::Stored(receipts) = accepted else {
            common.numbers.refuse("full", accept.events.len());
            continue;
        };
        let (mut fresh, mut repeated) = (0, 0);
        for (event, receipt) in accept.events.iter().zip(receipts) {
            if receipt.repeated {
                repeated += 1;
            } else {
                fresh += 1;
                told.extend(event.deliveries.iter().map(|delivery| &*delivery.notifier));
            }
        }
        common.numbers.accept(fresh, repeated);
    }
    for notifier in told {
        common.bells.ring_for_new(notifier);
    }
    common.gave_way(
        &written.died,
        "more events wait for the notifier than events.pending or events.pending_bytes allow",
    );
}

fn refuse(
    answers: impl Iterator<Item = Answer<Result<Vec<Receipt>, PublishError>>>,
    group: &Group,
    common: &Common,
    error: &StoreError,
) {
    tracing::error!(%error, "events could not be written");
    let events = group.accept.iter().map(|accept| accept.events.len()).sum();
    common.numbers.refuse("unavailable", events);
    for answer in answers {
        let message = "the outbox could not be written; see the supervisor's log".to_owned();
        let _ = answer.send(Err(PublishError::Unavailable(message)));
    }
}
