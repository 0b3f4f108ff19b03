//! Users and clients, as a plugin with the grants reads and changes them.

use super::*;

/// All that a plugin could send and must not.
const HOSTILE: [&str; 8] = [
    "",
    " ",
    "a\r\nset-cookie: x=y",
    "a\0b",
    "'; DROP TABLE account; --",
    "раура1", // Cyrillic that looks like Latin
    "\u{202e}nimda",
    "../../etc/passwd",
];

e2e::on_both_databases! {
    fn users_are_read_and_changed(stage) {
        grant(&stage, &["users.read", "users.check", "users.write"])?;
        let supervisor = stage.serve()?;
        let mut client = supervisor.client();
        let ann = json!({ "user": {
            "username": "Ann", "name": "Ann Example", "email": "ann@example.org", "scopes": ["g_profile"],
            "properties": { "shoe": "38", "tags": ["a", "b"] }, "password": "first password",
        } });
        ensure!(call(&mut client, "users.validate", &ann)? == json!([]));
        let added = call(&mut client, "users.add", &ann)?;
        ensure!(added["username"] == "Ann" && added["source"] == "database", "{added}");
        ensure!(added["enabled"] == true && added["passwords"] == 1, "{added}");
        ensure!(added["properties"] == json!({ "shoe": "38", "tags": ["a", "b"] }), "{added}");
        refused(&mut client, "users.add", &ann, "Conflict")?;
        let again = json!({ "user": { "username": "ANN" } });
        refused(&mut client, "users.add", &again, "Conflict")?;

        let got = call(&mut client, "users.get", &json!({ "username": "ann" }))?;
        ensure!(got["id"] == added["id"], "{got}");
        let profile = call(&mut client, "users.profile", &json!({ "username": "ann" }))?;
        ensure!(profile["source"] == "", "{profile}");
        ensure!(call(&mut client, "users.get", &json!({ "username": "bob" }))?.is_null());
        let listed = call(&mut client, "users.list", &json!({ "pattern": "example.org" }))?;
        ensure!(listed.as_array().is_some_and(|all| all.len() == 1), "{listed}");

        let change = json!({ "username": "ann", "user": {
            "name": "Ann Other", "properties": { "shoe": null, "hat": "M" },
        } });
        let changed = call(&mut client, "users.set", &change)?;
        ensure!(changed["name"] == "Ann Other" && changed["email"] == "ann@example.org", "{changed}");
        ensure!(changed["scopes"] == json!(["g_profile"]), "{changed}");
        ensure!(changed["properties"] == json!({ "tags": ["a", "b"], "hat": "M" }), "{changed}");
        refused(&mut client, "users.set", &json!({ "username": "bob", "user": {} }), "NotFound")?;

        let check = |password: &str| json!({ "username": "ann", "password": password, "scopes": ["g_profile"] });
        let checked = call(&mut client, "users.check", &check("first password"))?;
        ensure!(checked["scopes"] == json!(["g_profile"]), "{checked}");
        refused(&mut client, "users.check", &check("wrong"), "Refused")?;
        let new = json!({ "username": "ann", "password": "second password" });
        call(&mut client, "users.set_password", &new)?;
        refused(&mut client, "users.check", &check("first password"), "Refused")?;
        call(&mut client, "users.check", &check("second password"))?;
        let off = json!({ "username": "ann", "user": { "enabled": false } });
        call(&mut client, "users.set", &off)?;
        refused(&mut client, "users.check", &check("second password"), "Refused")?;

        call(&mut client, "users.delete", &json!({ "username": "ann" }))?;
        refused(&mut client, "users.delete", &json!({ "username": "ann" }), "NotFound")?;
        ensure!(call(&mut client, "users.get", &json!({ "username": "ann" }))?.is_null());
        Ok(())
    }

    fn a_user_that_can_not_be_is_told_apart_field_by_field(stage) {
        grant(&stage, &["users.read", "users.write"])?;
        let supervisor = stage.serve()?;
        let mut client = supervisor.client();
        for name in HOSTILE {
            let user = json!({ "user": { "username": name } });
            let lines = call(&mut client, "users.validate", &user)?;
            let answer = called(&mut client, "users.add", &user)?;
            // Some are only odd: what is taken is taken as it is, and nothing else happens.
            if lines == json!([]) {
                ensure!(answer["ok"]["username"] == *name, "{name:?}: {answer}");
                continue;
            }
            let is_named = |line: &Value| line.as_str().is_some_and(|it| it.starts_with("username"));
            ensure!(lines.as_array().is_some_and(|all| all.iter().all(is_named)), "{name:?}: {lines}");
            ensure!(answer["error"]["kind"] == "Invalid", "{name:?}: {answer}");
            ensure!(answer["error"]["problems"] == lines, "{name:?}: {answer}");
        }
        let long = json!({ "user": {
            "username": "x".repeat(129), "name": "x".repeat(257), "email": "x".repeat(513), "scopes": [""],
            "properties": { "odd": { "a": 1 } },
        } });
        let large = json!({ "user": { "username": "xxx", "properties": { "large": "x".repeat(1 << 20) } } });
        for (user, fields) in [(&long, &["username", "name", "email", "scope"][..]), (&large, &["properties"])] {
            let lines = call(&mut client, "users.validate", user)?;
            for field in fields {
                let names = |line: &Value| line.as_str().is_some_and(|it| it.starts_with(field));
                ensure!(lines.as_array().is_some_and(|all| all.iter().any(names)), "{field}: {lines}");
            }
            refused(&mut client, "users.add", user, "Invalid")?;
        }
        ensure!(call(&mut client, "users.list", &json!({ "pattern": "xxx" }))? == json!([]));
        Ok(())
    }

    fn clients_are_read_and_changed(stage) {
        grant(&stage, &["clients.read", "clients.check", "clients.write", "users.write"])?;
        let supervisor = stage.serve()?;
        let mut client = supervisor.client();
        let app = json!({ "client": {
            "client_id": "app", "name": "App", "confidential": true, "scopes": ["g_profile"],
            "properties": { "redirect_uri": ["https://app.example/back"], "client_secret": "hush" },
        } });
        ensure!(call(&mut client, "clients.validate", &app)? == json!([]));
        let added = call(&mut client, "clients.add", &app)?;
        ensure!(added["client_id"] == "app" && added["confidential"] == true, "{added}");
        refused(&mut client, "clients.add", &app, "Conflict")?;
        let id = json!({ "client_id": "app" });
        ensure!(call(&mut client, "clients.get", &id)?["name"] == "App");
        ensure!(call(&mut client, "clients.get", &json!({ "client_id": "APP" }))?.is_null());
        let listed = call(&mut client, "clients.list", &json!({ "pattern": "app" }))?;
        ensure!(listed.as_array().is_some_and(|all| all.len() == 1), "{listed}");

        let check = |secret: &str| json!({ "client_id": "app", "password": secret });
        ensure!(call(&mut client, "clients.check", &check("hush"))?["client_id"] == "app");
        refused(&mut client, "clients.check", &check("loud"), "Refused")?;
        let changed =
            call(&mut client, "clients.set", &json!({ "client_id": "app", "client": { "enabled": false } }))?;
        ensure!(changed["name"] == "App" && changed["enabled"] == false, "{changed}");
        refused(&mut client, "clients.check", &check("hush"), "Refused")?;
        call(&mut client, "clients.set", &json!({ "client_id": "app", "client": { "enabled": true } }))?;

        let granted = |username: &str, scopes: &[&str]| {
            json!({ "client_id": "app", "username": username, "scopes": scopes })
        };
        let all = call(&mut client, "clients.granted_scopes", &granted("admin", &["g_profile", "none"]))?;
        ensure!(all["client_name"] == "App", "{all}");
        let names: Vec<_> = all["scopes"].as_array().into_iter().flatten().map(|it| &it["name"]).collect();
        ensure!(names == ["g_profile"] && all["scopes"][0]["granted"] == false, "{all}");
        refused(&mut client, "clients.granted_scopes", &granted("bob", &["g_profile"]), "NotFound")?;
        refused(&mut client, "clients.granted_scopes", &granted("admin", &[]), "Invalid")?;

        call(&mut client, "clients.delete", &id)?;
        refused(&mut client, "clients.delete", &id, "NotFound")?;
        refused(&mut client, "clients.add", &json!({ "client": { "client_id": "a b\n" } }), "Invalid")?;
        Ok(())
    }
}
