//! A password that must be changed is good for that, and for nothing else.

use anyhow::{Context as _, Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::api::Client;
use e2e::supervisor::http::Reply;
use serde_json::{Value, json};

use super::{PASSWORD, add_user, errors, expect, names};

/// Some of everything that needs a session.
const CLOSED: [(&str, &str); 21] = [
    ("GET", "/api/profile"),
    ("PUT", "/api/profile"),
    ("DELETE", "/api/profile"),
    ("GET", "/api/profile/session"),
    ("DELETE", "/api/profile/session"),
    ("DELETE", "/api/profile/session/x"),
    ("GET", "/api/profile/grant"),
    ("GET", "/api/profile/plugin"),
    ("GET", "/api/profile/scheme"),
    ("POST", "/api/profile/scheme/register"),
    ("GET", "/api/auth/grant/app/g_profile"),
    ("PUT", "/api/auth/grant/app"),
    ("GET", "/api/user"),
    ("POST", "/api/user"),
    ("PUT", "/api/user/admin"),
    ("GET", "/api/client"),
    ("GET", "/api/scope"),
    ("GET", "/api/key"),
    ("POST", "/api/key"),
    ("GET", "/api/mod/plugin"),
    ("GET", "/api/delegate/admin/profile/session"),
];

/// The reason says what to do.
fn is_told_why(reply: &Reply) -> Result<()> {
    let told = errors(reply)?;
    let says = |what: &str| told.iter().any(|line| line.contains(what));
    ensure!(says("must be changed first") && says("PUT /api/profile/password"), "{told:?}");
    Ok(())
}

fn all_is_closed(client: &mut Client<'_>) -> Result<()> {
    let body = json!({ "username": "bob", "name": "Bob", "label": "k", "scope": ["g_admin"] });
    for (method, path) in CLOSED {
        let reply = client.ask(method, path, Some(&body))?;
        ensure!(reply.status == 403, "{method} {path}: {} {}", reply.status, reply.text());
        is_told_why(&reply).with_context(|| format!("{method} {path}"))?;
    }
    Ok(())
}

fn admin_state(client: &mut Client<'_>) -> Result<Value> {
    Ok(expect(client.get("/api/auth/scheme?scope=g_admin"), 200)?.json()?["g_admin"].take())
}

on_both_databases! {
    fn the_printed_password_is_good_for_choosing_another(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let first = supervisor.first_password()?;
        let mut admin = supervisor.client();
        admin.sign_in("admin", &first)?;
        all_is_closed(&mut admin)?;
        let who = expect(admin.get("/api/profile_list"), 200)?.json()?;
        ensure!(who[0]["username"] == "admin" && who[0]["must_change_password"] == "yes", "{who}");
        let state = admin_state(&mut admin)?;
        ensure!(state["available"] == true && state["password_authenticated"] == false, "{state}");

        let mut other = admin.clone();
        names(&expect(admin.change_password("admin", "wrong", PASSWORD), 400)?, "old_password")?;
        names(&expect(admin.change_password("admin", &first, &first), 400)?, "password")?;
        all_is_closed(&mut admin)?;
        expect(admin.change_password("admin", &first, PASSWORD), 200)?;
        let state = admin_state(&mut admin)?;
        ensure!(state["password_authenticated"] == true, "{state}");
        for (method, path) in CLOSED.into_iter().filter(|(method, _)| *method == "GET") {
            let reply = other.ask(method, path, None)?;
            ensure!(matches!(reply.status, 200 | 404), "{method} {path}: {reply:?}");
        }
        expect(supervisor.client().post("/api/auth/", &json!({ "username": "admin", "password": first })), 401)?;
        Ok(())
    }

    fn who_does_not_choose_logs_out(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.client();
        admin.sign_in("admin", &supervisor.first_password()?)?;
        expect(admin.delete("/api/auth/"), 200)?;
        ensure!(admin.cookie.is_none());
        expect(admin.get("/api/profile_list"), 401)?;
        Ok(())
    }

    fn a_session_that_is_open_is_held_back_at_once(stage) {
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        // No scope: who must choose a password may, whatever else.
        add_user(&mut admin, "ada", &[])?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", PASSWORD)?;
        expect(ada.get("/api/profile/plugin"), 200)?;
        let change = json!({ "password": "one time only", "must_change_password": "yes" });
        expect(admin.put("/api/user/ada", &change), 200)?;
        is_told_why(&expect(ada.get("/api/profile/plugin"), 403)?)?;
        let mut again = supervisor.client();
        again.sign_in("ada", "one time only")?;
        is_told_why(&expect(again.get("/api/profile/plugin"), 403)?)?;
        expect(again.change_password("ada", "one time only", "a word of my own"), 200)?;
        expect(again.get("/api/profile/plugin"), 200)?;
        expect(ada.get("/api/profile/plugin"), 200)?;
        Ok(())
    }
}
