//! `/mod`: plugins and their instances, changed while everything runs.

use anyhow::{Context as _, Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::stage::Stage;
use e2e::wait::until;
use serde_json::json;

use super::{errors, expect, names, one};

on_both_databases! {
    fn an_instance_is_added_changed_reset_and_deleted(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({
            "module": "mock", "name": "glwd", "display_name": "Glwd", "parameters": { "greeting": "Hi" },
        });
        let reply = expect(admin.post("/api/mod/plugin/", &body), 200)?;
        ensure!(reply.body.is_empty(), "{reply:?}");
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Hi, you"));

        let shown = expect(admin.get("/api/mod/plugin/glwd"), 200)?.json()?;
        for (key, value) in body.as_object().into_iter().flatten() {
            ensure!(shown[key] == *value, "{key}: {shown}");
        }
        ensure!(shown["enabled"] == true, "{shown}");
        let list = expect(admin.get("/api//mod//plugin//"), 200)?.json()?;
        ensure!(one(&list, "name", "glwd")? == &shown, "{list}");

        // Stored, but not applied before the reset.
        let change = json!({ "display_name": "New", "parameters": { "greeting": "Servus" } });
        expect(admin.put("/api/mod/plugin/glwd", &change), 200)?;
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Hi, you"));
        let shown = expect(admin.get("/api/mod/plugin/glwd"), 200)?.json()?;
        ensure!(shown["parameters"]["greeting"] == "Servus" && shown["display_name"] == "New");
        expect(admin.put("/api/mod/plugin/glwd/reset", &json!({})), 200)?;
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Servus, you"));

        expect(admin.delete("/api/mod/plugin/glwd"), 200)?;
        expect(admin.get("/api/mod/plugin/glwd"), 404)?;
        expect(admin.delete("/api/mod/plugin/glwd"), 404)?;
        ensure!(supervisor.get("/api/glwd/hello/you")?.status == 404);
        Ok(())
    }

    fn bad_parameters_leave_a_disabled_row(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({ "module": "mock", "name": "bad", "parameters": { "error": true } });
        let reply = expect(admin.post("/api/mod/plugin/", &body), 400)?;
        ensure!(errors(&reply)?.iter().any(|error| error.contains("error")), "{reply:?}");

        let shown = expect(admin.get("/api/mod/plugin/bad"), 200)?.json()?;
        ensure!(shown["enabled"] == false && shown["parameters"]["error"] == true, "{shown}");
        ensure!(supervisor.get("/api/bad/hello/you")?.status == 404);
        errors(&expect(admin.put("/api/mod/plugin/bad/enable", &json!({})), 400)?)?;
        let shown = expect(admin.get("/api/mod/plugin/bad"), 200)?.json()?;
        ensure!(shown["enabled"] == false, "{shown}");

        expect(admin.put("/api/mod/plugin/bad", &json!({ "parameters": {} })), 200)?;
        expect(admin.put("/api/mod/plugin/bad/enable", &json!({})), 200)?;
        ensure!(supervisor.get("/api/bad/hello/you")?.status == 200);
        expect(admin.delete("/api/mod/plugin/bad"), 200)?;
        Ok(())
    }

    fn a_refused_reset_leaves_the_old_activation(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({ "module": "mock", "name": "glwd", "parameters": { "greeting": "Hi" } });
        expect(admin.post("/api/mod/plugin/", &body), 200)?;

        let change = json!({ "parameters": { "greeting": "New", "error": "please" } });
        expect(admin.put("/api/mod/plugin/glwd", &change), 200)?;
        let reply = expect(admin.put("/api/mod/plugin/glwd/reset", &json!({})), 400)?;
        ensure!(errors(&reply)?.iter().any(|error| error.contains("/error")), "{reply:?}");
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Hi, you"));

        // Other changes, and reloads, don't apply it either.
        let other = json!({ "module": "mock", "name": "other", "parameters": {} });
        expect(admin.post("/api/mod/plugin/", &other), 200)?;
        ensure!(supervisor.reload()?.contains("\"reloaded\""));
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Hi, you"));
        let shown = expect(admin.get("/api/mod/plugin/glwd"), 200)?.json()?;
        ensure!(shown["parameters"]["greeting"] == "New" && shown["enabled"] == true, "{shown}");

        // What was refused once is asked again.
        expect(admin.put("/api/mod/plugin/glwd/reset", &json!({})), 400)?;
        expect(admin.put("/api/mod/plugin/glwd", &json!({ "parameters": { "greeting": "New" } })), 200)?;
        expect(admin.put("/api/mod/plugin/glwd/reset", &json!({})), 200)?;
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("New, you"));
        Ok(())
    }

    fn an_instance_is_disabled_and_enabled_as_often_as_one_likes(stage) {
        stage.install("mock")?;
        let mut supervisor = stage.serve()?;
        {
            let mut admin = supervisor.admin()?;
            let body = json!({ "module": "mock", "name": "glwd", "parameters": {} });
            expect(admin.post("/api/mod/plugin/", &body), 200)?;
            for (action, status) in
                [("disable", 404), ("disable", 404), ("enable", 200), ("enable", 200), ("disable", 404)]
            {
                expect(admin.put(&format!("/api/mod/plugin/glwd/{action}"), &json!({})), 200)?;
                ensure!(supervisor.get("/api/glwd/hello/you")?.status == status, "{action}");
                let shown = expect(admin.get("/api/mod/plugin/glwd"), 200)?.json()?;
                ensure!(shown["enabled"] == (status == 200), "{action}: {shown}");
            }
            names(&expect(admin.put("/api/mod/plugin/glwd/explode", &json!({})), 400)?, "action")?;
            expect(admin.put("/api/mod/plugin/none/enable", &json!({})), 404)?;
            expect(admin.put("/api/mod/plugin/none/explode", &json!({})), 404)?;
        }
        ensure!(supervisor.stop()? == 0);
        let supervisor = stage.serve()?;
        ensure!(supervisor.get("/api/glwd/hello/you")?.status == 404, "it was disabled");
        Ok(())
    }

    fn what_can_be_no_instance_is_told_by_its_keys(stage) {
        stage.install("mock")?;
        stage.configure("[[instance]]\nplugin = \"mock\"\nname = \"fixed\"\n")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let mut refuse = |body: serde_json::Value, field: &str| {
            names(&expect(admin.post("/api/mod/plugin/", &body), 400)?, field)
        };
        refuse(json!({ "module": "none", "name": "a", "parameters": {} }), "module")?;
        refuse(json!({ "module": "mock", "name": 42, "parameters": {} }), "name")?;
        refuse(json!({ "module": "mock", "name": "user", "parameters": {} }), "name")?;
        refuse(json!({ "module": "mock", "name": "auth-x", "parameters": {} }), "name")?;
        refuse(json!({ "module": "mock", "name": "fixed", "parameters": {} }), "name")?;
        refuse(json!({ "module": "mock", "name": "../etc", "parameters": {} }), "name")?;
        refuse(json!({ "module": "mock", "name": "a", "parameters": "x" }), "parameters")?;
        refuse(json!({ "module": "mock", "name": "a", "parameters": { "x": "x".repeat(20_000) } }), "parameters")?;
        let display_name = json!({ "module": "mock", "name": "a", "display_name": 42, "parameters": {} });
        refuse(display_name, "display_name")?;

        let empty = expect(admin.send("POST", "/api/mod/plugin/", "", "{}"), 400)?;
        ensure!(empty.body.is_empty(), "{empty:?}");
        let kind = "content-type: application/json\r\n";
        expect(admin.send("POST", "/api/mod/plugin/", kind, "{"), 400)?;
        expect(admin.get("/api/mod/none/"), 404)?;
        expect(admin.get("/api/mod/plugin/none"), 404)?;
        expect(admin.put("/api/mod/plugin/none", &json!({ "parameters": {} })), 404)?;
        expect(admin.get("/api/mod/scheme/fixed"), 404)?;

        // What the file says can be seen, and is changed there.
        let shown = expect(admin.get("/api/mod/plugin/fixed"), 200)?.json()?;
        ensure!(shown["fixed"] == true && shown["module"] == "mock", "{shown}");
        for action in ["disable", "reset"] {
            let reply = expect(admin.put(&format!("/api/mod/plugin/fixed/{action}"), &json!({})), 400)?;
            ensure!(errors(&reply)?[0].contains("outboard.toml"), "{reply:?}");
        }
        expect(admin.delete("/api/mod/plugin/fixed"), 400)?;
        ensure!(supervisor.get("/api/fixed/hello/you")?.status == 200);
        Ok(())
    }

    fn a_plugin_is_a_module_of_each_kind_that_it_can_be(stage) {
        stage.install("mock")?;
        stage.install("webhook")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let types = expect(admin.get("/api/mod/type/"), 200)?.json()?;
        for kind in ["user", "client", "scheme", "plugin"] {
            let mock = one(&types[kind], "name", "mock")?;
            ensure!(mock["display_name"] == "Mock" && mock["description"].is_string(), "{mock}");
        }
        ensure!(types["user_middleware"] == json!([]), "{types}");
        one(&types["user"], "name", "database")?;
        one(&types["plugin"], "name", "webhook")?;
        ensure!(one(&types["scheme"], "name", "webhook").is_err(), "{types}");
        let body = json!({ "module": "webhook", "name": "w", "parameters": {} });
        names(&expect(admin.post("/api/mod/scheme/", &body), 400)?, "module")?;
        let database = expect(admin.get("/api/mod/user/database"), 200)?.json()?;
        ensure!(database["enabled"] == true && database["readonly"] == false, "{database}");
        expect(admin.delete("/api/mod/user/database"), 400)?;
        ensure!(expect(admin.get("/api/mod/user_middleware/"), 200)?.json()? == json!([]));
        expect(admin.get("/api/mod/user_middleware/x"), 404)?;
        expect(admin.post("/api/mod/user_middleware/", &body), 400)?;
        Ok(())
    }

    fn a_reload_applies_what_waits(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({ "module": "mock", "name": "glwd", "parameters": { "greeting": "Hi" } });
        expect(admin.post("/api/mod/plugin/", &body), 200)?;
        expect(admin.put("/api/mod/plugin/glwd", &json!({ "parameters": { "greeting": "New" } })), 200)?;
        let mark = supervisor.log.mark();
        expect(admin.put("/api/mod/reload/", &json!({})), 200)?;
        supervisor.log.wait(mark, "\"message\":\"reloaded\"")?;
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("New, you"));
        Ok(())
    }

    fn only_administrators_see_or_change_any_of_it(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        crate::add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", crate::PASSWORD)?;
        for mut who in [ada, supervisor.client()] {
            for (method, path) in [
                ("GET", "/api/mod/type"),
                ("PUT", "/api/mod/reload"),
                ("GET", "/api/mod/plugin"),
                ("POST", "/api/mod/plugin"),
                ("GET", "/api/mod/plugin/mock"),
                ("PUT", "/api/mod/plugin/mock"),
                ("DELETE", "/api/mod/plugin/mock"),
                ("PUT", "/api/mod/plugin/mock/disable"),
                ("GET", "/api/mod/scheme"),
                ("GET", "/api/mod/user"),
                ("GET", "/api/mod/client"),
            ] {
                let body = json!({ "module": "mock", "name": "x", "parameters": {} });
                let reply = expect(who.ask(method, path, Some(&body)), 401)?;
                ensure!(reply.body.is_empty(), "{path}: {reply:?}");
            }
        }
        ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
        Ok(())
    }
}

