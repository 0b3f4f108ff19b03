//! `/scope`: scopes, for administrators.

use anyhow::ensure;
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{expect, names, one};

on_both_databases! {
    fn a_scope_is_added_shown_changed_and_removed(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        for name in ["m1", "m2"] {
            let body = json!({
                "module": "mock", "name": name, "display_name": name.to_uppercase(), "expiration": 600,
                "max_use": 0, "parameters": { "mock-value": "42" },
            });
            expect(admin.post("/api/mod/scheme/", &body), 200)?;
        }
        let group = |name: &str| json!({ "scheme_type": "mock", "scheme_name": name });
        let body = json!({
            "name": "s1", "display_name": "Scope", "description": "A scope", "password_required": false,
            "password_max_age": 60, "scheme": { "0": [group("m1"), group("m2")], "1": [group("m2")] },
            "scheme_required": { "0": 2, "1": 1 },
        });
        let reply = expect(admin.post("/api/scope/", &body), 200)?;
        ensure!(reply.body.is_empty(), "{reply:?}");
        let shown = expect(admin.get("/api/scope/s1"), 200)?.json()?;
        for key in ["name", "display_name", "description", "password_required", "password_max_age", "scheme_required"] {
            ensure!(shown[key] == body[key], "{key}: {shown}");
        }
        let first = json!({ "scheme_type": "mock", "scheme_name": "m1", "scheme_display_name": "M1" });
        ensure!(shown["scheme"]["0"][0] == first, "{shown}");
        ensure!(shown["scheme"]["0"].as_array().map(Vec::len) == Some(2), "{shown}");
        let list = expect(admin.get("/api/scope/?pattern=s1"), 200)?.json()?;
        ensure!(one(&list, "name", "s1")? == &shown, "{list}");
        one(&expect(admin.get("/api/scope/"), 200)?.json()?, "name", "g_admin")?;

        let change = json!({ "display_name": "New", "password_required": true });
        expect(admin.put("/api/scope/s1", &change), 200)?;
        let shown = expect(admin.get("/api/scope/s1"), 200)?.json()?;
        ensure!(shown["display_name"] == "New" && shown["password_required"] == true, "{shown}");
        ensure!(shown["scheme"] == json!({}), "a scope is replaced as a whole: {shown}");

        expect(admin.delete("/api/scope/s1"), 200)?;
        expect(admin.get("/api/scope/s1"), 404)?;
        expect(admin.put("/api/scope/s1", &change), 404)?;
        expect(admin.delete("/api/scope/s1"), 404)?;
        Ok(())
    }

    fn what_can_be_no_scope_is_told_by_its_keys(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let mut refuse = |body: Value, field: &str| {
            names(&expect(admin.post("/api/scope/", &body), 400)?, field)
        };
        let with = |key: &str, value: Value| {
            let mut body = json!({ "name": "s1", "display_name": "S" });
            body[key] = value;
            body
        };
        refuse(with("name", json!("")), "name")?;
        refuse(with("name", json!(42)), "name")?;
        refuse(with("name", json!("a b")), "name")?;
        refuse(with("name", json!("x".repeat(129))), "name")?;
        refuse(with("display_name", json!(42)), "display_name")?;
        refuse(with("description", json!("x".repeat(513))), "description")?;
        refuse(with("password_required", json!("yes")), "password_required")?;
        refuse(with("password_max_age", json!(-1)), "password_max_age")?;
        refuse(with("scheme", json!([])), "scheme")?;
        refuse(with("scheme", json!({ "0": [{ "scheme_name": "none" }] })), "scheme")?;
        refuse(with("scheme", json!({ "0": "x" })), "scheme")?;
        expect(admin.post("/api/scope/", &with("name", json!("g_admin"))), 400)?;
        expect(admin.send("POST", "/api/scope/", "", "{}"), 400)?;
        expect(admin.get("/api/scope/s1"), 404)?;

        for own in ["/api/scope/g_admin", "/api/scope/g_profile"] {
            names(&expect(admin.delete(own), 400)?, "name")?;
            expect(admin.get(own), 200)?;
        }

        let mut stranger = supervisor.client();
        for (method, path) in [
            ("GET", "/api/scope"), ("POST", "/api/scope"), ("GET", "/api/scope/g_admin"),
            ("PUT", "/api/scope/g_admin"), ("DELETE", "/api/scope/g_admin"),
        ] {
            expect(stranger.ask(method, path, Some(&json!({ "name": "x" }))), 401)?;
        }
        Ok(())
    }
}
