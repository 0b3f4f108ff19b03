//! `outboard scope|scheme|session|key`.

use anyhow::{Context as _, Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::Supervisor;
use serde_json::Value;

use super::{people, prepare, signed_in};

/// What a command writes, which must go well.
fn run(supervisor: &Supervisor<'_>, arguments: &[&str]) -> Result<String> {
    let done = supervisor.command(arguments)?;
    ensure!(done.code == 0, "{arguments:?}: {done:?}");
    Ok(done.stdout)
}

fn json(supervisor: &Supervisor<'_>, arguments: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&run(supervisor, arguments)?)?)
}

/// What a command says that must fail.
fn fails(supervisor: &Supervisor<'_>, arguments: &[&str]) -> Result<String> {
    let done = supervisor.command(arguments)?;
    ensure!(done.code == 1, "{arguments:?}: {done:?}");
    Ok(done.stderr)
}

on_both_databases! {
    fn scopes_are_added_changed_shown_and_deleted(stage) {
        prepare(&stage, &[])?;
        let supervisor = stage.serve()?;
        run(&supervisor, &["scope", "add", "mail", "--display-name", "Mail", "--group", "second=code", "--password-max-age", "60"])?;
        let shown = json(&supervisor, &["scope", "show", "mail", "--json"])?;
        ensure!(shown["scheme"]["second"][0]["scheme_name"] == "code" && shown["scheme_required"]["second"] == 1, "{shown}");
        ensure!(shown["scheme"]["second"][0]["scheme_type"] == "mock", "{shown}");
        run(&supervisor, &["scope", "set", "mail", "--password-required", "false", "--description", "d"])?;
        let shown = json(&supervisor, &["scope", "show", "mail", "--json"])?;
        ensure!(shown["display_name"] == "Mail" && shown["description"] == "d", "{shown}");
        ensure!(shown["password_required"] == false && shown["scheme_required"]["second"] == 1, "{shown}");
        let table = run(&supervisor, &["scope", "list"])?;
        ensure!(table.contains("g_admin") && table.contains("second=1 of code"), "{table}");
        ensure!(fails(&supervisor, &["scope", "add", "mail"])?.contains("already"));
        ensure!(fails(&supervisor, &["scope", "add", "two words"])?.contains("name"));
        ensure!(fails(&supervisor, &["scope", "add", "x", "--group", "g=gone"])?.contains("\"gone\""));
        ensure!(fails(&supervisor, &["scope", "set", "gone"])?.contains("gone"));
        run(&supervisor, &["scope", "set", "mail", "--no-groups"])?;
        ensure!(json(&supervisor, &["scope", "show", "mail", "--json"])?["scheme"] == serde_json::json!({}));
        run(&supervisor, &["scope", "delete", "mail"])?;
        ensure!(fails(&supervisor, &["scope", "delete", "mail"])?.contains("`outboard scope list`"));
        // What the host itself goes by stays: without it nobody could do anything by the API any more.
        for (own, key) in [("g_admin", "login.admin_scope"), ("g_profile", "login.profile_scope")] {
            ensure!(fails(&supervisor, &["scope", "delete", own])?.contains(key));
            ensure!(run(&supervisor, &["scope", "list"])?.contains(own));
        }
        Ok(())
    }

    fn schemes_are_listed_and_set(stage) {
        prepare(&stage, &[])?;
        let supervisor = stage.serve()?;
        let listed = json(&supervisor, &["scheme", "list", "--json"])?;
        ensure!(listed.as_array().is_some_and(|all| all.len() == 1) && listed[0]["name"] == "code", "{listed}");
        run(&supervisor, &["scheme", "set", "code", "--expiration", "10m", "--max-use", "3", "--allow-user-register", "false"])?;
        let listed = json(&supervisor, &["scheme", "list", "--json"])?;
        ensure!(listed[0]["expiration"] == 600 && listed[0]["max_use"] == 3, "{listed}");
        ensure!(listed[0]["allow_user_register"] == false && listed[0]["forbid_user_profile"] == false, "{listed}");
        let table = run(&supervisor, &["scheme", "list"])?;
        ensure!(table.contains("10m") && table.contains("A code"), "{table}");
        ensure!(fails(&supervisor, &["scheme", "set", "gone", "--max-use", "1"])?.contains("`outboard scheme list`"));
        Ok(())
    }

    fn sessions_are_listed_and_ended(stage) {
        prepare(&stage, &[])?;
        let supervisor = stage.serve()?;
        people(&mut supervisor.admin()?)?;
        ensure!(run(&supervisor, &["session", "list", "ann"])?.contains("not signed in"));
        let (mut one, mut other) = (signed_in(&supervisor, "ann")?, signed_in(&supervisor, "ann")?);
        let listed = json(&supervisor, &["session", "list", "ANN", "--json"])?;
        ensure!(listed.as_array().is_some_and(|all| all.len() == 2), "{listed}");
        ensure!(listed[0]["methods"] == serde_json::json!(["password"]), "{listed}");
        let cookie = one.cookie.clone().context("no cookie")?;
        ensure!(!listed.to_string().contains(&cookie));
        let hash = listed[0]["session"].as_str().context("no hash")?.to_owned();
        ensure!(run(&supervisor, &["session", "end", "ann", &hash])?.contains("1 session"));
        let open = [one.get("/api/profile_list/")?.status, other.get("/api/profile_list/")?.status];
        ensure!(open.iter().filter(|status| **status == 200).count() == 1, "{open:?}");
        ensure!(fails(&supervisor, &["session", "end", "ann", &hash])?.contains("`outboard session list USER`"));
        ensure!(run(&supervisor, &["session", "end", "ann", "--all"])?.contains("1 session"));
        ensure!(one.get("/api/profile_list/")?.status == 401 && other.get("/api/profile_list/")?.status == 401);
        ensure!(fails(&supervisor, &["session", "list", "nobody"])?.contains("`outboard user list`"));
        ensure!(supervisor.command(&["session", "end", "ann"])?.code == 2);
        Ok(())
    }

    fn keys_are_made_listed_and_disabled(stage) {
        prepare(&stage, &[])?;
        let supervisor = stage.serve()?;
        let key = run(&supervisor, &["key", "create", "--label", "CI"])?.trim().to_owned();
        ensure!(key.len() == 32, "{key}");
        let with = |path: &str| -> Result<u16> {
            let mut client = supervisor.client();
            client.headers = format!("authorization: token {key}\r\n");
            Ok(client.get(path)?.status)
        };
        ensure!(with("/api/user/")? == 200);
        let listed = json(&supervisor, &["key", "list", "--json"])?;
        ensure!(listed[0]["label"] == "CI" && listed[0]["scopes"] == serde_json::json!(["g_admin"]), "{listed}");
        ensure!(!listed.to_string().contains(&key), "a key is shown once");
        ensure!(run(&supervisor, &["key", "list"])?.contains("CI"));
        let hash = listed[0]["hash"].as_str().context("no hash")?.to_owned();
        run(&supervisor, &["key", "disable", &hash])?;
        ensure!(with("/api/user/")? == 401);
        ensure!(fails(&supervisor, &["key", "disable", "gone"])?.contains("`outboard key list`"));
        ensure!(fails(&supervisor, &["key", "create", "--scope", "two words"])?.contains("scope"));
        let made = json(&supervisor, &["key", "create", "--scope", "plain", "--json"])?;
        ensure!(made["key"].as_str().is_some_and(|key| key.len() == 32), "{made}");
        Ok(())
    }
}
