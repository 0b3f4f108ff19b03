//! Schemes: instances of plugins that authenticate, from the instance to the session that they open.

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::api::Client;
use serde_json::{Value, json};

use super::{PASSWORD, add_user, expect, names, one};

/// A scheme `m1` with the code 42, in a group of the scope `s1`, which the user `ada` has.
fn prepare(admin: &mut Client<'_>, more: &Value) -> Result<()> {
    let mut body = json!({
        "module": "mock", "name": "m1", "display_name": "Mock 42", "expiration": 600, "max_use": 0,
        "parameters": { "mock-value": "42" },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    expect(admin.post("/api/mod/scheme/", &body), 200)?;
    let scope = json!({
        "name": "s1", "display_name": "S1", "password_required": false,
        "scheme": { "0": [{ "scheme_type": "mock", "scheme_name": "m1" }] }, "scheme_required": { "0": 1 },
    });
    expect(admin.post("/api/scope/", &scope), 200)?;
    add_user(admin, "ada", &["g_profile", "s1"])
}

#[expect(clippy::needless_pass_by_value, reason = "made for the call")]
fn of(scheme: &str, value: Value) -> Value {
    json!({ "username": "ada", "scheme_type": "mock", "scheme_name": scheme, "value": value })
}

on_both_databases! {
    fn a_scheme_is_registered_proved_and_taken_back(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        prepare(&mut admin, &json!({}))?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        let schemes = expect(ada.get("/api/profile/scheme/"), 200)?.json()?;
        let scheme = one(&schemes, "name", "m1")?;
        ensure!(scheme["module"] == "mock" && scheme["expiration"] == 600, "{scheme}");
        ensure!(scheme.get("parameters").is_none(), "{scheme}");

        let state = |client: &mut Client<'_>| -> Result<Value> {
            let state = expect(client.get("/api/auth/scheme/?scope=s1"), 200)?.json()?;
            Ok(state["s1"]["schemes"]["0"][0].clone())
        };
        let first = state(&mut ada)?;
        ensure!(first["scheme_registered"] == false && first["scheme_authenticated"] == false);
        ensure!(first["scheme_type"] == "mock" && first["scheme_display_name"] == "Mock 42", "{first}");
        expect(ada.post("/api/auth/", &of("m1", json!({ "code": "42" }))), 401)?;
        expect(ada.put("/api/profile/scheme/register/", &of("m1", json!(null))), 400)?;

        expect(ada.post("/api/profile/scheme/register/", &of("m1", json!({ "register": true }))), 200)?;
        expect(ada.put("/api/profile/scheme/register/", &of("m1", json!(null))), 200)?;
        ensure!(state(&mut ada)?["scheme_registered"] == true);
        let trigger = expect(ada.post("/api/auth/scheme/trigger/", &of("m1", json!({}))), 200)?;
        ensure!(trigger.json().is_ok() || trigger.body.is_empty(), "{trigger:?}");
        for wrong in [json!({ "code": "43" }), json!({ "code": 42 }), json!({})] {
            expect(ada.post("/api/auth/", &of("m1", wrong)), 401)?;
        }
        ensure!(state(&mut ada)?["scheme_authenticated"] == false);
        expect(ada.post("/api/auth/", &of("m1", json!({ "code": "42" }))), 200)?;
        ensure!(state(&mut ada)?["scheme_authenticated"] == true);
        // It is a way to sign in of its own, but for what needs the password.
        let mut other = supervisor.client();
        expect(other.post("/api/auth/", &of("m1", json!({ "code": "42" }))), 200)?;
        ensure!(state(&mut other)?["scheme_authenticated"] == true);
        expect(other.get("/api/profile"), 401)?;

        expect(ada.post("/api/profile/scheme/register/", &of("m1", json!({ "register": false }))), 200)?;
        let last = state(&mut ada)?;
        ensure!(last["scheme_registered"] == false && last["scheme_authenticated"] == false, "{last}");
        expect(ada.post("/api/auth/", &of("m1", json!({ "code": "42" }))), 401)?;
        Ok(())
    }

    fn what_is_sent_to_a_scheme_is_looked_at_first(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        prepare(&mut admin, &json!({}))?;
        add_user(&mut admin, "bea", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        let value = json!({ "register": true });
        for (body, status) in [
            (json!({ "username": "ada", "scheme_type": "mock", "scheme_name": "m1", "value": "register" }), 400),
            (json!({ "username": "ada", "scheme_type": 42, "scheme_name": "m1", "value": value }), 400),
            (json!({ "username": "ada", "scheme_type": "mock", "scheme_name": 42, "value": value }), 400),
            (json!({ "username": "bea", "scheme_type": "mock", "scheme_name": "m1", "value": value }), 400),
            (json!({ "scheme_type": "mock", "scheme_name": "m1", "value": value }), 400),
            (json!({ "username": "ada", "scheme_type": "other", "scheme_name": "m1", "value": value }), 404),
            (json!({ "username": "ada", "scheme_type": "mock", "scheme_name": "none", "value": value }), 404),
        ] {
            expect(ada.post("/api/profile/scheme/register/", &body), status)?;
        }
        let large = of("m1", json!({ "register": "x".repeat(70_000) }));
        names(&expect(ada.post("/api/profile/scheme/register/", &large), 400)?, "value")?;
        for path in ["/api/auth/", "/api/auth/scheme/trigger/"] {
            let mut stranger = supervisor.client();
            for (body, status) in [
                (json!({ "username": "ada", "scheme_type": "mock", "value": {} }), 400),
                (json!({ "username": "ada", "scheme_name": "m1", "value": {} }), 400),
                (json!({ "scheme_type": "mock", "scheme_name": "m1", "value": {} }), 401),
                (json!({ "username": "bea", "scheme_type": "mock", "scheme_name": "m1", "value": {} }), 401),
                (json!({ "username": "nobody", "scheme_type": "mock", "scheme_name": "m1", "value": {} }), 401),
            ] {
                expect(stranger.post(path, &body), status)?;
            }
            ensure!(stranger.cookie.is_none());
        }
        Ok(())
    }

    fn users_register_only_what_they_may(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        prepare(&mut admin, &json!({ "allow_user_register": false }))?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        let register = of("m1", json!({ "register": true }));
        expect(ada.post("/api/profile/scheme/register/", &register), 403)?;
        // An administrator may for them.
        expect(admin.post("/api/delegate/ada/profile/scheme/register/", &register), 200)?;
        expect(admin.put("/api/delegate/ada/profile/scheme/register/", &register), 200)?;
        expect(ada.post("/api/auth/", &of("m1", json!({ "code": "42" }))), 200)?;

        let change = json!({ "forbid_user_profile": true, "parameters": { "mock-value": "42" } });
        expect(admin.put("/api/mod/scheme/m1", &change), 200)?;
        let shown = expect(admin.get("/api/mod/scheme/m1"), 200)?.json()?;
        ensure!(shown["forbid_user_profile"] == true && shown["allow_user_register"] == false, "{shown}");
        ensure!(shown["expiration"] == 600 && shown.get("order_rank").is_none(), "{shown}");
        ensure!(expect(ada.get("/api/profile/scheme/"), 200)?.json()? == json!([]));
        Ok(())
    }

    fn a_proof_that_is_used_up_counts_no_more(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        prepare(&mut admin, &json!({}))?;
        let mut refuse = |more: Value, field: &str| {
            let mut body = json!({ "module": "mock", "name": "m2", "parameters": {} });
            for (key, value) in more.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
            names(&expect(admin.post("/api/mod/scheme/", &body), 400)?, field)
        };
        refuse(json!({ "expiration": 0 }), "expiration")?;
        refuse(json!({ "expiration": "error" }), "expiration")?;
        refuse(json!({ "max_use": -1 }), "max_use")?;
        refuse(json!({ "max_use": "error" }), "max_use")?;
        refuse(json!({ "allow_user_register": "error" }), "allow_user_register")?;
        // Bad parameters leave a disabled row here, too.
        let bad = json!({ "module": "mock", "name": "bad", "expiration": 600, "parameters": { "error": 1 } });
        expect(admin.post("/api/mod/scheme/", &bad), 400)?;
        ensure!(expect(admin.get("/api/mod/scheme/bad"), 200)?.json()?["enabled"] == false);
        expect(admin.put("/api/mod/scheme/bad/enable", &json!({})), 400)?;
        expect(admin.delete("/api/mod/scheme/bad"), 200)?;
        expect(admin.get("/api/mod/scheme/bad"), 404)?;

        // Disabled, it makes its scope unavailable.
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        let available = |ada: &mut Client<'_>| -> Result<Value> {
            Ok(expect(ada.get("/api/auth/scheme/?scope=s1"), 200)?.json()?["s1"]["available"].clone())
        };
        ensure!(available(&mut ada)? == true);
        expect(admin.put("/api/mod/scheme/m1/disable", &json!({})), 200)?;
        ensure!(available(&mut ada)? == false);
        expect(admin.put("/api/mod/scheme/m1/enable", &json!({})), 200)?;
        ensure!(available(&mut ada)? == true);
        Ok(())
    }

    fn backends_are_instances_as_well(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({
            "module": "mock", "name": "people", "order_rank": 5, "readonly": true,
            "parameters": { "keep": { "users": [{ "username": "zoe", "password": "the password of zoe" }] } },
        });
        expect(admin.post("/api/mod/user/", &body), 200)?;
        let shown = expect(admin.get("/api/mod/user/people"), 200)?.json()?;
        ensure!(shown["order_rank"] == 5 && shown["readonly"] == true, "{shown}");
        let zoe = expect(admin.get("/api/user/zoe"), 200)?.json()?;
        ensure!(zoe["source"] == "people", "{zoe}");
        supervisor.client().sign_in("zoe", "the password of zoe")?;
        let list = expect(admin.get("/api/user/?source=people"), 200)?.json()?;
        ensure!(list.as_array().map(Vec::len) == Some(1), "{list}");
        expect(admin.put("/api/user/zoe", &json!({ "name": "Z" })), 400)?;
        expect(admin.put("/api/mod/user/people/disable", &json!({})), 200)?;
        expect(admin.get("/api/user/zoe"), 404)?;
        expect(admin.delete("/api/mod/user/people"), 200)?;

        let body = json!({
            "module": "mock", "name": "apps", "parameters": { "keep": { "clients": [{ "client_id": "zapp" }] } },
        });
        expect(admin.post("/api/mod/client/", &body), 200)?;
        ensure!(expect(admin.get("/api/client/zapp"), 200)?.json()?["source"] == "apps");
        one(&expect(admin.get("/api/mod/client/"), 200)?.json()?, "name", "apps")?;
        expect(admin.get("/api/mod/user/apps"), 404)?;
        expect(admin.delete("/api/mod/client/apps"), 200)?;
        expect(admin.get("/api/client/zapp"), 404)?;
        Ok(())
    }
}
