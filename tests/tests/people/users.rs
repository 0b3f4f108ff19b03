//! `users.*`: each call of the host's service, and what it makes of bad input.

use std::thread;

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use serde_json::{Value, json};

use super::{MOCK, Said, ask_for, call, configure, done, listed, names, prepare, refused};

on_both_databases! {
    fn a_plugin_adds_sees_changes_and_deletes_a_user(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let ada = json!({
            "username": "Ada", "name": "Ada L", "email": "ada@example.org", "scopes": ["g_profile"],
            "password": "correct horse", "properties": { "phone": "1", "tags": ["a", "b"] },
        });
        let added = done(&supervisor, "users.add", &json!({ "user": ada }))?;
        for field in ["username", "name", "email", "scopes", "properties"] {
            ensure!(added[field] == ada[field], "{field}: {added}");
        }
        ensure!(added["enabled"] == true && added["source"] == "database", "{added}");
        ensure!(added["passwords"] == 1, "{added}");
        let id = added["id"].as_str().unwrap_or_default().to_owned();
        ensure!(id.len() == 36, "{added}");

        // However the name is written.
        for name in ["ada", "ADA", "\u{ff21}da"] {
            let got = done(&supervisor, "users.get", &json!({ "username": name }))?;
            ensure!(got["id"] == id.as_str() && got["username"] == "Ada", "{name}: {got}");
        }
        let profile = done(&supervisor, "users.profile", &json!({ "username": "ada" }))?;
        ensure!(profile["source"] == "" && profile["email"] == "ada@example.org", "{profile}");
        ensure!(done(&supervisor, "users.get", &json!({ "username": "bob" }))? == Value::Null);

        let change = json!({ "name": "", "enabled": false, "properties": { "phone": null, "city": "London" } });
        let changed = done(&supervisor, "users.set", &json!({ "username": "ADA", "user": change }))?;
        ensure!(changed["name"] == Value::Null && changed["enabled"] == false, "{changed}");
        ensure!(changed["properties"] == json!({ "tags": ["a", "b"], "city": "London" }), "{changed}");
        ensure!(changed["email"] == "ada@example.org" && changed["scopes"] == json!(["g_profile"]), "{changed}");
        ensure!(changed["id"] == id.as_str() && changed["username"] == "Ada", "{changed}");

        done(&supervisor, "users.delete", &json!({ "username": "ada" }))?;
        ensure!(done(&supervisor, "users.get", &json!({ "username": "ada" }))? == Value::Null);
        for name in ["users.set", "users.delete", "users.set_password"] {
            let args = json!({ "username": "ada", "user": {}, "password": "correct horse" });
            refused(&supervisor, name, &args, "NotFound")?;
        }
        // The name is free, and whoever has it now is somebody else.
        let again = done(&supervisor, "users.add", &json!({ "user": ada }))?;
        ensure!(again["id"] != id.as_str(), "{again}");
        Ok(())
    }

    fn users_are_listed_by_name_and_in_parts(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        for name in ["dave", "Bea", "carl", "ada"] {
            let user = json!({ "username": name, "email": format!("{name}@example.org") });
            done(&supervisor, "users.add", &json!({ "user": user }))?;
        }
        let list = |args: Value| -> Result<Vec<String>> {
            Ok(listed(&done(&supervisor, "users.list", &args)?, "username"))
        };
        ensure!(list(json!({}))? == ["ada", "admin", "Bea", "carl", "dave"]);
        ensure!(list(json!({ "limit": 2, "offset": 1 }))? == ["admin", "Bea"]);
        ensure!(list(json!({ "pattern": "EA" }))? == ["Bea"]);
        ensure!(list(json!({ "pattern": "carl@example" }))? == ["carl"]);
        ensure!(list(json!({ "offset": 99 }))?.is_empty());
        for nothing in ["%", "_", "' OR '1'='1", "\\", "nobody", "a\0b"] {
            ensure!(list(json!({ "pattern": nothing }))?.is_empty(), "{nothing}");
        }
        refused(&supervisor, "users.list", &json!({ "pattern": "x".repeat(257) }), "Invalid")?;
        Ok(())
    }

    fn what_is_wrong_with_a_user_is_told_by_field_and_nothing_is_written(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        done(&supervisor, "users.add", &json!({ "user": { "username": "ada", "name": "Ada" } }))?;
        let large = "x".repeat(1 << 20);
        for (field, user) in [
            ("username", json!({})),
            ("username", json!({ "username": "" })),
            ("username", json!({ "username": "a b" })),
            ("username", json!({ "username": "a\r\nSet-Cookie: x" })),
            ("username", json!({ "username": "x".repeat(129) })),
            ("username", json!({ "username": "\u{430}dmin" })),
            ("username", json!({ "username": "\u{430}\u{440}\u{440}\u{4cf}\u{435}" })),
            ("username", json!({ "username": "ad\u{200d}a" })),
            ("name", json!({ "username": "bob", "name": "n".repeat(257) })),
            ("name", json!({ "username": "bob", "name": "a\nb" })),
            ("email", json!({ "username": "bob", "email": "e".repeat(513) })),
            ("scope", json!({ "username": "bob", "scopes": [""] })),
            ("scope", json!({ "username": "bob", "scopes": ["a b"] })),
            ("password", json!({ "username": "bob", "password": "short" })),
            ("password", json!({ "username": "bob", "password": "long enough\0" })),
            ("password", json!({ "username": "bob", "password": "x".repeat(1025) })),
            ("phone", json!({ "username": "bob", "properties": { "phone": 1 } })),
            ("phone", json!({ "username": "bob", "properties": { "phone": ["a", {}] } })),
            ("enabled", json!({ "username": "bob", "properties": { "enabled": "no" } })),
            ("properties", json!({ "username": "bob", "properties": { "large": large } })),
        ] {
            let args = json!({ "user": user });
            let (errors, message) = refused(&supervisor, "users.add", &args, "Invalid")?;
            names(&errors, field)?;
            ensure!(!message.contains("long enough"), "a password is quoted: {message}");
            let judged = done(&supervisor, "users.validate", &args)?;
            ensure!(judged == json!(errors), "{judged}");
            if field != "username" {
                let args = json!({ "username": "ada", "user": user });
                let judged = done(&supervisor, "users.validate", &args)?;
                ensure!(judged == json!(errors), "{judged}");
                if field != "password" {
                    names(&refused(&supervisor, "users.set", &args, "Invalid")?.0, field)?;
                }
            }
        }
        ensure!(done(&supervisor, "users.get", &json!({ "username": "bob" }))? == Value::Null);
        let ada = done(&supervisor, "users.get", &json!({ "username": "ada" }))?;
        ensure!(ada["name"] == "Ada" && ada["properties"] == json!({}), "{ada}");

        // Several at once, all told.
        let user = json!({ "username": "a b", "email": "e".repeat(513), "password": "x", "properties": { "p": 1 } });
        let (errors, _) = refused(&supervisor, "users.add", &json!({ "user": user }), "Invalid")?;
        ensure!(errors.len() == 4, "{errors:?}");
        for field in ["username", "email", "password", "p"] {
            names(&errors, field)?;
        }
        Ok(())
    }

    fn a_name_is_one_users_however_it_is_written(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        done(&supervisor, "users.add", &json!({ "user": { "username": "jos\u{e9}" } }))?;
        for name in ["jos\u{e9}", "JOS\u{c9}", "jose\u{301}", "\u{ff4a}os\u{e9}"] {
            let args = json!({ "user": { "username": name } });
            let (errors, _) = refused(&supervisor, "users.add", &args, "Conflict")?;
            names(&errors, "username")?;
            names(&serde_json::from_value::<Vec<String>>(done(&supervisor, "users.validate", &args)?)?, "username")?;
        }
        done(&supervisor, "users.add", &json!({ "user": { "username": "jose" } }))?;
        Ok(())
    }

    fn what_looks_like_sql_is_text(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let text = "'); DROP TABLE account; --{{7*7}}${x}<script>";
        let user = json!({
            "username": "o'brien\";--", "name": text, "properties": { "note": text, text: text },
        });
        let added = done(&supervisor, "users.add", &json!({ "user": user }))?;
        ensure!(added["name"] == text && added["properties"][text] == text, "{added}");
        let got = done(&supervisor, "users.get", &json!({ "username": "o'brien\";--" }))?;
        ensure!(got == added, "{got}");
        let found = done(&supervisor, "users.list", &json!({ "pattern": "DROP TABLE" }))?;
        ensure!(listed(&found, "username") == ["o'brien\";--"], "{found}");
        done(&supervisor, "users.delete", &json!({ "username": "o'brien\";--" }))?;
        Ok(())
    }

    fn two_who_change_one_user_both_count(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        done(&supervisor, "users.add", &json!({ "user": { "username": "ada" } }))?;
        let supervisor = &supervisor;
        thread::scope(|scope| {
            let change = |at: usize| {
                let name = format!("p{at}");
                let user = json!({ "properties": { name: at.to_string() } });
                call(supervisor, "users.set", &json!({ "username": "ada", "user": user }))
            };
            let changes: Vec<_> = (0..8).map(|at| scope.spawn(move || change(at))).collect();
            let mut counted = 0;
            for change in changes {
                match change.join().expect("a thread of the test panicked")? {
                    Said::Yes(_) => counted += 1,
                    Said::No { kind, .. } => ensure!(kind == "Conflict", "{kind}"),
                }
            }
            let ada = done(supervisor, "users.get", &json!({ "username": "ada" }))?;
            let kept = ada["properties"].as_object().map_or(0, serde_json::Map::len);
            ensure!(counted > 0 && kept == counted, "{counted} were told that they did, {kept} are there");
            Ok(())
        })
    }

    fn only_one_of_many_who_add_a_name_has_it(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let supervisor = &supervisor;
        let added = thread::scope(|scope| {
            let add = |at: usize| {
                let name = if at.is_multiple_of(2) { "ada" } else { "ADA" };
                call(supervisor, "users.add", &json!({ "user": { "username": name } }))
            };
            let adds: Vec<_> = (0..8).map(|at| scope.spawn(move || add(at))).collect();
            let ended = adds.into_iter().map(|add| add.join().expect("a thread of the test panicked"));
            ended.collect::<Result<Vec<_>>>()
        })?;
        let winners = added.iter().filter(|said| matches!(said, Said::Yes(_))).count();
        ensure!(winners == 1, "{added:?}");
        let list = done(supervisor, "users.list", &json!({ "pattern": "ada" }))?;
        ensure!(listed(&list, "username").len() == 1, "{list}");
        Ok(())
    }

    fn without_a_grant_every_call_is_denied_with_the_line_to_add(stage) {
        ask_for(&stage, "[\"users.read\"]")?;
        configure(&stage, "[\"users.read\"]", MOCK)?;
        let supervisor = stage.serve()?;
        let args = json!({
            "username": "admin", "user": { "username": "eve" }, "password": "correct horse",
            "client_id": "shop", "client": { "client_id": "shop" }, "scopes": ["x"],
        });
        for name in ["users.list", "users.get", "users.profile", "users.validate"] {
            done(&supervisor, name, &args)?;
        }
        for (group, calls) in [
            ("users.check", &["users.check"][..]),
            ("users.write", &["users.add", "users.set", "users.set_password", "users.delete"]),
            ("clients.read", &["clients.list", "clients.get", "clients.validate", "clients.granted_scopes"]),
            ("clients.check", &["clients.check"]),
            ("clients.write", &["clients.add", "clients.set", "clients.delete"]),
        ] {
            for name in calls {
                let (_, message) = refused(&supervisor, name, &args, "Denied")?;
                for words in ["grants.callbacks", group, "outboard plugin grant mock"] {
                    ensure!(message.contains(words), "{name}: {message}");
                }
            }
        }
        ensure!(done(&supervisor, "users.get", &json!({ "username": "eve" }))? == Value::Null);
        Ok(())
    }
}
