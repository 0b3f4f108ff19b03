//! `outboard.host.v1.Schemes`, and schemes that hang or fail.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::api::Client;
use serde_json::{Value, json};

use super::{call, good, people, prepare, prove, refused, signed_in};

#[expect(clippy::needless_pass_by_value, reason = "made for the call")]
fn code(more: Value) -> Value {
    let mut args = json!({ "name": "code" });
    for (key, value) in more.as_object().into_iter().flatten() {
        args[key] = value.clone();
    }
    args
}

on_both_databases! {
    fn a_plugin_registers_a_scheme_for_the_session_s_user(stage) {
        prepare(&stage, &["schemes"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut ann = signed_in(&supervisor, "ann")?;
        let scheme = good(&mut ann, "schemes.get", code(json!({})))?;
        ensure!(scheme["module"] == "mock" && scheme["display_name"] == "A code", "{scheme}");
        ensure!(scheme["enabled"] == true && scheme["allow_user_register"] == true, "{scheme}");
        ensure!(good(&mut ann, "schemes.get", json!({ "name": "mock" }))?.is_null());
        let listed = good(&mut ann, "schemes.list", json!({}))?;
        ensure!(listed.as_array().is_some_and(|all| all.len() == 1 && all[0]["name"] == "code"), "{listed}");
        ensure!(good(&mut ann, "schemes.can_use", code(json!({})))? == "available");
        ensure!(refused(&mut ann, "schemes.registration", code(json!({})))? == "Refused");
        ensure!(refused(&mut ann, "schemes.register", code(json!({ "data": { "register": "x" } })))? == "Invalid");
        good(&mut ann, "schemes.register", code(json!({ "data": { "register": true } })))?;
        ensure!(good(&mut ann, "schemes.can_use", code(json!({})))? == "registered");
        good(&mut ann, "schemes.registration", code(json!({})))?;
        ensure!(prove(&mut ann, "ann", "42")? == 200);
        good(&mut ann, "schemes.deregister", code(json!({})))?;
        ensure!(good(&mut ann, "schemes.can_use", code(json!({})))? == "available");
        ensure!(prove(&mut ann, "ann", "42")? == 401);
        let kind = refused(&mut ann, "schemes.register", json!({ "name": "gone", "data": {} }))?;
        ensure!(kind == "NotFound", "{kind}");
        let kind = refused(&mut supervisor.client(), "schemes.can_use", code(json!({})))?;
        ensure!(kind == "Refused", "{kind}");
        Ok(())
    }

    fn another_user_takes_another_grant(stage) {
        prepare(&stage, &["schemes"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut ann = signed_in(&supervisor, "ann")?;
        let bob = code(json!({ "username": "bob", "data": { "register": true } }));
        for name in ["list", "register", "registration", "deregister", "can_use"] {
            let answer = call(&mut ann, &format!("schemes.{name}"), bob.clone())?;
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            ensure!(answer["error"]["kind"] == "Denied" && message.contains("schemes.any_user"), "{answer}");
        }
        Ok(())
    }

    fn with_it_a_plugin_acts_for_anybody(stage) {
        prepare(&stage, &["schemes", "schemes.any_user"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut nobody = supervisor.client();
        let bob = |more: Value| { let mut args = code(more); args["username"] = json!("bob"); args };
        good(&mut nobody, "schemes.register", bob(json!({ "data": { "register": true } })))?;
        ensure!(good(&mut nobody, "schemes.can_use", bob(json!({})))? == "registered");
        ensure!(good(&mut nobody, "schemes.can_use", code(json!({ "username": "ann" })))? == "available");
        let kind = refused(&mut nobody, "schemes.can_use", code(json!({ "username": "nobody" })))?;
        ensure!(kind == "NotFound", "{kind}");
        Ok(())
    }

    fn without_the_grant_no_scheme_is_told_of(stage) {
        prepare(&stage, &["sessions"])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        let mut ann = signed_in(&supervisor, "ann")?;
        for name in ["get", "list", "register", "registration", "deregister", "can_use"] {
            let kind = refused(&mut ann, &format!("schemes.{name}"), code(json!({ "data": {} })))?;
            ensure!(kind == "Denied", "{name}: {kind}");
        }
        Ok(())
    }

    fn a_scheme_that_hangs_or_fails_lets_nobody_in(stage) {
        prepare(&stage, &["sessions", "schemes"])?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        people(&mut admin)?;
        for (trouble, within) in [("hang", 20), ("error", 10), ("panic", 10)] {
            let name = format!("bad-{trouble}");
            let parameters = json!({
                "mock-value": "42", "scheme": { "accept_all": true, "register_all": true,
                                                "trouble": { "calls": ["validate", "can_use"], trouble: true } },
            });
            let instance = json!({ "module": "mock", "name": name, "display_name": "", "parameters": parameters });
            crate::ok(admin.post("/api/mod/scheme/", &instance)?)?;
            let scope = json!({ "name": trouble, "scheme": { "2": [{ "scheme_type": "mock", "scheme_name": name }] } });
            crate::ok(admin.post("/api/scope/", &scope)?)?;
            let scopes = json!({ "scope": ["g_profile", "plain", "twofold", trouble] });
            crate::ok(admin.put("/api/user/ann", &scopes)?)?;
            let mut ann = signed_in(&supervisor, "ann")?;
            let begin = Instant::now();
            let status = bad_code(&mut ann, &name)?;
            ensure!(status != 200, "{trouble}: {status}");
            ensure!(begin.elapsed() < Duration::from_secs(within), "{trouble}: {:?}", begin.elapsed());
            let told = ann.get(&format!("/api/auth/scheme/?scope={trouble}"))?.json()?;
            ensure!(told[trouble]["available"] == false, "{trouble}: {told}");
            let told = ann.get("/api/auth/scheme/?scope=plain")?.json()?;
            ensure!(told["plain"]["password_authenticated"] == true, "{trouble}: {told}");
        }
        Ok(())
    }
}

fn bad_code(client: &mut Client<'_>, scheme: &str) -> Result<u16> {
    let body = json!({
        "username": "ann", "scheme_type": "mock", "scheme_name": scheme, "value": { "code": "42" },
    });
    Ok(client.post("/api/auth/", &body)?.status)
}
