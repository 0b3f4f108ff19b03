//! Who is gone: every instance is told, until it answers, and before it serves again.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use e2e::on_both_databases;
use e2e::supervisor::Supervisor;
use e2e::supervisor::api::Client;
use e2e::supervisor::stage::Stage;
use serde_json::{Value, json};

use super::{GRANTED, MOCK, configure, done, eventually, listed, prepare, refused};

/// What an instance has written down of what it was told.
fn journal(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// An instance with a journal, and more of its parameters.
fn instance(name: &str, journal: &Path, more: &str) -> String {
    format!(
        "[[instance]]\nname = {name:?}\nplugin = \"mock\"\n[instance.parameters.revoke]\njournal = {:?}\n{more}",
        journal.display()
    )
}

fn add(supervisor: &Supervisor<'_>, name: &str) -> Result<String> {
    let user = json!({ "username": name, "password": "correct horse" });
    let added = done(supervisor, "users.add", &json!({ "user": user }))?;
    Ok(added["id"].as_str().context("no id")?.to_owned())
}

/// The instances that have not been told.
fn waiting(supervisor: &Supervisor<'_>) -> Result<Vec<Value>> {
    let listed = supervisor.command(&["user", "revocations", "--json"])?;
    ensure!(listed.code == 0, "{listed:?}");
    let list: Value = serde_json::from_str(&listed.stdout)?;
    Ok(list.as_array().cloned().unwrap_or_default())
}

fn told_once(stage: &Stage, names: &[&str], id: &str) -> Result<()> {
    for name in names {
        let told = journal(&stage.root().join(name));
        ensure!(
            told.len() == 1 && told[0]["id"] == id && told[0]["name"] == "ada",
            "{name}: {told:?}"
        );
        ensure!(
            told[0]["deleted_ms"].as_u64().is_some_and(|ms| ms > 1_700_000_000_000),
            "{told:?}"
        );
    }
    Ok(())
}

on_both_databases! {
    fn every_instance_is_told_and_then_the_name_is_free(stage) {
        let (one, two) = (stage.root().join("one"), stage.root().join("two"));
        let config = format!("{MOCK}{}{}", instance("one", &one, ""), instance("two", &two, ""));
        prepare(&stage, &config)?;
        let supervisor = stage.serve()?;
        let id = add(&supervisor, "ada")?;
        done(&supervisor, "users.delete", &json!({ "username": "ADA" }))?;
        told_once(&stage, &["one", "two"], &id)?;
        ensure!(waiting(&supervisor)?.is_empty());
        ensure!(add(&supervisor, "ada")? != id, "an id is used again");
        Ok(())
    }

    fn an_instance_that_fails_is_told_until_it_answers(stage) {
        let path = stage.root().join("stubborn");
        prepare(&stage, &format!("{MOCK}{}", instance("stubborn", &path, "fail = 2\n")))?;
        let supervisor = stage.serve()?;
        let id = add(&supervisor, "ada")?;
        done(&supervisor, "users.delete", &json!({ "username": "ada" }))?;
        // The user is gone at once; the name is not free.
        ensure!(done(&supervisor, "users.get", &json!({ "username": "ada" }))? == Value::Null);
        let (errors, _) = refused(&supervisor, "users.add", &json!({ "user": { "username": "ada" } }), "Conflict")?;
        ensure!(errors.concat().contains("deleted"), "{errors:?}");
        eventually("told", || Ok(waiting(&supervisor)?.is_empty()))?;
        told_once(&stage, &["stubborn"], &id)?;
        add(&supervisor, "ada")?;
        Ok(())
    }

    fn an_instance_that_hangs_holds_up_nobody_and_the_operator_may_free_the_name(stage) {
        let path = stage.root().join("quick");
        let hung = "[[instance]]\nname = \"hung\"\nplugin = \"mock\"\nparameters.revoke.trouble = { hang = true }\n";
        prepare(&stage, &format!("{MOCK}{}{hung}", instance("quick", &path, "")))?;
        let supervisor = stage.serve()?;
        let id = add(&supervisor, "ada")?;
        done(&supervisor, "users.delete", &json!({ "username": "ada" }))?;
        told_once(&stage, &["quick"], &id)?;
        let left = waiting(&supervisor)?;
        ensure!(left.len() == 1 && left[0]["instance"] == "hung" && left[0]["user_id"] == id.as_str(), "{left:?}");
        refused(&supervisor, "users.add", &json!({ "user": { "username": "ada" } }), "Conflict")?;
        let forced = supervisor.command(&["user", "delete", "ada", "--force"])?;
        ensure!(forced.code == 0, "{forced:?}");
        ensure!(waiting(&supervisor)?.is_empty());
        add(&supervisor, "ada")?;
        let nobody = supervisor.command(&["user", "delete", "nobody", "--force"])?;
        ensure!(nobody.code == 1 && nobody.stderr.contains("nobody"), "{nobody:?}");
        Ok(())
    }

    fn whoever_did_not_run_is_told_before_it_serves_again(stage) {
        let (path, config) = (stage.root().join("late"), |more: &str| {
            let late = stage.root().join("late");
            format!("{MOCK}{}", instance("late", &late, more))
        });
        prepare(&stage, &config("trouble = { error = true }\n"))?;
        let supervisor = stage.serve()?;
        let id = add(&supervisor, "ada")?;
        done(&supervisor, "users.delete", &json!({ "username": "ada" }))?;
        let left = waiting(&supervisor)?;
        ensure!(left.len() == 1 && left[0]["instance"] == "late", "{left:?}");

        // Disabled, and then enabled again with what still refuses: it must not serve.
        configure(&stage, GRANTED, &config("").replace("plugin = \"mock\"\n[instance.", "plugin = \"mock\"\nenabled = false\n[instance."))?;
        supervisor.reload()?;
        eventually("away", || Ok(supervisor.get("/api/late/revoked")?.status == 404))?;
        ensure!(waiting(&supervisor)?.len() == 1 && journal(&path).is_empty());
        configure(&stage, GRANTED, &config("trouble = { error = true }\n"))?;
        supervisor.reload()?;
        let problem = |supervisor: &Supervisor<'_>| -> Result<String> {
            Ok(supervisor.plugin("mock")?.instance("late").map(ToString::to_string).unwrap_or_default())
        };
        eventually("refused", || Ok(problem(&supervisor)?.contains("RevokeUser failed")))?;
        ensure!(supervisor.get("/api/late/revoked")?.status != 200, "it serves");

        configure(&stage, GRANTED, &config(""))?;
        supervisor.reload()?;
        eventually("serving", || Ok(supervisor.get("/api/late/revoked")?.status == 200))?;
        told_once(&stage, &["late"], &id)?;
        ensure!(waiting(&supervisor)?.is_empty());
        Ok(())
    }

    fn whoever_was_disabled_holds_no_name_and_is_told_before_it_serves_again(stage) {
        let path = stage.root().join("away");
        let config = |enabled: bool, more: &str| {
            let away = instance("away", &stage.root().join("away"), more);
            format!("{MOCK}{}", away.replace("[instance.", &format!("enabled = {enabled}\n[instance.")))
        };
        prepare(&stage, &config(true, ""))?;
        let mut supervisor = stage.serve()?;
        configure(&stage, GRANTED, &config(false, ""))?;
        supervisor.reload()?;
        eventually("away", || Ok(supervisor.get("/api/away/revoked")?.status == 404))?;
        let id = add(&supervisor, "ada")?;
        done(&supervisor, "users.delete", &json!({ "username": "ada" }))?;
        ensure!(waiting(&supervisor)?.is_empty() && journal(&path).is_empty());
        let second = add(&supervisor, "ada")?;

        configure(&stage, GRANTED, &config(true, "trouble = { error = true }\n"))?;
        supervisor.reload()?;
        let refused = || -> Result<bool> {
            let instance = supervisor.plugin("mock")?.instance("away").map(ToString::to_string);
            Ok(instance.is_some_and(|text| text.contains("RevokeUser failed")))
        };
        eventually("refused", refused)?;
        ensure!(supervisor.get("/api/away/revoked")?.status != 200, "it serves");

        // Not even a new start lets it serve before.
        supervisor.stop()?;
        drop(supervisor);
        let supervisor = stage.serve()?;
        ensure!(supervisor.get("/api/away/revoked")?.status != 200, "it serves");
        configure(&stage, GRANTED, &config(true, ""))?;
        supervisor.reload()?;
        eventually("serving", || Ok(supervisor.get("/api/away/revoked")?.status == 200))?;
        told_once(&stage, &["away"], &id)?;

        // It is told once, and the new user of that name is none of it.
        supervisor.command(&["plugin", "restart", "mock"])?;
        eventually("serving", || Ok(supervisor.get("/api/away/revoked")?.status == 200))?;
        told_once(&stage, &["away"], &id)?;
        let found = done(&supervisor, "users.get", &json!({ "username": "ada" }))?;
        ensure!(found["id"] == second.as_str(), "{found}");
        Ok(())
    }

    fn what_an_instance_of_the_database_missed_is_told_or_given_up_or_goes_with_it(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let path = stage.root().join("api");
        let body = |mut revoke: Value| {
            revoke["journal"] = path.display().to_string().into();
            json!({ "module": "mock", "name": "api", "parameters": { "revoke": revoke } })
        };
        let gone = |supervisor: &Supervisor<'_>, name: &str| -> Result<String> {
            let id = add(supervisor, name)?;
            done(supervisor, "users.delete", &json!({ "username": name }))?;
            ensure!(waiting(supervisor)?.is_empty(), "{name} waits");
            Ok(id)
        };
        // One that is only about to go may still be told.
        let disable = |admin: &mut Client<'_>| {
            ensure!(admin.put("/api/mod/plugin/api/disable", &json!({}))?.status == 200);
            eventually("away", || Ok(supervisor.get("/api/api/revoked")?.status == 404))
        };
        let reset = |admin: &mut Client<'_>, more: Value| {
            ensure!(admin.put("/api/mod/plugin/api", &body(more))?.status == 200);
            let reply = admin.put("/api/mod/plugin/api/reset", &json!({}))?;
            ensure!(reply.status == 200, "{reply:?}");
            Ok(())
        };
        let stubborn = || json!({ "fail": 1_000_000 });
        // What was before it began is nothing to it.
        gone(&supervisor, "bob")?;
        ensure!(admin.post("/api/mod/plugin/", &body(stubborn()))?.status == 200);
        disable(&mut admin)?;
        let id = gone(&supervisor, "ada")?;
        let refused = admin.put("/api/mod/plugin/api/enable", &json!({}))?;
        ensure!(refused.status == 400 && refused.text().contains("--give-up api"), "{refused:?}");
        ensure!(supervisor.get("/api/api/revoked")?.status == 404, "it serves");
        reset(&mut admin, json!({}))?;
        told_once(&stage, &["api"], &id)?;

        reset(&mut admin, stubborn())?;
        disable(&mut admin)?;
        gone(&supervisor, "eve")?;
        ensure!(admin.put("/api/mod/plugin/api/enable", &json!({}))?.status == 400);
        let given_up = supervisor.command(&["user", "revocations", "--give-up", "api"])?;
        ensure!(given_up.code == 0, "{given_up:?}");
        reset(&mut admin, json!({}))?;
        told_once(&stage, &["api"], &id)?;
        let nobody = supervisor.command(&["user", "revocations", "--give-up", "nobody"])?;
        ensure!(nobody.code == 1 && nobody.stderr.contains("nobody"), "{nobody:?}");

        // One that is deleted takes what it missed with it; another of its name is a new one.
        disable(&mut admin)?;
        gone(&supervisor, "joe")?;
        ensure!(admin.delete("/api/mod/plugin/api")?.status == 200);
        ensure!(admin.post("/api/mod/plugin/", &body(json!({})))?.status == 200);
        told_once(&stage, &["api"], &id)?;
        Ok(())
    }

    fn what_is_to_be_told_outlives_the_supervisor(stage) {
        let path = stage.root().join("late");
        let config = |more: &str| format!("{MOCK}{}", instance("late", &path, more));
        prepare(&stage, &config("trouble = { hang = true }\n"))?;
        let mut supervisor = stage.serve()?;
        let id = add(&supervisor, "ada")?;
        done(&supervisor, "users.delete", &json!({ "username": "ada" }))?;
        supervisor.stop()?;
        drop(supervisor);
        configure(&stage, GRANTED, &config(""))?;
        let supervisor = stage.serve()?;
        told_once(&stage, &["late"], &id)?;
        ensure!(waiting(&supervisor)?.is_empty());
        ensure!(supervisor.table.all().iter().all(|line| !line.starts_with("first sign-in")));
        Ok(())
    }

    fn sessions_and_consents_go_with_the_user(stage) {
        prepare(&stage, MOCK)?;
        let supervisor = stage.serve()?;
        let user = json!({ "username": "ada", "password": "correct horse", "scopes": ["g_profile"] });
        done(&supervisor, "users.add", &json!({ "user": user }))?;
        let mut ada = supervisor.client();
        ada.sign_in("ada", "correct horse")?;
        ensure!(ada.get("/api/profile_list/")?.status == 200);
        done(&supervisor, "users.delete", &json!({ "username": "ada" }))?;
        ensure!(ada.get("/api/profile_list/")?.status == 401);
        let again = json!({ "username": "ada", "password": "correct horse" });
        done(&supervisor, "users.add", &json!({ "user": again }))?;
        ensure!(ada.get("/api/profile_list/")?.status == 401, "an old session is another's");
        let list = done(&supervisor, "users.list", &json!({}))?;
        ensure!(listed(&list, "username") == ["ada", "admin"], "{list}");
        Ok(())
    }
}

#[test]
fn what_a_supervisor_deletes_that_does_not_know_an_instance_is_told_by_the_one_that_does()
-> Result<()> {
    let stage = Stage::on_postgres()?;
    let path = stage.root().join("there");
    prepare(&stage, &format!("{MOCK}{}", instance("there", &path, "")))?;
    let supervisor = stage.serve()?;
    let id = add(&supervisor, "ada")?;
    let beside = stage.beside()?;
    let other = beside.serve()?;
    let deleted = other.command(&["user", "delete", "ada"])?;
    ensure!(deleted.code == 0 && deleted.stdout.contains("the name is free"), "{deleted:?}");
    eventually("told", || Ok(!journal(&path).is_empty()))?;
    told_once(&stage, &["there"], &id)?;
    Ok(())
}
