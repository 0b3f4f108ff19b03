//! A page of a plugin, in a browser with an administrator's session: what it may do is what the operator says.

use std::time::Duration;

use e2e::{clients, places};

use super::*;

const LIMIT: Duration = Duration::from_mins(1);

/// Has the browser open the mock's page with the administrator's session. `is_trusted`: it is granted `web.same_origin`.
fn browse(stage: &Stage, is_trusted: bool) -> Result<()> {
    let supervisor = stage.serve()?;
    let admin = supervisor.admin()?;
    let session = admin.cookie.context("not signed in")?;
    let chromium = places::client("chromium")?;
    let profile = stage.root().join("profile");
    let origin = format!("http://{}", supervisor.address);
    let trusted = if is_trusted { "trusted" } else { "sandboxed" };
    let arguments = [
        chromium.as_os_str(),
        profile.as_os_str(),
        origin.as_ref(),
        session.as_ref(),
        trusted.as_ref(),
    ];
    let done = clients::run(&mut clients::python("plugin_page.py", &arguments)?, LIMIT)?.good()?;
    println!("{}", done.text());
    let mut admin = supervisor.client();
    admin.sign_in("admin", PASSWORD)?;
    let planted = admin.get("/api/mod/plugin/planted")?;
    ensure!(planted.status == if is_trusted { 200 } else { 404 }, "{}", planted.text());
    Ok(())
}

#[test]
fn a_plugins_page_can_not_act_as_the_administrator() -> Result<()> {
    let stage = Stage::new()?;
    grant(&stage, &["sessions"])?;
    browse(&stage, false)
}

#[test]
fn with_the_grant_it_can() -> Result<()> {
    let stage = Stage::new()?;
    grant(&stage, &["web.same_origin"])?;
    browse(&stage, true)
}
