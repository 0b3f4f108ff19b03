//! `/key`: API keys, and what they open.

use anyhow::{Context as _, ensure};
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{PASSWORD, add_user, expect, names, one};

on_both_databases! {
    fn a_key_opens_what_its_scopes_open_until_it_is_disabled(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let made = expect(admin.send("POST", "/api/key", "user-agent: Mosaic\r\n", ""), 200)?.json()?;
        let key = made["key"].as_str().context("no key")?.to_owned();
        ensure!(made.as_object().map(serde_json::Map::len) == Some(1), "{made}");
        let mut robot = supervisor.client();
        robot.headers = format!("authorization: token {key}\r\n");
        for path in ["/api/mod/type", "/api/user", "/api/client", "/api/scope", "/api/mod/plugin"] {
            expect(robot.get(path), 200)?;
        }
        expect(robot.post("/api/scope", &json!({ "name": "s1", "display_name": "S" })), 200)?;
        // A key makes and shows no keys, and is nobody's session.
        expect(robot.get("/api/key"), 401)?;
        expect(robot.post("/api/key", &json!({})), 401)?;
        expect(robot.get("/api/profile"), 401)?;

        let listed = expect(admin.get("/api/key/"), 200)?.json()?;
        let shown = one(&listed, "user_agent", "Mosaic")?;
        ensure!(shown["username"] == "admin" && shown["enabled"] == true, "{shown}");
        ensure!(shown["issued_for"] == "127.0.0.1" && shown["issued_at"].is_u64(), "{shown}");
        ensure!(shown["counter"].as_u64().is_some_and(|uses| uses >= 6), "{shown}");
        ensure!(!listed.to_string().contains(&key), "the key is shown once");
        ensure!(!supervisor.log.all().join("\n").contains(&key), "the key is in the log");

        let hash = shown["token_hash"].as_str().context("no hash")?;
        expect(admin.delete("/api/key/none"), 200)?;
        expect(admin.delete(&format!("/api/key/{hash}")), 200)?;
        expect(robot.get("/api/user"), 401)?;
        let listed = expect(admin.get("/api/key/"), 200)?.json()?;
        ensure!(one(&listed, "user_agent", "Mosaic")?["enabled"] == false, "{listed}");
        Ok(())
    }

    fn a_key_with_fewer_scopes_opens_less(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({ "label": "ci", "scope": ["g_profile"] });
        let made = expect(admin.post("/api/key", &body), 200)?.json()?;
        let key = made["key"].as_str().context("no key")?.to_owned();
        let mut robot = supervisor.client();
        robot.headers = format!("authorization: token {key}\r\n");
        expect(robot.get("/api/user"), 401)?;
        let listed = expect(admin.get("/api/key/?pattern=ci"), 200)?.json()?;
        ensure!(listed[0]["label"] == "ci" && listed[0]["scope"] == json!(["g_profile"]), "{listed}");
        let mut refuse = |body: Value, field: &str| {
            names(&expect(admin.post("/api/key", &body), 400)?, field)
        };
        refuse(json!({ "label": 1 }), "label")?;
        refuse(json!({ "scope": "g_admin" }), "scope")?;
        refuse(json!({ "scope": ["a b"] }), "scope")?;
        Ok(())
    }

    fn what_is_no_key_opens_nothing(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let session = admin.cookie.clone().unwrap_or_default();
        for value in [
            "", "token", "token ", "token x", "Bearer x", &format!("token {}", "a".repeat(128)),
            &format!("token {session}"), "token ' OR 1=1 --", &format!("token {}", "x".repeat(9_000)),
        ] {
            let mut robot = supervisor.client();
            robot.headers = format!("authorization: {value}\r\n");
            expect(robot.get("/api/user"), 401)?;
        }
        // A wrong key is not made good by a cookie.
        let mut both = admin.clone();
        "authorization: token x\r\n".clone_into(&mut both.headers);
        expect(both.get("/api/user"), 401)?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        for mut who in [ada, supervisor.client()] {
            expect(who.get("/api/key"), 401)?;
            expect(who.post("/api/key", &json!({})), 401)?;
            expect(who.delete("/api/key/x"), 401)?;
        }
        Ok(())
    }
}
