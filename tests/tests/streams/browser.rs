//! A browser: events, WebSocket, and bodies both ways, as pages use them.

use std::time::Duration;

use anyhow::Result;
use e2e::{clients, places, supervisor::stage::Stage};

use super::tls;

const LIMIT: Duration = Duration::from_mins(1);

fn browse(stage: &Stage, origin: &str) -> Result<()> {
    let chromium = places::client("chromium")?;
    let profile = stage.root().join("profile");
    let arguments = [chromium.as_os_str(), profile.as_os_str(), origin.as_ref()];
    let done = clients::run(&mut clients::python("browser.py", &arguments)?, LIMIT)?.good()?;
    println!("{}", done.text());
    Ok(())
}

#[test]
fn a_browser_is_content() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    browse(&stage, &format!("http://{}", supervisor.address))
}

/// There it speaks HTTP/2, but for WebSocket.
#[test]
fn a_browser_is_content_over_tls() -> Result<()> {
    let stage = Stage::with_mock()?;
    tls::Files::of(&stage).write(&tls::certificate()?)?;
    stage.configure(tls::CONFIGURATION)?;
    let supervisor = stage.serve()?;
    browse(&stage, &format!("https://{}", supervisor.address))
}
