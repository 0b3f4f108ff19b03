//! The mock's schedules: what goes off is counted in the host's storage, which outlives the process and is one for all
//! supervisors. `fired/<name>` is how often a schedule went off, `tried/<name>` how often that was tried.
//!
//! The data of a schedule may be `{"fail": 2}`: the first two attempts fail; or `{"wait_ms": 500}`: it takes a while.

use std::sync::Arc;
use std::time::Duration;

use outboard_sdk::{Due, Failure, Increment, Scheduled};
use serde::Deserialize;

use crate::{Instance, Mock};

/// What to get wrong.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Behaviour {
    /// Up to that attempt.
    fail: u32,
    wait_ms: u64,
}

impl Scheduled for Mock {
    async fn on_schedule(&self, instance: Arc<Instance>, due: Due) -> Result<(), Failure> {
        let behaviour: Behaviour = serde_json::from_slice(&due.data).unwrap_or_default();
        let storage = instance.host.storage();
        storage.increment(Increment::new(format!("tried/{}", due.name), 1)).await?;
        tokio::time::sleep(Duration::from_millis(behaviour.wait_ms)).await;
        if due.attempt <= behaviour.fail {
            return Err(Failure::internal(format!("attempt {} fails, as asked", due.attempt)));
        }
        storage.increment(Increment::new(format!("fired/{}", due.name), 1)).await?;
        Ok(())
    }
}
