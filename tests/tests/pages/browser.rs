//! The whole way of a person in Chromium: log in by password and one-time code, consent, change the password, log out.
//! What the pages look like is left in `target/pages`.

use std::time::Duration;

use anyhow::Result;
use e2e::supervisor::stage::Stage;
use e2e::{clients, places};
use serde_json::json;

use super::person::encode;
use super::steps::{PASSWORD, api, ok};

const LIMIT: Duration = Duration::from_mins(4);
const SCHEME: &str = "Authenticator app";

const CONFIGURATION: &str = r#"
[theme]
title = "Example Cloud"

[[plugin]]
name = "otp"
grants.callbacks = ["storage"]

[[instance]]
plugin = "mock"
name = "mock"

[[instance]]
plugin = "otp"
name = "app"
kind = "scheme"
display_name = "Authenticator app"
[instance.parameters]
issuer = "Example Cloud"
"#;

#[test]
fn a_person_logs_in_consents_changes_the_password_and_logs_out() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.install("otp")?;
    stage.configure(CONFIGURATION)?;
    let supervisor = stage.serve()?;
    let mut admin = api(&supervisor)?;
    let scope = json!({
        "name": "photos", "display_name": "Your photos", "description": "See them, and add new ones",
        "password_required": true, "scheme": { "second": [{ "scheme_name": "app", "scheme_type": "otp" }] },
        "scheme_required": { "second": 1 },
    });
    ok(admin.post("/api/scope/", &scope))?;
    let user = json!({
        "username": "alice", "name": "Alice Liddell", "email": "alice@example.org", "password": PASSWORD,
        "scope": ["g_profile", "photos"],
    });
    ok(admin.post("/api/user/", &user))?;
    let client = json!({
        "client_id": "album", "name": "Photo Album", "enabled": true,
        "redirect_uri": ["https://album.example/back"],
    });
    ok(admin.post("/api/client/", &client))?;

    let origin = format!("http://{}", supervisor.address);
    let callback = encode(&format!("{origin}/api/mock/hello/you"));
    let plan = json!({
        "origin": origin, "username": "alice", "password": PASSWORD, "new_password": "quite another password",
        "client": "Photo Album", "scheme": SCHEME, "callback": "Hello, you!",
        "login": format!("{origin}/login.html?client_id=album&scope=photos&callback_url={callback}"),
    });
    let pictures = places::pictures("pages")?;
    let profile = stage.root().join("profile");
    let (chromium, plan) = (places::client("chromium")?, plan.to_string());
    let arguments =
        [chromium.as_os_str(), profile.as_os_str(), pictures.as_os_str(), plan.as_ref()];
    let done = clients::run(&mut clients::python("pages.py", &arguments)?, LIMIT)?.good()?;
    println!("{}", done.text());
    Ok(())
}
