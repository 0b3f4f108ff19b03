//! Passwords: who is let in by one, who is not, and how often anybody may try.

use std::thread;

use anyhow::{Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::Supervisor;
use serde_json::{Value, json};

use super::{CHEAP, GRANTED, MOCK, Said, ask_for, call, done, names, prepare, refused};

fn try_password(supervisor: &Supervisor<'_>, username: &str, password: &str) -> Result<Said> {
    call(supervisor, "users.check", &json!({ "username": username, "password": password }))
}

/// Ten thousand wrong passwords of one user, many at a time: how many were looked at, and how many were not.
fn guess(supervisor: &Supervisor<'_>) -> Result<(usize, usize)> {
    let guess = || {
        let (mut looked_at, mut limited) = (0, 0);
        for _ in 0..1250 {
            match try_password(supervisor, "ada", "wrong password")? {
                Said::No { kind, .. } if kind == "Refused" => looked_at += 1,
                Said::No { kind, .. } if kind == "Limit" => limited += 1,
                other => anyhow::bail!("{other:?}"),
            }
        }
        Ok((looked_at, limited))
    };
    thread::scope(|scope| {
        let guesses: Vec<_> = (0..8).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().try_fold((0, 0), |(looked_at, limited), guess| {
            let (more, less) = guess.join().expect("a thread of the test panicked")?;
            Ok((looked_at + more, limited + less))
        })
    })
}

on_both_databases! {
    fn a_password_is_right_or_wrong_and_can_be_replaced(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let user = json!({ "username": "Ada", "password": "correct horse", "scopes": ["g_profile", "other"] });
        done(&supervisor, "users.add", &json!({ "user": user }))?;
        for name in ["Ada", "ada"] {
            let args = json!({ "username": name, "password": "correct horse" });
            let checked = done(&supervisor, "users.check", &args)?;
            ensure!(checked["user"]["username"] == "Ada", "{checked}");
        }
        for wrong in ["", "correct hors", "Correct horse", "correct horse\0", &"x".repeat(5000)] {
            let args = json!({ "username": "ada", "password": wrong });
            refused(&supervisor, "users.check", &args, "Refused")?;
        }
        refused(&supervisor, "users.check", &json!({ "username": "bob", "password": "x" }), "NotFound")?;
        refused(&supervisor, "users.check", &json!({ "username": "bob" }), "NotFound")?;

        let args = json!({ "username": "ada", "password": "battery staple" });
        done(&supervisor, "users.set_password", &args)?;
        done(&supervisor, "users.check", &args)?;
        refused(&supervisor, "users.check", &json!({ "username": "ada", "password": "correct horse" }), "Refused")?;
        for bad in ["", "short", "with a \0 in it"] {
            let args = json!({ "username": "ada", "password": bad });
            let (errors, _) = refused(&supervisor, "users.set_password", &args, "Invalid")?;
            names(&errors, "password")?;
        }
        done(&supervisor, "users.check", &args)?;

        let disabled = json!({ "username": "ada", "user": { "enabled": false } });
        done(&supervisor, "users.set", &disabled)?;
        refused(&supervisor, "users.check", &args, "Refused")?;
        refused(&supervisor, "users.check", &json!({ "username": "ada" }), "Refused")?;
        Ok(())
    }

    fn only_scopes_that_a_password_is_enough_for_are_told(stage) {
        let scheme = "[[instance]]\nname = \"second\"\nplugin = \"mock\"\nkind = \"scheme\"\n";
        prepare(&stage, &format!("{MOCK}{scheme}"))?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let strong = json!({
            "name": "strong", "display_name": "Strong", "description": "", "password_required": true,
            "password_max_age": 0, "scheme_required": { "two": 1 },
            "scheme": { "two": [{ "scheme_type": "mock", "scheme_name": "second" }] },
        });
        let reply = admin.post("/api/scope/", &strong)?;
        ensure!(reply.status == 200, "{}", reply.text());
        let user = json!({ "username": "ada", "password": "correct horse", "scopes": ["g_profile", "strong"] });
        done(&supervisor, "users.add", &json!({ "user": user }))?;
        let check = |scopes: Value| json!({ "username": "ada", "password": "correct horse", "scopes": scopes });
        let args = check(json!(["strong", "g_profile", "g_profile", "g_admin", "nothing"]));
        let checked = done(&supervisor, "users.check", &args)?;
        ensure!(checked["scopes"] == json!(["g_profile"]), "{checked}");
        for scopes in [json!(["strong"]), json!(["g_admin"]), json!(["nothing"])] {
            refused(&supervisor, "users.check", &check(scopes), "Refused")?;
        }
        refused(&supervisor, "users.check", &check(json!(vec!["x"; 101])), "Invalid")?;
        Ok(())
    }

    fn ten_thousand_wrong_passwords_are_a_few(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        for name in ["ada", "bob"] {
            let user = json!({ "username": name, "password": "correct horse" });
            done(&supervisor, "users.add", &json!({ "user": user }))?;
        }
        let (looked_at, limited) = guess(&supervisor)?;
        // Ten at once, and ten in each minute that this takes.
        ensure!((10..60).contains(&looked_at) && limited > 9_000, "{looked_at} {limited}");
        // The right one is not looked at either, but for a try that time may have given back; and nobody else is kept out.
        let is_kept_out = (0..5).any(|_| {
            let _ = try_password(&supervisor, "ada", "wrong password");
            let right = try_password(&supervisor, "ada", "correct horse");
            matches!(right, Ok(Said::No { kind, .. }) if kind == "Limit")
        });
        ensure!(is_kept_out, "the right password is looked at");
        done(&supervisor, "users.check", &json!({ "username": "bob", "password": "correct horse" }))?;
        Ok(())
    }

    fn wrong_passwords_are_counted_for_callbacks_and_the_api_alike(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let user = json!({ "username": "ada", "password": "correct horse" });
        done(&supervisor, "users.add", &json!({ "user": user }))?;
        for _ in 0..10 {
            try_password(&supervisor, "ada", "wrong password")?;
        }
        let body = json!({ "username": "ada", "password": "correct horse" });
        let reply = supervisor.client().post("/api/auth/", &body)?;
        ensure!(reply.status == 429, "{} {}", reply.status, reply.text());
        let wait = reply.header("retry-after").unwrap_or_default();
        ensure!(wait.parse::<u32>().is_ok_and(|wait| (1..=60).contains(&wait)), "{wait:?}");
        Ok(())
    }

    fn a_place_that_guesses_at_many_names_is_held_back(stage) {
        ask_for(&stage, GRANTED)?;
        stage.configure(&format!(
            "[login]\nattempts_address = 20\n{CHEAP}[[plugin]]\nname = \"mock\"\ngrants.callbacks = {GRANTED}\n{MOCK}"
        ))?;
        let supervisor = stage.serve()?;
        let mut held_back = 0;
        for at in 0..100 {
            let body = json!({ "username": format!("user{at}"), "password": "wrong password" });
            let reply = supervisor.client().post("/api/auth/", &body)?;
            ensure!(matches!(reply.status, 401 | 429), "{} {}", reply.status, reply.text());
            held_back += usize::from(reply.status == 429);
        }
        ensure!((60..=80).contains(&held_back), "{held_back}");
        Ok(())
    }

    fn old_forms_are_taken_and_replaced_when_their_owner_comes(stage) {
        prepare(&stage, MOCK)?;
        let import = "[[user]]\nusername = \"ada\"\npassword_hash = \"{SSHA256}4c1Mdluf8OEKR1D2RhJJnlII7DyG9bX7CHWeYtbcAMNhYmNkZWZnaGlqa2xtbm9w\"\n";
        let supervisor = stage.serve()?;
        let path = stage.write("import.toml", import, 0o644)?;
        let imported = supervisor.command(&["import", &path.to_string_lossy()])?;
        ensure!(imported.code == 0, "{imported:?}");
        refused(&supervisor, "users.check", &json!({ "username": "ada", "password": "Secret" }), "Refused")?;
        for _ in 0..2 {
            done(&supervisor, "users.check", &json!({ "username": "ada", "password": "secret" }))?;
        }
        Ok(())
    }
}

/// What is written down of a password never shows it.
#[test]
fn no_password_is_in_a_log_or_in_the_database() -> Result<()> {
    let stage = e2e::supervisor::stage::Stage::new()?;
    prepare(&stage, MOCK)?;
    let mut supervisor = stage.serve()?;
    let user = json!({ "username": "ada", "password": "Pa55w0rd-of-Ada" });
    done(&supervisor, "users.add", &json!({ "user": user }))?;
    done(&supervisor, "users.check", &json!({ "username": "ada", "password": "Pa55w0rd-of-Ada" }))?;
    try_password(&supervisor, "ada", "Pa55w0rd-of-Bob")?;
    supervisor.stop()?;
    let log = supervisor.log.all().join("\n");
    ensure!(!log.contains("Pa55w0rd"), "a password is in the log");
    let first = supervisor.first_password()?;
    ensure!(first.len() == 20 && !log.contains(&first), "the first password is in the log");
    for entry in std::fs::read_dir(stage.data())? {
        let path = entry?.path();
        if path.is_file() {
            let bytes = std::fs::read(&path)?;
            let has =
                |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            ensure!(!has("Pa55w0rd") && !has(&first), "a password is in {}", path.display());
        }
    }
    Ok(())
}
