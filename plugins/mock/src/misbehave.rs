//! Everything that a plugin should not do, on demand: from the start on by words in `MOCK_MISBEHAVE`,
//! in `Init` by parameters, later by `POST misbehave/:what`. The words are in `misbehave/handshake.rs` and
//! `misbehave/load.rs`, the parameters below, and those of requests at the end.
//!
//! Whatever takes room or time is bounded, so that a test that forgets it leaves nothing behind.

mod handshake;
mod load;

use std::env;
use std::future::pending;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use outboard_sdk::{
    Endpoint, Endpoints, Failure, Outcome, Problems, Request, Response, StatusCode,
};
use serde::Deserialize;

use crate::Instance;

/// Words, separated by commas.
const VARIABLE: &str = "MOCK_MISBEHAVE";

/// What to get wrong in `Init`, from the instance's parameters.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Crash at this request. 0: never.
    pub(crate) crash_after: u32,
    /// Never answer `Init`.
    hang_in_init: bool,
    /// Crash instead of answering `Init`.
    crash_in_init: bool,
    /// Panic instead of answering `Init`.
    panic_in_init: bool,
    /// Refuse the parameters with these reasons.
    problems: Vec<String>,
    /// Publish two endpoints of one method, path and priority.
    duplicate_endpoints: bool,
    /// Publish an endpoint whose pattern is none.
    malformed_endpoint: bool,
}

fn words() -> Vec<String> {
    let words = env::var(VARIABLE).unwrap_or_default();
    words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Before the handshake. Gives the exit code of a process that never serves.
pub(crate) fn before_start() -> Option<ExitCode> {
    if let Some(exit) = load::as_grandchild() {
        return Some(exit);
    }
    words().iter().find_map(|word| handshake::misbehave(word))
}

/// While the host waits for `Load`.
pub(crate) async fn in_load() {
    for word in words() {
        load::misbehave(&word).await;
    }
}

/// While the host waits for `Init`.
pub(crate) async fn in_init(
    parameters: &Parameters,
    endpoints: &mut Endpoints<Instance>,
) -> Result<(), Problems> {
    if parameters.crash_in_init {
        std::process::abort();
    }
    assert!(!parameters.panic_in_init, "panicking in init, as asked");
    if parameters.hang_in_init {
        pending::<()>().await;
    }
    if parameters.crash_after > 0 {
        endpoints.on(Endpoint::any("*").filter(), burn_fuse);
    }
    if parameters.duplicate_endpoints {
        endpoints.get("twice", |_, _| async { "first" });
        endpoints.get("twice", |_, _| async { "second" });
    }
    if parameters.malformed_endpoint {
        endpoints.get("a/*/b", |_, _| async { "never" });
    }
    let mut problems = Problems::default();
    for (index, reason) in parameters.problems.iter().enumerate() {
        problems.add(format!("/misbehave/problems/{index}"), reason);
    }
    problems.or(())
}

/// A filter on everything: counts down to the crash.
async fn burn_fuse(instance: Arc<Instance>, _: Request) -> Outcome {
    if instance.fuse.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
    Outcome::proceed()
}

/// `POST misbehave/:what`
pub(crate) async fn on_request(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    match request.variable("what")? {
        "crash" => std::process::abort(),
        "exit" => std::process::exit(3),
        "panic" => panic!("panicking in a handler, as asked"),
        "hang" => {
            request.bytes().await?;
            pending::<()>().await;
        }
        // Blocks the thread, and on a runtime of one thread everything else.
        "block" => std::thread::sleep(load::LONGEST),
        "bad-header" => {
            let length = outboard_sdk::header::CONTENT_LENGTH;
            return Ok(Response::text("short").header(length, 4_000_000.into()));
        }
        what if load::misbehave(what).await => {}
        what => {
            let message = format!("no such misbehaviour: {what:?}");
            return Err(Failure::new(StatusCode::NOT_FOUND, message));
        }
    }
    Ok(Response::text("done, as asked\n"))
}
