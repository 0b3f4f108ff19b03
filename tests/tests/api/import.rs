//! `outboard import FILE`: all of it, all mistakes at once, and again without harm.

use anyhow::ensure;
use e2e::on_both_databases;
use e2e::supervisor::stage::Done;
use serde_json::json;

use crate::expect;

const FILE: &str = r#"
[[scheme]]
module = "mock"
name = "m1"
display_name = "M1"
expiration = 600
parameters = { "mock-value" = "42" }

[[scope]]
name = "s1"
display_name = "One"
scheme = { "0" = [{ scheme_type = "mock", scheme_name = "m1" }] }
scheme_required = { "0" = 1 }

[[client]]
client_id = "app"
redirect_uri = ["https://example.com/cb"]

[[user]]
username = "ada"
password = "a password of users"
scope = ["g_profile", "s1"]
phone = "1"

# As Glewlwyd has it: "password" and a salt, hashed by SHA-256.
[[user]]
username = "old"
password_hash = "{SSHA256}qd7IuOWq547AnVslAFOt5bURGG1ZGVJmEWTfLKQZ8j5zYWx0c2FsdHNhbHRzYWx0"
scope = ["g_profile"]

[[plugin]]
module = "mock"
name = "glwd"
parameters = { greeting = "Hi" }

[[plugin]]
module = "mock"
name = "idle"
enabled = false
parameters = {}
"#;

