//! What the services that keep things for plugins have in common.

use std::time::Duration;

use outboard_store::{Store, StoreError};
use tonic::Status;

use super::Caller;

impl Caller {
    pub(super) fn store(&self) -> &Store {
        &self.0.services.store
    }
}

/// What a plugin is told when the database fails. The operator is told the rest.
#[expect(clippy::needless_pass_by_value, reason = "that is how map_err gives it")]
pub(super) fn failed(error: StoreError) -> Status {
    tracing::error!(%error, "a plugin's call could not be answered");
    if error.fault().is_temporary() {
        Status::unavailable("the host's database can't be reached; try again")
    } else {
        Status::internal("the host's database failed; see the host's log")
    }
}

/// Text within its bounds, in bytes.
pub(super) fn text(text: String, field: &str, least: usize, most: usize) -> Result<String, Status> {
    let length = text.len();
    if length < least || most < length {
        return Err(Status::invalid_argument(format!(
            "{field} has {length} bytes; use {least} to {most}"
        )));
    }
    if text.contains('\0') {
        return Err(Status::invalid_argument(format!("{field} has a NUL character; leave it out")));
    }
    Ok(text)
}

/// A length of time within its bounds.
pub(super) fn length(
    length: prost_types::Duration,
    field: &str,
    least: Duration,
    most: Duration,
) -> Result<Duration, Status> {
    let length = Duration::try_from(length).ok().filter(|it| (least..=most).contains(it));
    length.ok_or_else(|| {
        Status::invalid_argument(format!(
            "{field} is out of its bounds; use {} to {}",
            humantime::format_duration(least),
            humantime::format_duration(most)
        ))
    })
}
