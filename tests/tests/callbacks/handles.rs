//! A request's handle is good for its plugin while it is answered, and says whose session it is at that moment.

use super::*;

/// The handle of a request that is over when this comes back.
fn handle(client: &mut Client<'_>, instance: &str) -> Result<String> {
    let told = client.get(&format!("/api/{instance}/handle"))?.json()?;
    Ok(told["handle"].as_str().context("no handle")?.to_owned())
}

e2e::on_both_databases! {
    fn a_handle_tells_whose_session_it_is(stage) {
        grant(&stage, &["sessions"])?;
        let supervisor = stage.serve()?;
        let mut nobody = supervisor.client();
        let scopes = json!({ "scopes": ["g_admin", "no_such_scope"] });
        ensure!(call(&mut nobody, "sessions.check", &scopes)? == "nobody");
        ensure!(call(&mut nobody, "sessions.is_satisfied", &scopes)? == false);
        ensure!(call(&mut nobody, "sessions.count_use", &scopes)? == false);
        ensure!(call(&mut nobody, "sessions.last_login", &scopes)?.is_null());
        refused(&mut nobody, "sessions.is_satisfied", &json!({ "scopes": [] }), "Invalid")?;

        let mut admin = supervisor.admin()?;
        let session = call(&mut admin, "sessions.check", &scopes)?;
        ensure!(session["user"]["username"] == "admin", "{session}");
        ensure!(session["user"]["source"] == "", "{session}");
        let states = session["scopes"].as_array().context("no scopes")?;
        ensure!(states.len() == 1, "unknown ones are left out: {session}");
        ensure!(states[0]["name"] == "g_admin" && states[0]["satisfied"] == true, "{session}");
        let known = json!({ "scopes": ["g_admin"] });
        ensure!(call(&mut admin, "sessions.is_satisfied", &known)? == true);
        ensure!(call(&mut admin, "sessions.is_satisfied", &scopes)? == false, "one is unknown");
        ensure!(call(&mut admin, "sessions.count_use", &known)? == true);
        ensure!(call(&mut admin, "sessions.last_login", &known)?.as_u64().is_some_and(|at| at > 0));
        Ok(())
    }

    fn a_handle_ends_with_its_request_and_belongs_to_its_activation(stage) {
        grant(&stage, &["sessions"])?;
        let more = "[[instance]]\nplugin = \"mock\"\nname = \"mock\"\n\n[[instance]]\nplugin = \"mock\"\nname = \"other\"\n";
        configure(&stage, &["sessions"], more)?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let late = handle(&mut admin, "mock")?;
        ensure!(late.len() == 32, "{late}");
        let forged = "0".repeat(32);
        let others = handle(&mut admin, "other")?;
        for stale in [&late, &others, &forged, "", "é", &late.to_uppercase()] {
            let args = json!({ "handle": stale, "scopes": ["g_admin"] });
            for name in ["sessions.check", "sessions.is_satisfied", "sessions.count_use"] {
                let error = refused(&mut admin, name, &args, "Denied")?;
                let message = error["message"].as_str().unwrap_or_default();
                ensure!(stale.is_empty() || !message.contains(stale), "{message}");
            }
        }
        Ok(())
    }

    fn a_log_out_ends_what_a_handle_tells(stage) {
        grant(&stage, &["sessions"])?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let mut late = admin.clone();
        ensure!(call(&mut late, "sessions.check", &json!({}))?["user"]["username"] == "admin");
        ensure!(admin.delete("/api/auth/")?.status == 200);
        // The same cookie, by somebody who has kept it.
        let told = call(&mut late, "sessions.check", &json!({ "scopes": ["g_admin"] }))?;
        ensure!(told == "ended", "{told}");
        ensure!(call(&mut late, "sessions.is_satisfied", &json!({ "scopes": ["g_admin"] }))? == false);
        Ok(())
    }

    fn a_password_that_must_be_changed_satisfies_nothing(stage) {
        grant(&stage, &["sessions", "users.check", "schemes"])?;
        let supervisor = stage.serve()?;
        let first = supervisor.first_password()?;
        let mut admin = supervisor.client();
        admin.sign_in("admin", &first)?;
        let known = json!({ "scopes": ["g_admin"] });
        let password = |password: &str| json!({ "username": "admin", "password": password });
        for _ in 0..2 {
            ensure!(call(&mut admin, "sessions.check", &known)? == "nobody");
            ensure!(call(&mut admin, "sessions.check", &json!({}))? == "nobody");
            ensure!(call(&mut admin, "sessions.is_satisfied", &known)? == false);
            ensure!(call(&mut admin, "sessions.count_use", &known)? == false);
            ensure!(call(&mut admin, "sessions.last_login", &known)?.is_null());
            refused(&mut admin, "schemes.list", &json!({}), "Refused")?;
            refused(&mut admin, "users.check", &password(&first), "Refused")?;
        }
        ensure!(admin.change_password("admin", &first, PASSWORD)?.status == 200);
        ensure!(call(&mut admin, "sessions.check", &known)?["user"]["username"] == "admin");
        ensure!(call(&mut admin, "sessions.is_satisfied", &known)? == true);
        ensure!(call(&mut admin, "sessions.count_use", &known)? == true);
        ensure!(call(&mut admin, "sessions.last_login", &known)?.as_u64().is_some_and(|at| at > 0));
        ensure!(call(&mut admin, "schemes.list", &json!({}))? == json!([]));
        call(&mut admin, "users.check", &password(PASSWORD))?;
        Ok(())
    }

    fn a_plugin_neither_sees_nor_plants_the_session(stage) {
        grant(&stage, &GROUPS)?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let token = admin.cookie.clone().context("not signed in")?;
        let reply = admin.send("GET", "/api/mock/echo/x", "cookie: own=1\r\n", "")?;
        ensure!(reply.status == 200, "{}", reply.text());
        ensure!(!reply.text().contains(&token), "the session is shown: {}", reply.text());
        ensure!(reply.text().contains("own=1"), "{}", reply.text());
        Ok(())
    }
}
