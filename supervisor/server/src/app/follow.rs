//! Follows what other supervisors of the database change of its instances.

use std::sync::Arc;
use std::time::Duration;

use super::App;

/// Nobody tells what others change.
const LOOK_EVERY: Duration = Duration::from_secs(3);

impl App {
    /// For ever.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut is_failing = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let looked = self.look().await;
            // Once, however long it lasts.
            if let Err(error) = &looked
                && !is_failing
            {
                let error = format!("{error:#}");
                tracing::warn!(error, "can't follow what was changed elsewhere; trying on");
            }
            is_failing = looked.is_err();
        }
    }

    /// Brings the plugins in line if an instance was changed since that was last done.
    async fn look(&self) -> anyhow::Result<()> {
        let _turn = self.changing.lock().await;
        // Before the first time there is nothing to bring in line.
        let Some(applied) = *self.applied.lock().await else { return Ok(()) };
        if self.store.instances().mark().await? == applied {
            return Ok(());
        }
        tracing::debug!("instances have changed in the database");
        self.apply().await.map(drop)
    }
}
