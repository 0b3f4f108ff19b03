//! `/profile`: what users see and do about themselves.

use anyhow::{Context as _, ensure};
use e2e::on_both_databases;
use serde_json::json;

use super::{PASSWORD, add_user, expect, names, one};

on_both_databases! {
    fn users_change_their_name_and_nothing_more(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        let change = json!({ "name": "Ada L", "scope": ["g_admin"], "enabled": false, "username": "root" });
        expect(ada.put("/api/profile/", &change), 200)?;
        let shown = expect(ada.get("/api/profile"), 200)?.json()?;
        ensure!(shown["name"] == "Ada L" && shown["username"] == "ada", "{shown}");
        ensure!(shown["scope"] == json!(["g_profile"]) && shown["enabled"] == true, "{shown}");
        names(&expect(ada.put("/api/profile/", &json!({ "name": 42 })), 400)?, "name")?;
        expect(ada.put("/api/profile/", &json!([{ "name": "x" }])), 400)?;
        expect(ada.send("PUT", "/api/profile/", "", "x"), 400)?;
        Ok(())
    }

    fn a_password_is_changed_by_whoever_knows_the_old_one(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        let mut change = |old: &str, new: serde_json::Value, status: u16| {
            let body = json!({ "username": "ada", "old_password": old, "password": new });
            expect(ada.put("/api/profile/password", &body), status)
        };
        names(&change("wrong", json!("another password"), 400)?, "old_password")?;
        names(&change(PASSWORD, json!("short"), 400)?, "password")?;
        names(&change(PASSWORD, json!(42), 400)?, "password")?;
        change(PASSWORD, json!("another password"), 200)?;
        let body = json!({ "username": "admin", "old_password": PASSWORD, "password": "x" });
        names(&expect(ada.put("/api/profile/password", &body), 400)?, "username")?;
        let mut again = supervisor.client();
        expect(again.post("/api/auth/", &json!({ "username": "ada", "password": PASSWORD })), 401)?;
        again.sign_in("ada", "another password")?;
        Ok(())
    }

    fn sessions_are_listed_and_ended(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut here = supervisor.client();
        "user-agent: here\r\n".clone_into(&mut here.headers);
        here.sign_in("ada", PASSWORD)?;
        let mut there = supervisor.client();
        "user-agent: there\r\n".clone_into(&mut there.headers);
        there.sign_in("ada", PASSWORD)?;

        let listed = expect(here.get("/api/profile/session/"), 200)?.json()?;
        ensure!(listed.as_array().map(Vec::len) == Some(2), "{listed}");
        let other = one(&listed, "user_agent", "there")?;
        ensure!(other["issued_for"] == "127.0.0.1" && other["enabled"] == true, "{other}");
        ensure!(other["expiration"].as_u64() > other["last_login"].as_u64(), "{other}");
        let cookies = [here.cookie.clone(), there.cookie.clone()].map(Option::unwrap_or_default);
        ensure!(cookies.iter().all(|cookie| !listed.to_string().contains(cookie)), "{listed}");
        let one_of = expect(here.get("/api/profile/session/?pattern=there&limit=1"), 200)?.json()?;
        ensure!(one_of.as_array().map(Vec::len) == Some(1), "{one_of}");
        ensure!(expect(here.get("/api/profile/session/?pattern=none"), 200)?.json()? == json!([]));
        let sorted = expect(here.get("/api/profile/session/?sort=user_agent&desc"), 200)?.json()?;
        ensure!(sorted[0]["user_agent"] == "there", "{sorted}");

        expect(here.delete("/api/profile/session/error"), 404)?;
        let admins = expect(admin.get("/api/profile/session/"), 200)?.json()?;
        let not_own = admins[0]["session_hash"].as_str().context("no session")?;
        expect(here.delete(&format!("/api/profile/session/{not_own}")), 404)?;
        expect(admin.get("/api/profile"), 200)?;
        let hash = other["session_hash"].as_str().context("no session")?;
        expect(here.delete(&format!("/api/profile/session/{hash}")), 200)?;
        expect(there.get("/api/profile_list"), 401)?;
        expect(here.get("/api/profile_list"), 200)?;
        expect(here.delete("/api/profile/session/"), 200)?;
        expect(here.get("/api/profile_list"), 401)?;
        Ok(())
    }

    fn users_give_their_account_up(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        ensure!(expect(ada.get("/config"), 200)?.json()?["delete_profile"] == "yes");
        expect(ada.delete("/api/profile/"), 200)?;
        ensure!(ada.cookie.is_none());
        expect(admin.get("/api/user/ada"), 404)?;
        expect(ada.post("/api/auth/", &json!({ "username": "ada", "password": PASSWORD })), 401)?;
        Ok(())
    }

    fn an_operator_may_have_accounts_kept(stage) {
        for (rule, status, enabled, told) in [("disable", 200, false, "yes"), ("no", 403, true, "no")] {
            stage.configure(&format!("[login]\ndelete_profile = \"{rule}\"\n"))?;
            let mut supervisor = stage.serve()?;
            {
                let mut admin = if rule == "disable" {
                    supervisor.admin()?
                } else {
                    let mut admin = supervisor.client();
                    admin.sign_in("admin", e2e::supervisor::api::PASSWORD)?;
                    admin
                };
                add_user(&mut admin, rule, &["g_profile"])?;
                let mut user = supervisor.client();
                user.sign_in(rule, PASSWORD)?;
                ensure!(expect(user.get("/config"), 200)?.json()?["delete_profile"] == told);
                expect(user.delete("/api/profile/"), status)?;
                let shown = expect(admin.get(&format!("/api/user/{rule}")), 200)?.json()?;
                ensure!(shown["enabled"] == enabled, "{rule}: {shown}");
                expect(user.get("/api/profile"), if enabled { 200 } else { 401 })?;
            }
            ensure!(supervisor.stop()? == 0);
        }
        Ok(())
    }

    fn a_profile_needs_its_scope(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &[])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        // Who is signed in may see who is, and what there is.
        expect(ada.get("/api/profile_list"), 200)?;
        expect(ada.get("/api/profile/plugin"), 200)?;
        for mut who in [ada, supervisor.client()] {
            for (method, path) in [
                ("GET", "/api/profile"), ("PUT", "/api/profile"), ("DELETE", "/api/profile"),
                ("PUT", "/api/profile/password"), ("GET", "/api/profile/grant"),
                ("GET", "/api/profile/session"), ("DELETE", "/api/profile/session"),
                ("DELETE", "/api/profile/session/x"), ("GET", "/api/profile/scheme"),
                ("PUT", "/api/profile/scheme/register"), ("POST", "/api/profile/scheme/register"),
            ] {
                expect(who.ask(method, path, Some(&json!({ "username": "ada" }))), 401)?;
            }
        }
        let body = json!({ "module": "mock", "name": "glwd", "display_name": "G", "parameters": {} });
        expect(admin.post("/api/mod/plugin/", &body), 200)?;
        let plugins = expect(admin.get("/api/profile/plugin"), 200)?.json()?;
        ensure!(plugins == json!([{ "module": "mock", "name": "glwd", "display_name": "G" }]), "{plugins}");
        Ok(())
    }
}