on_both_databases! {
    fn a_file_is_loaded_once_and_again(stage) {
        stage.install("mock")?;
        stage.write("people.toml", FILE, 0o600)?;
        let supervisor = stage.serve()?;
        let done = supervisor.command(&["import", "people.toml"])?;
        ensure!(done.code == 0 && done.stdout.contains("7 added, 0 changed"), "{done:?}");
        let mut admin = supervisor.admin()?;
        let ada = expect(admin.get("/api/user/ada"), 200)?.json()?;
        ensure!(ada["phone"] == "1" && ada["scope"] == json!(["g_profile", "s1"]), "{ada}");
        supervisor.client().sign_in("ada", crate::PASSWORD)?;
        supervisor.client().sign_in("old", "password")?;
        let scope = expect(admin.get("/api/scope/s1"), 200)?.json()?;
        ensure!(scope["scheme"]["0"][0]["scheme_name"] == "m1", "{scope}");
        ensure!(expect(admin.get("/api/mod/scheme/m1"), 200)?.json()?["expiration"] == 600);
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Hi, you"));
        ensure!(supervisor.get("/api/idle/hello/you")?.status == 404);
        ensure!(expect(admin.get("/api/client/app"), 200)?.json()?["redirect_uri"].is_array());

        stage.write("people.toml", FILE.replace("\"Hi\"", "\"Servus\""), 0o600)?;
        let done = supervisor.command(&["import", "people.toml"])?;
        ensure!(done.code == 0 && done.stdout.contains("0 added, 7 changed"), "{done:?}");
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Servus, you"));
        let list = expect(admin.get("/api/user/"), 200)?.json()?;
        ensure!(list.as_array().map(Vec::len) == Some(3), "{list}");
        Ok(())
    }

    fn a_file_with_mistakes_changes_nothing_and_tells_them_all(stage) {
        stage.install("mock")?;
        let document = json!({
            "users": [],
            "user": [{ "username": "ada", "email": 1 }, { "username": "bea" }, { "username": "BEA" }],
            "client": [{ "client_id": "a b" }],
            "scope": [{ "name": "s1", "display_name": "S", "scheme": { "0": [{ "scheme_name": "none" }] } }],
            "plugin": [{ "module": "mock", "name": "user", "parameters": {} }],
        });
        stage.write("bad.json", document.to_string(), 0o600)?;
        let later = json!({
            "user": [{ "username": "bea", "password": "short" }],
            "scope": [{ "name": "s1", "display_name": "S", "scheme": { "0": [{ "scheme_name": "none" }] } }],
            "plugin": [{ "module": "none", "name": "glwd", "parameters": {} }],
        });
        stage.write("later.json", later.to_string(), 0o600)?;
        stage.write("broken.json", "{", 0o600)?;
        stage.write("broken.toml", "[[user", 0o600)?;
        let supervisor = stage.serve()?;
        let told = |file: &str, words: &[&str]| -> anyhow::Result<()> {
            let done: Done = supervisor.command(&["import", file])?;
            ensure!(done.code == 1 && done.stderr.contains(file), "{done:?}");
            ensure!(words.iter().all(|word| done.stderr.contains(word)), "{words:?}: {done:?}");
            Ok(())
        };
        told("bad.json", &["users:", "user 1 (ada): email", "twice", "client 1 (a b): client_id", "plugin 1 (user): name"])?;
        told("later.json", &["user 1 (bea): password", "scope 1 (s1): scheme", "plugin 1 (glwd): module"])?;
        told("broken.json", &["no JSON"])?;
        told("broken.toml", &["no TOML"])?;
        told("missing.json", &["can be read"])?;
        let mut admin = supervisor.admin()?;
        let list = expect(admin.get("/api/user/"), 200)?.json()?;
        ensure!(list.as_array().map(Vec::len) == Some(1), "{list}");
        expect(admin.get("/api/scope/s1"), 404)?;

        // What only the plugins can say: they are asked before.
        let refused = json!({
            "user": [{ "username": "ada" }],
            "scheme": [{ "module": "mock", "name": "m1", "parameters": { "greeting": 1 } }],
            "plugin": [
                { "module": "mock", "name": "good", "parameters": {} },
                { "module": "mock", "name": "glwd", "parameters": { "error": true } },
                { "module": "mock", "name": "safe", "parameters": { "greeting": { "secret": "none" } } },
            ],
        });
        stage.write("refused.json", refused.to_string(), 0o600)?;
        told("refused.json", &["scheme 1 (m1): ", "greeting", "plugin 2 (glwd): parameter /error: ", "plugin 3 (safe): "])?;
        let again = supervisor.command(&["import", "refused.json"])?;
        ensure!(!again.stderr.contains("plugin 1 (good)") && !again.stderr.contains("stopped"), "{again:?}");
        expect(admin.get("/api/user/ada"), 404)?;
        for place in ["scheme/m1", "plugin/good", "plugin/glwd", "plugin/safe"] {
            expect(admin.get(&format!("/api/mod/{place}")), 404)?;
        }
        Ok(())
    }

    fn a_change_that_the_plugin_refuses_changes_nothing_and_one_that_is_disabled_may_be_wrong(stage) {
        stage.install("mock")?;
        stage.write("people.toml", FILE, 0o600)?;
        let supervisor = stage.serve()?;
        ensure!(supervisor.command(&["import", "people.toml"])?.code == 0);
        let wrong = FILE.replace("{ greeting = \"Hi\" }", "{ error = true }").replace("phone = \"1\"", "phone = \"2\"");
        stage.write("people.toml", &wrong, 0o600)?;
        let done = supervisor.command(&["import", "people.toml"])?;
        ensure!(done.code == 1 && done.stderr.contains("plugin 1 (glwd): parameter /error: "), "{done:?}");
        let mut admin = supervisor.admin()?;
        ensure!(expect(admin.get("/api/user/ada"), 200)?.json()?["phone"] == "1");
        let shown = expect(admin.get("/api/mod/plugin/glwd"), 200)?.json()?;
        ensure!(shown["parameters"] == json!({ "greeting": "Hi" }), "{shown}");
        ensure!(supervisor.get("/api/glwd/hello/you")?.text().contains("Hi, you"));

        let disabled = wrong.replace("name = \"glwd\"\n", "name = \"glwd\"\nenabled = false\n");
        stage.write("people.toml", disabled, 0o600)?;
        let done = supervisor.command(&["import", "people.toml"])?;
        ensure!(done.code == 0, "{done:?}");
        ensure!(supervisor.get("/api/glwd/hello/you")?.status == 404);
        Ok(())
    }

    fn without_a_supervisor_nothing_is_loaded(stage) {
        stage.write("people.json", "{}", 0o600)?;
        let done = stage.command(&["import", "people.json"])?;
        ensure!(done.code == 1 && done.stderr.contains("outboard serve"), "{done:?}");
        Ok(())
    }
}