#[test]
fn other_supervisors_of_the_database_follow() -> Result<()> {
    let stage = Stage::on_postgres()?;
    let beside = stage.beside()?;
    stage.install("mock")?;
    beside.install("mock")?;
    let (one, two) = (stage.serve()?, beside.serve()?);
    let mut admin = one.admin()?;
    let says = |words: &str| {
        eventually(words, || Ok(two.get("/api/shared/hello/you")?.text().contains(words)))
    };
    let body = json!({ "module": "mock", "name": "shared", "parameters": { "greeting": "Hi" } });
    expect(admin.post("/api/mod/plugin/", &body), 200)?;
    says("Hi, you")?;
    let activation = two.plugin("mock")?.activation("shared").map(str::to_owned);
    expect(
        admin.put("/api/mod/plugin/shared", &json!({ "parameters": { "greeting": "Servus" } })),
        200,
    )?;
    expect(admin.put("/api/mod/plugin/shared/reset", &json!({})), 200)?;
    says("Servus, you")?;
    ensure!(two.plugin("mock")?.activation("shared").map(str::to_owned) != activation);
    expect(admin.put("/api/mod/plugin/shared/disable", &json!({})), 200)?;
    let is_gone = || Ok(two.get("/api/shared/hello/you")?.status == 404);
    eventually("disabled", is_gone)?;
    expect(admin.put("/api/mod/plugin/shared/enable", &json!({})), 200)?;
    says("Servus, you")?;
    expect(admin.delete("/api/mod/plugin/shared"), 200)?;
    eventually("deleted", is_gone)?;
    // With none configured, the one that nobody configures is back, in the same process.
    eventually("as before", || Ok(two.get("/api/mock/hello/you")?.status == 200))?;
    ensure!(two.plugin("mock")?.generation() == 1);
    Ok(())
}

/// Waits until something is so.
fn eventually(what: &str, is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    until(is_so, |is_so| *is_so).with_context(|| format!("not {what}")).map(drop)
}
