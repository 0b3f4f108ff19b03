//! `/user`: users, for administrators.

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{PASSWORD, add_user, errors, expect, names, one};

on_both_databases! {
    fn a_user_is_added_shown_changed_and_removed(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let body = json!({
            "username": "Dave", "name": "Dave Lopper", "email": "dave@example.org", "enabled": true,
            "scope": ["g_profile"], "password": PASSWORD, "alias": ["dev", "plop"], "phone": "1",
        });
        let reply = expect(admin.post("/api/user/", &body), 200)?;
        ensure!(reply.body.is_empty(), "{reply:?}");
        let shown = expect(admin.get("/api/user/dave"), 200)?.json()?;
        for key in ["username", "name", "email", "enabled", "scope", "alias", "phone"] {
            ensure!(shown[key] == body[key], "{key}: {shown}");
        }
        ensure!(shown["source"] == "database" && shown.get("password").is_none(), "{shown}");

        let change = json!({ "name": null, "phone": null, "alias": ["x"], "username": "other" });
        expect(admin.put("/api/user/Dave", &change), 200)?;
        let shown = expect(admin.get("/api/user/dave"), 200)?.json()?;
        ensure!(shown["name"] == Value::Null && shown.get("phone").is_none(), "{shown}");
        ensure!(shown["alias"] == json!(["x"]) && shown["email"] == "dave@example.org", "{shown}");
        ensure!(shown["username"] == "Dave", "a name stays");
        // What is shown can be sent back.
        expect(admin.put("/api/user/dave", &shown), 200)?;
        ensure!(expect(admin.get("/api/user/dave"), 200)?.json()? == shown);
        supervisor.client().sign_in("dave", PASSWORD)?;

        expect(admin.get("/api/user/dave?source=database"), 200)?;
        expect(admin.get("/api/user/dave?source=ldap"), 404)?;
        expect(admin.delete("/api/user/dave?source=ldap"), 404)?;
        expect(admin.delete("/api/user/dave"), 200)?;
        expect(admin.get("/api/user/dave"), 404)?;
        expect(admin.put("/api/user/dave", &json!({ "name": "x" })), 404)?;
        expect(admin.delete("/api/user/dave"), 404)?;
        let mut gone = supervisor.client();
        expect(gone.post("/api/auth/", &json!({ "username": "dave", "password": PASSWORD })), 401)?;
        Ok(())
    }

    fn users_are_listed_page_by_page(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        for name in ["ada", "bea", "bob"] {
            add_user(&mut admin, name, &[])?;
        }
        let mut listed = |query: &str| -> Result<Vec<Value>> {
            let list = expect(admin.get(&format!("/api/user/{query}")), 200)?.json()?;
            Ok(list.as_array().into_iter().flatten().map(|it| it["username"].clone()).collect())
        };
        ensure!(listed("")? == ["ada", "admin", "bea", "bob"]);
        ensure!(listed("?limit=2&offset=1")? == ["admin", "bea"]);
        ensure!(listed("?pattern=BO")? == ["bob"]);
        ensure!(listed("?pattern=b")?.len() >= 2);
        ensure!(listed("?pattern=%25")? == Vec::<Value>::new(), "a pattern is no SQL");
        ensure!(listed("?pattern=%27%20OR%201=1")? == Vec::<Value>::new());
        ensure!(listed("?limit=0")? == Vec::<Value>::new());
        ensure!(listed("?limit=9999")?.len() == 4);
        ensure!(listed("?source=database")?.len() == 4);
        ensure!(listed("?source=none")? == Vec::<Value>::new());
        Ok(())
    }

    fn what_can_be_no_user_is_told_by_its_fields(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &[])?;
        let mut refuse = |body: Value, field: &str| {
            names(&expect(admin.post("/api/user/", &body), 400)?, field)
        };
        refuse(json!({}), "username")?;
        refuse(json!({ "username": "" }), "username")?;
        refuse(json!({ "username": "x".repeat(129) }), "username")?;
        refuse(json!({ "username": "a\r\nSet-Cookie: x=y" }), "username")?;
        refuse(json!({ "username": "аda" }), "username")?; // with a Cyrillic first letter
        refuse(json!({ "username": "x", "name": "x".repeat(257) }), "name")?;
        refuse(json!({ "username": "x", "email": "x".repeat(513) }), "email")?;
        refuse(json!({ "username": "x", "enabled": "yes" }), "enabled")?;
        refuse(json!({ "username": "x", "scope": "g_admin" }), "scope")?;
        refuse(json!({ "username": "x", "scope": [""] }), "scope")?;
        refuse(json!({ "username": "x", "password": {} }), "password")?;
        refuse(json!({ "username": "x", "password": "short" }), "password")?;
        refuse(json!({ "username": "x", "phone": { "a": 1 } }), "phone")?;
        for name in ["ada", "ADA", "ａｄａ"] {
            let body = json!({ "username": name, "password": PASSWORD });
            expect(admin.post("/api/user/", &body), 400)?;
        }
        expect(admin.send("POST", "/api/user/", "", "{}"), 400)?;
        let json = "content-type: application/json\r\n";
        expect(admin.send("POST", "/api/user/", json, "[]"), 400)?;
        let large = json!({ "username": "x", "phone": "x".repeat(2_000_000) });
        expect(admin.post("/api/user/", &large), 413)?;
        let deep = format!("{{\"username\":\"x\",\"a\":{}{}}}", "[".repeat(9_000), "]".repeat(9_000));
        expect(admin.send("POST", "/api/user/", json, &deep), 400)?;

        let reply = expect(admin.put("/api/user/ada", &json!({ "enabled": 1, "email": [] })), 400)?;
        ensure!(errors(&reply)?.len() == 2, "{reply:?}");
        let list = expect(admin.get("/api/user/"), 200)?.json()?;
        ensure!(list.as_array().map(Vec::len) == Some(2), "nothing is half written: {list}");
        one(&list, "username", "ada")?;
        expect(admin.get("/api/user/%00"), 400)?;
        expect(admin.get("/api/user/a%2Fb"), 400)?;
        expect(admin.get("/api/user/%F0%9F%92%A9"), 404)?;
        expect(admin.get("/api/user/%FF"), 400)?;
        Ok(())
    }

    fn many_changes_at_once_lose_none(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &[])?;
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|number| {
                    let mut admin = admin.clone();
                    let body = json!({ format!("p{number}"): "x" });
                    scope.spawn(move || admin.put("/api/user/ada", &body).map(|reply| reply.status))
                })
                .collect();
            writers.into_iter().map(|it| it.join().ok().and_then(Result::ok).unwrap_or(0)).collect()
        });
        let shown = expect(admin.get("/api/user/ada"), 200)?.json()?;
        for (number, status) in statuses.iter().enumerate() {
            ensure!(matches!(status, 200 | 409), "{statuses:?}");
            let is_there = shown[format!("p{number}")] == "x";
            ensure!(is_there == (*status == 200), "{number}: {statuses:?} {shown}");
        }
        Ok(())
    }

    fn only_administrators_see_or_change_users(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        for mut who in [ada, supervisor.client()] {
            for (method, path) in [
                ("GET", "/api/user"), ("POST", "/api/user"), ("GET", "/api/user/ada"),
                ("PUT", "/api/user/ada"), ("DELETE", "/api/user/ada"),
            ] {
                let body = json!({ "username": "x", "scope": ["g_admin"] });
                expect(who.ask(method, path, Some(&body)), 401)?;
            }
        }
        let shown = expect(admin.get("/api/user/ada"), 200)?.json()?;
        ensure!(shown["scope"] == json!(["g_profile"]), "{shown}");
        Ok(())
    }
}
