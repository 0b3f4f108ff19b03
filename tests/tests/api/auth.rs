//! `/auth`: signing in and out, several users of one cookie, and what a session still has to prove.

use anyhow::ensure;
use e2e::on_both_databases;
use e2e::supervisor::api::COOKIE;
use serde_json::json;

use super::{PASSWORD, add_user, expect, names};

on_both_databases! {
    fn a_password_opens_a_session_and_nothing_else_does(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        for (body, status) in [
            (json!({}), 400),
            (json!([]), 400),
            (json!({ "username": "ada" }), 401),
            (json!({ "username": "" }), 400),
            (json!({ "password": PASSWORD }), 400),
            (json!({ "username": 42, "password": 84 }), 400),
            (json!({ "username": "", "password": "" }), 400),
            (json!({ "username": "ada", "password": "wrong" }), 401),
            (json!({ "username": "ada", "password": "" }), 401),
            (json!({ "username": "nobody", "password": PASSWORD }), 401),
            (json!({ "username": "' OR 1=1 --", "password": PASSWORD }), 401),
            (json!({ "username": "ada\u{0}", "password": PASSWORD }), 401),
        ] {
            let reply = expect(ada.post("/api/auth/", &body), status)?;
            ensure!(reply.header("set-cookie").is_none() && ada.cookie.is_none(), "{body}");
        }
        expect(ada.send("POST", "/api/auth/", "content-type: application/json\r\n", ""), 400)?;
        expect(ada.send("POST", "/api/auth/", "", "username=ada"), 400)?;
        expect(ada.get("/api/profile_list/"), 401)?;

        let body = json!({ "username": "ADA", "password": PASSWORD });
        let reply = expect(ada.post("/api/auth/", &body), 200)?;
        let cookie = reply.header("set-cookie").unwrap_or_default().to_owned();
        let value = ada.cookie.clone().unwrap_or_default();
        ensure!(value.len() == 128 && value.bytes().all(|b| b.is_ascii_alphanumeric()), "{cookie}");
        for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age="] {
            ensure!(cookie.contains(part), "{cookie}");
        }
        ensure!(reply.header("cache-control") == Some("no-store"), "{reply:?}");
        let list = expect(ada.get("/api/profile_list/"), 200)?.json()?;
        ensure!(list[0]["username"] == "ada" && list[0].get("source").is_none(), "{list}");
        ensure!(list[0].get("password").is_none(), "{list}");
        Ok(())
    }

    fn a_new_password_sign_in_makes_a_new_cookie(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let planted = "x".repeat(128);
        let mut ada = supervisor.client();
        ada.cookie = Some(planted.clone());
        ada.sign_in("ada", PASSWORD)?;
        ensure!(ada.cookie.as_deref() != Some(&*planted));
        let mut old = ada.clone();
        ada.sign_in("ada", PASSWORD)?;
        ensure!(old.cookie != ada.cookie);
        expect(ada.get("/api/profile_list/"), 200)?;
        expect(old.get("/api/profile_list/"), 401)?;
        for forged in [planted, "a".into(), "' OR 1=1 --".into(), "x".repeat(4096)] {
            let mut thief = supervisor.client();
            thief.cookie = Some(forged);
            expect(thief.get("/api/profile_list/"), 401)?;
        }
        // Two different cookies of one name: one of them was planted.
        let twice = format!("cookie: {COOKIE}={}; {COOKIE}=other\r\n", ada.cookie.clone().unwrap_or_default());
        ensure!(supervisor.request("GET", "/api/profile_list", &twice, "")?.status == 401);
        Ok(())
    }

    fn one_cookie_holds_several_users_of_whom_one_is_current(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        for name in ["ada", "bea"] {
            add_user(&mut admin, name, &["g_profile"])?;
        }
        let mut both = supervisor.client();
        both.sign_in("ada", PASSWORD)?;
        both.sign_in("bea", PASSWORD)?;
        let current = |list: &serde_json::Value| list[0]["username"].clone();
        let list = expect(both.get("/api/profile_list"), 200)?.json()?;
        ensure!(current(&list) == "bea" && list[1]["username"] == "ada", "{list}");

        expect(both.post("/api/auth/", &json!({ "username": "ada" })), 200)?;
        ensure!(current(&expect(both.get("/api/profile_list"), 200)?.json()?) == "ada");
        expect(both.post("/api/auth/", &json!({ "username": "admin" })), 401)?;

        expect(both.delete("/api/auth/?username=nobody"), 404)?;
        expect(both.delete("/api/auth/?username=ada"), 200)?;
        let list = expect(both.get("/api/profile_list"), 200)?.json()?;
        ensure!(list.as_array().map(Vec::len) == Some(1) && current(&list) == "bea", "{list}");
        let mut copy = both.clone();
        expect(both.delete("/api/auth/"), 200)?;
        ensure!(both.cookie.is_none(), "the cookie is taken back");
        expect(copy.get("/api/profile_list"), 401)?;
        expect(both.delete("/api/auth/"), 200)?;
        Ok(())
    }

    fn a_session_is_told_what_it_still_has_to_prove(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        expect(admin.post("/api/scope/", &json!({ "name": "s1", "display_name": "One" })), 200)?;
        add_user(&mut admin, "ada", &["g_profile", "s1"])?;
        let mut ada = supervisor.client();
        let stranger = expect(ada.get("/api/auth/scheme/?scope=g_profile%20s1%20none"), 200)?.json()?;
        ensure!(stranger == json!({ "g_profile": {}, "s1": {} }), "{stranger}");
        expect(ada.get("/api/auth/scheme/?scope=none"), 404)?;
        names(&expect(ada.get("/api/auth/scheme/"), 400)?, "scope")?;

        ada.sign_in("ada", PASSWORD)?;
        let state = expect(ada.get("/api/auth/scheme/?scope=s1+g_admin+none"), 200)?.json()?;
        ensure!(state["s1"]["available"] == true && state["s1"]["password_required"] == true);
        ensure!(state["s1"]["password_authenticated"] == true, "{state}");
        ensure!(state["s1"]["display_name"] == "One" && state["s1"]["schemes"] == json!({}));
        ensure!(state["g_admin"]["available"] == false && state.get("none").is_none(), "{state}");
        ensure!(state["g_admin"].get("password_authenticated").is_none(), "{state}");
        expect(ada.get("/api/auth/scheme/?scope=none"), 404)?;
        Ok(())
    }

    fn a_user_lets_clients_do_what_the_user_may(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        for scope in ["s1", "s2"] {
            expect(admin.post("/api/scope/", &json!({ "name": scope, "display_name": scope })), 200)?;
        }
        expect(admin.post("/api/client/", &json!({ "client_id": "app", "name": "App" })), 200)?;
        add_user(&mut admin, "ada", &["g_profile", "s1", "s2"])?;
        let mut ada = supervisor.client();
        expect(ada.get("/api/auth/grant/app/s1"), 401)?;
        expect(ada.put("/api/auth/grant/app", &json!({ "scope": "s1" })), 401)?;
        ada.sign_in("ada", PASSWORD)?;

        let grant = expect(ada.get("/api/auth/grant/app/s1%20g_admin"), 200)?.json()?;
        ensure!(grant["client"] == json!({ "client_id": "app", "name": "App" }), "{grant}");
        ensure!(grant["scope"].as_array().map(Vec::len) == Some(1), "{grant}");
        ensure!(grant["scope"][0]["name"] == "s1" && grant["scope"][0]["granted"] == false);

        expect(ada.put("/api/auth/grant/none", &json!({ "scope": "s1" })), 404)?;
        names(&expect(ada.put("/api/auth/grant/app", &json!({ "scope": ["s1"] })), 400)?, "scope")?;
        expect(ada.put("/api/auth/grant/app", &json!({ "scope": "g_admin" })), 401)?;
        expect(ada.put("/api/auth/grant/app/", &json!({ "scope": "s1 s2 g_admin" })), 200)?;
        let grant = expect(ada.get("/api/auth/grant/app/s1%20s2"), 200)?.json()?;
        ensure!(grant["scope"][0]["granted"] == true && grant["scope"][1]["granted"] == true);
        let listed = expect(ada.get("/api/profile/grant"), 200)?.json()?;
        ensure!(listed[0]["client_id"] == "app" && listed[0]["name"] == "App", "{listed}");
        ensure!(listed[0]["scope"].as_array().map(Vec::len) == Some(2), "{listed}");

        // All of it is replaced.
        expect(ada.put("/api/auth/grant/app", &json!({ "scope": "s2" })), 200)?;
        let grant = expect(ada.get("/api/auth/grant/app/s1"), 200)?.json()?;
        ensure!(grant["scope"][0]["granted"] == false, "{grant}");
        expect(ada.put("/api/auth/grant/app", &json!({ "scope": "" })), 200)?;
        ensure!(expect(ada.get("/api/profile/grant"), 200)?.json()? == json!([]));
        Ok(())
    }

    fn wrong_passwords_are_few(stage) {
        stage.configure("[login]\nattempts = 3\n")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut thief = supervisor.client();
        for _ in 0..3 {
            expect(thief.post("/api/auth/", &json!({ "username": "ada", "password": "wrong" })), 401)?;
        }
        let reply = expect(thief.post("/api/auth/", &json!({ "username": "ada", "password": PASSWORD })), 429)?;
        let wait = reply.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
        ensure!(wait.is_some_and(|wait| wait > 0), "{reply:?}");
        ensure!(thief.cookie.is_none());
        Ok(())
    }

    fn a_disabled_user_is_out_at_once(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        expect(admin.put("/api/user/ada", &json!({ "enabled": false })), 200)?;
        expect(ada.get("/api/profile"), 401)?;
        expect(ada.post("/api/auth/", &json!({ "username": "ada", "password": PASSWORD })), 401)?;
        expect(admin.put("/api/user/ada", &json!({ "enabled": true })), 200)?;
        expect(ada.post("/api/auth/", &json!({ "username": "ada", "password": PASSWORD })), 200)?;
        Ok(())
    }
}
