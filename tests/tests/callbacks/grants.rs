//! Without the grant, no call of a group does anything, and the author and the operator are told what to do.

use super::*;

/// One call of each method, by the group that it needs.
fn calls() -> Vec<(&'static str, &'static str, Value)> {
    let user = json!({ "username": "ann" });
    let change = json!({ "username": "ann", "user": { "username": "ann" }, "password": "x" });
    let client = json!({ "client_id": "app", "client": { "client_id": "app" }, "username": "ann", "scopes": ["a"] });
    let scheme = json!({ "name": "otp", "data": {} });
    let scopes = json!({ "scopes": ["g_admin"] });
    vec![
        ("sessions", "sessions.check", scopes.clone()),
        ("sessions", "sessions.is_satisfied", scopes.clone()),
        ("sessions", "sessions.count_use", scopes.clone()),
        ("sessions", "sessions.last_login", scopes),
        ("users.read", "users.list", json!({})),
        ("users.read", "users.get", user.clone()),
        ("users.read", "users.profile", user.clone()),
        ("users.read", "users.validate", change.clone()),
        ("users.check", "users.check", user.clone()),
        ("users.write", "users.add", change.clone()),
        ("users.write", "users.set", change.clone()),
        ("users.write", "users.set_password", change),
        ("users.write", "users.delete", user),
        ("clients.read", "clients.list", json!({})),
        ("clients.read", "clients.get", client.clone()),
        ("clients.read", "clients.granted_scopes", client.clone()),
        ("clients.read", "clients.validate", client.clone()),
        ("clients.check", "clients.check", client.clone()),
        ("clients.write", "clients.add", client.clone()),
        ("clients.write", "clients.set", client.clone()),
        ("clients.write", "clients.delete", client),
        ("schemes", "schemes.get", scheme.clone()),
        ("schemes", "schemes.list", scheme.clone()),
        ("schemes", "schemes.register", scheme.clone()),
        ("schemes", "schemes.registration", scheme.clone()),
        ("schemes", "schemes.deregister", scheme.clone()),
        ("schemes", "schemes.can_use", scheme),
    ]
}

/// What is said without a grant names the group, where it is asked for, and how it is given.
fn is_helpful(error: &Value, group: &str) -> Result<()> {
    let message = error["message"].as_str().unwrap_or_default();
    for part in [group, "grants", "outboard plugin grant mock"] {
        ensure!(message.contains(part), "{group}: {message:?} lacks {part:?}");
    }
    Ok(())
}

e2e::on_both_databases! {
    fn without_a_grant_every_group_is_refused(stage) {
        grant(&stage, &[])?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        for (group, name, args) in calls() {
            is_helpful(&refused(&mut admin, name, &args, "Denied")?, group)?;
        }
        let user = admin.get("/api/user/ann")?;
        ensure!(user.status == 404, "something was done: {}", user.text());
        ensure!(admin.get("/api/mock/handle")?.json()?["handle"].is_null(), "a handle for nothing");
        Ok(())
    }

    fn each_group_gives_its_own_calls_and_no_others(stage) {
        for given in ["sessions", "users.read", "clients.check", "schemes"] {
            grant(&stage, &[given])?;
            let supervisor = stage.serve()?;
            let mut client = supervisor.client();
            for (group, name, args) in calls() {
                let answer = called(&mut client, name, &args)?;
                let is_denied = answer["error"]["kind"] == "Denied";
                ensure!(is_denied == (group != given), "{given}: {name}: {answer}");
            }
        }
        Ok(())
    }

    fn another_user_than_the_sessions_needs_a_grant_of_its_own(stage) {
        let args = json!({ "username": "admin", "name": "none" });
        grant(&stage, &["schemes"])?;
        {
            let supervisor = stage.serve()?;
            let mut client = supervisor.client();
            for name in ["schemes.list", "schemes.register", "schemes.can_use"] {
                is_helpful(&refused(&mut client, name, &args, "Denied")?, "schemes.any_user")?;
            }
        }
        grant(&stage, &["schemes", "schemes.any_user"])?;
        let supervisor = stage.serve()?;
        let mut client = supervisor.client();
        ensure!(call(&mut client, "schemes.list", &args)? == json!([]), "a scheme of nobody's");
        refused(&mut client, "schemes.can_use", &args, "NotFound").map(drop)
    }
}
