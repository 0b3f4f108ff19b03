//! `/delegate/:username`: an administrator for a user.

use anyhow::{Context as _, ensure};
use e2e::on_both_databases;
use serde_json::json;

use super::{PASSWORD, add_user, expect, names};

on_both_databases! {
    fn an_administrator_does_for_a_user_what_the_user_does(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        expect(admin.post("/api/client/", &json!({ "client_id": "app" })), 200)?;
        expect(admin.post("/api/scope/", &json!({ "name": "s1", "display_name": "S" })), 200)?;
        add_user(&mut admin, "ada", &["g_profile", "s1"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;

        expect(admin.put("/api/delegate/ada/profile/", &json!({ "name": "Ada L" })), 200)?;
        ensure!(expect(ada.get("/api/profile"), 200)?.json()?["name"] == "Ada L");
        names(&expect(admin.put("/api/delegate/ada/profile", &json!({ "name": 1 })), 400)?, "name")?;
        expect(admin.put("/api/delegate/ada/auth/grant/app", &json!({ "scope": "s1" })), 200)?;
        let grants = expect(admin.get("/api/delegate/ada/profile/grant"), 200)?.json()?;
        ensure!(grants[0]["client_id"] == "app", "{grants}");
        expect(admin.get("/api/delegate/ada/profile/plugin"), 200)?;
        expect(admin.get("/api/delegate/ada/profile/scheme"), 200)?;

        let sessions = expect(admin.get("/api/delegate/ada/profile/session"), 200)?.json()?;
        let hash = sessions[0]["session_hash"].as_str().context("no session")?;
        expect(admin.delete("/api/delegate/ada/profile/session/none"), 404)?;
        expect(admin.delete(&format!("/api/delegate/ada/profile/session/{hash}")), 200)?;
        expect(ada.get("/api/profile_list"), 401)?;
        for (method, path) in [
            ("PUT", "profile"), ("GET", "profile/session"), ("GET", "profile/plugin"),
            ("GET", "profile/grant"), ("GET", "profile/scheme"), ("DELETE", "profile/session/x"),
            ("PUT", "auth/grant/app"), ("PUT", "profile/scheme/register"),
            ("POST", "profile/scheme/register"),
        ] {
            let path = format!("/api/delegate/nobody/{path}");
            expect(admin.ask(method, &path, Some(&json!({ "scope": "s1" }))), 404)?;
        }
        Ok(())
    }

    fn nobody_else_does(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ada", &["g_profile"])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        for mut who in [ada, supervisor.client()] {
            for (method, path) in [
                ("PUT", "profile"), ("GET", "profile/session"), ("GET", "profile/plugin"),
                ("GET", "profile/grant"), ("GET", "profile/scheme"), ("DELETE", "profile/session/x"),
                ("PUT", "auth/grant/app"), ("PUT", "profile/scheme/register"),
                ("POST", "profile/scheme/register"),
            ] {
                let path = format!("/api/delegate/admin/{path}");
                expect(who.ask(method, &path, Some(&json!({ "name": "x" }))), 401)?;
            }
        }
        Ok(())
    }
}
