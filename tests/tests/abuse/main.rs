//! Clients that do not mean well, or have bad luck: whatever they do costs them their own requests. Each test says
//! what they get, and [`under_abuse`] holds the rest: others are served meanwhile, and nothing stays behind.

mod chunks;
mod heads;
mod http2;
mod load;
mod pipelining;
mod slow;
mod smuggling;
mod vanishing;

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{
    Supervisor,
    metrics::{self, Metrics},
    stage::Stage,
    usage::Before,
};

const MIB: u64 = 1024 * 1024;
/// What a process may hold more than before at the worst time, in bytes.
const WORST: u64 = 64 * MIB;
/// What it may keep afterwards: an allocator gives little back. That it does not grow each time is tested for the
/// worst: see `load`.
const KEPT: u64 = WORST;
/// Enough requests that each of the gateway's threads has had some.
const WARM_UP: usize = 64;

/// What must be none in the end.
const UNDER_WAY: [&str; 3] =
    ["outboard_http_requests_in_flight", "outboard_http_requests_waiting", "outboard_http_tunnels"];

/// Runs `abuse` on a supervisor with the mock plugin and that configuration; it begins within `[supervision]`.
fn under_abuse(
    configuration: &str,
    abuse: impl FnOnce(&Supervisor<'_>) -> Result<()>,
) -> Result<()> {
    let stage = Stage::with_mock()?;
    stage
        .configure(&format!("drain_timeout = \"1h\"\n{configuration}{}", metrics::CONFIGURATION))?;
    let mut supervisor = stage.serve()?;
    for _ in 0..WARM_UP {
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    }
    let before = Before::of(&supervisor, "mock")?;
    let steady = supervisor.steady("/api/mock/hello/you");

    abuse(&supervisor)?;

    let slowest = steady.finish()?;
    println!("others waited for {slowest:?} at the most; grown by {:?}", before.peak_growth()?);
    before.never_grew_by(WORST)?;
    before.returns(KEPT)?;
    let metrics = Metrics::of(&supervisor)?;
    UNDER_WAY.iter().try_for_each(|name| metrics.falls_to(name, 0.0))?;
    metrics.falls_to("outboard_http_connections", 0.0)?;
    let plugin = supervisor.plugin("mock")?;
    ensure!((plugin.state(), plugin.generation()) == ("serving", 1), "{plugin:?}");
    // A drain waits for every request that is still under way, and would do so for an hour.
    ensure!(supervisor.stop().context("a request is left")? == 0);
    Ok(())
}
