//! A dispatcher for each notifier, as long as there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Common;
use super::dispatcher::Dispatcher;
use crate::plugin::roles::Roles;
use crate::task;

/// Until it is dropped. Once `closing` is cancelled each dispatcher ends by itself, and with the last of them what
/// `presence` leads to.
pub(super) async fn run(
    common: Arc<Common>,
    closing: CancellationToken,
    presence: mpsc::Sender<()>,
) {
    let mut roles = common.roster.changes();
    let mut at_work = BTreeMap::new();
    while !closing.is_cancelled() {
        let wanted = roles.borrow_and_update().clone();
        if let Some(wanted) = wanted {
            staff(&common, &wanted, &mut at_work, &closing, &presence);
        }
        tokio::select! {
            changed = roles.changed() => if changed.is_err() { break },
            () = closing.cancelled() => {}
        }
    }
    drop(presence);
    // They are dropped with this.
    std::future::pending::<()>().await;
}

fn staff(
    common: &Arc<Common>,
    wanted: &Roles,
    at_work: &mut BTreeMap<String, task::Owned>,
    closing: &CancellationToken,
    presence: &mpsc::Sender<()>,
) {
    at_work.retain(|notifier, _| {
        let stays = wanted.notifiers.contains_key(notifier);
        if !stays {
            common.bells.take_down(notifier);
            common.numbers.end(notifier);
        }
        stays
    });
    for notifier in wanted.notifiers.keys() {
        at_work.entry(notifier.clone()).or_insert_with(|| {
            let dispatcher = Dispatcher::new(common.clone(), notifier);
            let (closing, presence) = (closing.clone(), presence.clone());
            task::spawn("dispatcher of a notifier", async move {
                dispatcher.run(closing).await;
                drop(presence);
            })
        });
    }
}
