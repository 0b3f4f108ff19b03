//! `/client`: clients, for administrators.

use anyhow::ensure;
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{expect, names, one};

on_both_databases! {
    fn a_client_is_added_shown_changed_and_removed(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({
            "client_id": "client1", "name": "First", "description": "A client", "enabled": true,
            "confidential": true, "scope": ["s1"], "redirect_uri": ["https://example.com/cb"],
            "password": "a password of clients",
        });
        let reply = expect(admin.post("/api/client/", &body), 200)?;
        ensure!(reply.body.is_empty(), "{reply:?}");
        let shown = expect(admin.get("/api/client/client1"), 200)?.json()?;
        for key in ["client_id", "name", "description", "enabled", "confidential", "scope", "redirect_uri"] {
            ensure!(shown[key] == body[key], "{key}: {shown}");
        }
        ensure!(shown["source"] == "database" && shown.get("password").is_none(), "{shown}");
        let list = expect(admin.get("/api/client/?pattern=client"), 200)?.json()?;
        ensure!(one(&list, "client_id", "client1")? == &shown);
        ensure!(expect(admin.get("/api/client/?pattern=none"), 200)?.json()? == json!([]));

        let change = json!({ "name": null, "enabled": false, "redirect_uri": null });
        expect(admin.put("/api/client/client1", &change), 200)?;
        let shown = expect(admin.get("/api/client/client1"), 200)?.json()?;
        ensure!(shown["name"] == Value::Null && shown["enabled"] == false, "{shown}");
        ensure!(shown.get("redirect_uri").is_none() && shown["description"] == "A client");
        expect(admin.put("/api/client/client1", &shown), 200)?;

        expect(admin.delete("/api/client/client1?source=none"), 404)?;
        expect(admin.delete("/api/client/client1"), 200)?;
        expect(admin.get("/api/client/client1"), 404)?;
        expect(admin.put("/api/client/client1", &json!({})), 404)?;
        expect(admin.delete("/api/client/client1"), 404)?;
        Ok(())
    }

    fn what_can_be_no_client_is_told_by_its_fields(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        expect(admin.post("/api/client/", &json!({ "client_id": "one" })), 200)?;
        let mut refuse = |body: Value, field: &str| {
            names(&expect(admin.post("/api/client/", &body), 400)?, field)
        };
        refuse(json!({}), "client_id")?;
        refuse(json!({ "client_id": 1 }), "client_id")?;
        refuse(json!({ "client_id": "a b" }), "client_id")?;
        refuse(json!({ "client_id": "x".repeat(129) }), "client_id")?;
        refuse(json!({ "client_id": "x", "name": "x".repeat(257) }), "name")?;
        refuse(json!({ "client_id": "x", "description": "x".repeat(513) }), "description")?;
        refuse(json!({ "client_id": "x", "confidential": "no" }), "confidential")?;
        refuse(json!({ "client_id": "x", "scope": "s1" }), "scope")?;
        expect(admin.post("/api/client/", &json!({ "client_id": "one" })), 400)?;
        expect(admin.send("POST", "/api/client/", "", "x"), 400)?;
        names(&expect(admin.put("/api/client/one", &json!({ "enabled": 1 })), 400)?, "enabled")?;
        let list = expect(admin.get("/api/client/"), 200)?.json()?;
        ensure!(list.as_array().map(Vec::len) == Some(1), "{list}");

        let mut stranger = supervisor.client();
        for (method, path) in [
            ("GET", "/api/client"), ("POST", "/api/client"), ("GET", "/api/client/one"),
            ("PUT", "/api/client/one"), ("DELETE", "/api/client/one"),
        ] {
            expect(stranger.ask(method, path, Some(&json!({ "client_id": "x" }))), 401)?;
        }
        Ok(())
    }
}
