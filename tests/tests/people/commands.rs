//! `outboard user` and `outboard client`, and the first start.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::Supervisor;
use e2e::supervisor::stage::Stage;
use serde_json::{Value, json};

use super::{MOCK, done, prepare, refused};

/// Runs a command with a password on its stdin.
fn with_password(stage: &Stage, arguments: &[&str], password: &str) -> Result<(i32, String)> {
    let mut command = stage.outboard(arguments);
    command.args(["--runtime-dir", "run"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().context("no stdin")?.write_all(format!("{password}\n").as_bytes())?;
    let output = child.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code().unwrap_or(-1), String::from_utf8(said)?))
}

fn run(supervisor: &Supervisor<'_>, arguments: &[&str]) -> Result<String> {
    let done = supervisor.command(arguments)?;
    ensure!(done.code == 0, "{arguments:?}: {done:?}");
    Ok(done.stdout)
}

fn json_of(supervisor: &Supervisor<'_>, arguments: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&run(supervisor, &[arguments, &["--json"]].concat())?)?)
}

on_both_databases! {
    fn operators_add_see_change_and_delete_users(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let add = [
            "user", "add", "ada", "--name", "Ada L", "--email", "ada@example.org", "--scope", "g_profile", "--scope", "x",
            "--property", "phone=1", "--property", "tag=a", "--property", "tag=b", "--password",
        ];
        let (code, said) = with_password(&stage, &add, "correct horse")?;
        ensure!(code == 0 && said.contains("ada@example.org") && !said.contains("correct horse"), "{said}");
        done(&supervisor, "users.check", &json!({ "username": "ada", "password": "correct horse" }))?;
        let shown = json_of(&supervisor, &["user", "show", "ADA"])?;
        ensure!(shown["username"] == "ada" && shown["tag"] == json!(["a", "b"]), "{shown}");
        ensure!(shown["scope"] == json!(["g_profile", "x"]) && shown["id"].is_string(), "{shown}");
        let table = run(&supervisor, &["user", "list"])?;
        ensure!(table.starts_with("USER") && table.contains("ada@example.org"), "{table}");
        let list = json_of(&supervisor, &["user", "list", "ad", "--limit", "1"])?;
        ensure!(list.as_array().is_some_and(|list| list.len() == 1), "{list}");

        run(&supervisor, &["user", "set", "ada", "--name", "", "--disable", "--no-scopes", "--property", "phone"])?;
        let shown = json_of(&supervisor, &["user", "show", "ada"])?;
        ensure!(shown["name"] == Value::Null && shown["enabled"] == false && shown["scope"] == json!([]), "{shown}");
        ensure!(shown.get("phone").is_none() && shown["email"] == "ada@example.org", "{shown}");
        run(&supervisor, &["user", "set", "ada", "--enable"])?;
        let (code, said) = with_password(&stage, &["user", "password", "ada"], "battery staple")?;
        ensure!(code == 0 && !said.contains("battery"), "{said}");
        done(&supervisor, "users.check", &json!({ "username": "ada", "password": "battery staple" }))?;

        let (code, _) = with_password(&stage, &["user", "password", "ada", "--must-change"], "one time only")?;
        ensure!(code == 0 && json_of(&supervisor, &["user", "show", "ada"])?["must_change_password"] == "yes");
        refused(&supervisor, "users.check", &json!({ "username": "ada", "password": "one time only" }), "Refused")?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", "one time only")?;
        ensure!(ada.get("/api/profile/plugin")?.status == 403);
        ensure!(ada.change_password("ada", "one time only", "battery staple")?.status == 200);
        ensure!(ada.get("/api/profile/plugin")?.status == 200);
        done(&supervisor, "users.check", &json!({ "username": "ada", "password": "battery staple" }))?;

        let (code, said) = with_password(&stage, &["user", "password", "ada"], "short")?;
        ensure!(code == 1 && said.contains("password: ") && !said.contains("short"), "{said}");
        let taken = supervisor.command(&["user", "add", "ADA"])?;
        ensure!(taken.code == 1 && taken.stderr.contains("taken"), "{taken:?}");
        let bad = supervisor.command(&["user", "add", "a b"])?;
        ensure!(bad.code == 1 && bad.stderr.contains("username: "), "{bad:?}");
        let unknown = supervisor.command(&["user", "show", "bob"])?;
        ensure!(unknown.code == 1 && unknown.stderr.contains("bob"), "{unknown:?}");

        let deleted = run(&supervisor, &["user", "delete", "ada"])?;
        ensure!(deleted.contains("the name is free"), "{deleted}");
        ensure!(run(&supervisor, &["user", "revocations"])?.contains("knows of every deletion"));
        refused(&supervisor, "users.check", &json!({ "username": "ada" }), "NotFound")?;
        Ok(())
    }

    fn operators_add_see_change_and_delete_clients(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        ensure!(run(&supervisor, &["client", "list"])?.trim() == "no clients");
        let add = ["client", "add", "shop", "--name", "Shop", "--confidential", "true", "--property", "redirect_uri=https://a/",
            "--password"];
        let (code, said) = with_password(&stage, &add, "correct horse")?;
        ensure!(code == 0, "{said}");
        done(&supervisor, "clients.check", &json!({ "client_id": "shop", "password": "correct horse" }))?;
        run(&supervisor, &["client", "set", "shop", "--description", "sells", "--enabled", "false"])?;
        let shown = json_of(&supervisor, &["client", "show", "shop"])?;
        ensure!(shown["description"] == "sells" && shown["enabled"] == false, "{shown}");
        ensure!(shown["confidential"] == true && shown["redirect_uri"] == "https://a/", "{shown}");
        let table = run(&supervisor, &["client", "list"])?;
        ensure!(table.starts_with("CLIENT") && table.contains("shop"), "{table}");
        run(&supervisor, &["client", "delete", "shop"])?;
        let gone = supervisor.command(&["client", "delete", "shop"])?;
        ensure!(gone.code == 1 && gone.stderr.contains("shop"), "{gone:?}");
        Ok(())
    }

    fn a_first_start_makes_one_administrator_and_the_next_makes_none(stage) {
        let first = {
            let mut supervisor = stage.serve()?;
            let first = supervisor.first_password()?;
            let admin = json_of(&supervisor, &["user", "show", "admin"])?;
            ensure!(admin["scope"] == json!(["g_admin", "g_profile"]), "{admin}");
            ensure!(admin["must_change_password"] == "yes", "{admin}");
            supervisor.client().sign_in("admin", &first)?;
            supervisor.stop()?;
            first
        };
        let supervisor = stage.serve()?;
        ensure!(supervisor.table.all().iter().all(|line| !line.contains("first sign-in")));
        supervisor.client().sign_in("admin", &first)?;
        Ok(())
    }
}
