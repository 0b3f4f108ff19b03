//! Bodies, events, upgrades and all else of HTTP through a plugin, as clients see it that know nothing of Outboard:
//! curl, the h2 and websockets libraries of Python, a browser, and bytes by hand.

mod bodies;
mod browser;
mod events;
mod http2;
mod messages;
mod tls;
mod websocket;

use anyhow::Result;
use e2e::supervisor::{Supervisor, stage::Stage};

const MIB: u64 = 1024 * 1024;

/// A supervisor with the mock plugin and that configuration; it begins within `[supervision]`.
fn mock(configuration: &str, test: impl FnOnce(&Supervisor<'_>) -> Result<()>) -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure(configuration)?;
    test(&stage.serve()?)
}

/// What `download` sends, from its beginning.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(bytes).collect()
}
