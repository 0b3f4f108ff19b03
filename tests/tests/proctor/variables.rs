//! Proctor's variables: `PROCTOR_AUTH_*` and `PROCTOR_NOTIFICATION_*` name plugins wherever they are, and what is
//! wrong with them ends the start, or is told of the plugin that it concerns, and never opens a door.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, thread};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    places,
    supervisor::{
        processes::kill_9,
        stage::{Done, Stage},
    },
    wait::until,
};
use serde_json::{Value, json};

use crate::{
    people::{ANN, PEOPLE},
    service::Service,
};

const AUTH: [&str; 3] =
    ["PROCTOR_AUTH_ENABLED", "PROCTOR_AUTH_PLUGIN_BINARY", "PROCTOR_AUTH_PLUGIN_EXPORTED"];
const NOTIFICATION: [&str; 2] =
    ["PROCTOR_NOTIFICATION_PLUGIN_BINARY", "PROCTOR_NOTIFICATION_PLUGIN_EXPORTED"];

/// A plugin's directory outside the plugins directory, with a manifest of the test's own.
fn plugin(stage: &Stage, place: &str, program: &str, manifest: &str) -> Result<PathBuf> {
    let source = places::plugins()?.join(program).join(program);
    let to = stage.root().join("elsewhere").join(place);
    fs::create_dir_all(&to)?;
    fs::write(to.join("plugin.toml"), manifest)?;
    fs::copy(source, to.join(program))?;
    fs::set_permissions(to.join(program), fs::Permissions::from_mode(0o755))?;
    Ok(to)
}

/// Mock as an auth plugin that knows the people, as its manifest has it.
fn people(stage: &Stage) -> Result<PathBuf> {
    let parameters = PEOPLE.replace("[instance.parameters.", "[parameters.");
    plugin(stage, "people", "mock", &format!("name = \"mock\"\nauthenticate = true\n{parameters}"))
}

/// Mock as a notifier that writes a journal.
fn notifier(stage: &Stage) -> Result<PathBuf> {
    let journal = journal(stage).display().to_string();
    let manifest = format!(
        "name = \"mock\"\nnotify.types = [\"*\"]\n[parameters]\nnotify.journal = {journal:?}\n"
    );
    plugin(stage, "notifier", "mock", &manifest)
}

fn journal(stage: &Stage) -> PathBuf {
    stage.root().join("journal")
}

fn set(stage: &mut Stage, names: &[&str], values: &[&str]) {
    for (name, value) in names.iter().zip(values) {
        stage.set(name, value);
    }
}

fn shown(path: &std::path::Path) -> String {
    path.display().to_string()
}

/// The supervisor does not start, and says each of these words.
#[track_caller]
fn does_not_start(stage: &Stage, words: &[&str]) -> Result<()> {
    let done = Done::of(&mut stage.serve_command())?;
    ensure!(done.code != 0 && done.stdout.is_empty(), "{done:?}");
    for word in words {
        ensure!(done.stderr.contains(word), "{word:?} is not in {}", done.stderr);
    }
    Ok(())
}

fn is_let_in(stage: &Stage) -> Result<()> {
    let reply = Service::of(stage).authenticate(ANN)?;
    ensure!(reply.status == 200 && reply.json()?["user"]["email"] == ANN.0, "{reply:?}");
    Ok(())
}

/// An event in Proctor's shape, answered when it is on disk.
fn announce(stage: &Stage, id: &str) -> Result<()> {
    let event = json!({
        "type": "EXECUTION_EVENT",
        "user": { "email": ANN.0 },
        "content": { "ExecutionID": id, "JobName": "job", "ImageTag": "", "Args": "{}", "Status": "CREATED" },
    });
    let reply = Service::of(stage).post("/v1/events", &event)?;
    ensure!(reply.status == 202, "{reply:?}");
    Ok(())
}

/// Waits until all of these have been delivered to mock, in whatever order. They go by their subject.
fn is_told(stage: &Stage, ids: &[&str]) -> Result<()> {
    let told = || {
        let text = fs::read_to_string(journal(stage)).unwrap_or_default();
        // The last line may not be whole yet.
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(lines.collect::<Vec<Value>>())
    };
    let is_delivered = |lines: &Vec<Value>, id: &str| {
        lines.iter().any(|it| it["key"] == id && it["outcome"] == "delivered")
    };
    let are_all = |lines: &Vec<Value>| ids.iter().all(|id| is_delivered(lines, id));
    until(told, are_all).with_context(|| format!("not all of {ids:?}")).map(drop)
}

#[test]
fn case_01_02_03_08_the_auth_plugin_is_found_where_the_variables_say() -> Result<()> {
    for is_program in [false, true] {
        let mut stage = Stage::new()?;
        let mut place = people(&stage)?;
        if is_program {
            place.push("mock");
        }
        set(&mut stage, &AUTH, &["true", &shown(&place), "mock"]);
        let supervisor = stage.serve()?;
        ensure!(supervisor.plugin("mock")?.state() == "serving");
        is_let_in(&stage)?;
        let reply = Service::of(&stage).authenticate(ANN.with_token("wrong"))?;
        ensure!(reply.status == 401, "{reply:?}");
    }
    Ok(())
}

#[test]
fn case_03_19_switched_off_the_plugin_is_not_started_and_everybody_passes() -> Result<()> {
    let mut stage = Stage::new()?;
    let place = people(&stage)?;
    set(&mut stage, &AUTH, &["false", &shown(&place), "mock"]);
    let supervisor = stage.serve()?;

    ensure!(supervisor.find("mock")?.is_none_or(|plugin| plugin.state() != "serving"));
    let reply = Service::of(&stage).forward_auth("?groups=ops", "")?;
    ensure!(reply.status == 200, "{reply:?}");
    ensure!(reply.header("Outboard-User-Email").is_none_or(str::is_empty), "{reply:?}");
    let log = supervisor.log.all().join("\n");
    ensure!(log.contains("\"WARN\"") && log.contains("auth.enabled"), "{log}");
    Ok(())
}

#[test]
fn case_04_05_09_every_notification_plugin_is_told() -> Result<()> {
    let mut stage = Stage::new()?;
    let mock = notifier(&stage)?;
    let manifest = fs::read_to_string(places::plugins()?.join("webhook/plugin.toml"))?;
    let webhook = plugin(&stage, "hook", "webhook", &manifest)?;
    let both = format!("{},{}", shown(&webhook), shown(&mock));
    set(&mut stage, &NOTIFICATION, &[&both, "webhook,mock"]);
    let supervisor = stage.serve()?;

    // The webhook has no URL yet, which is its own trouble alone (N3).
    announce(&stage, "1")?;
    is_told(&stage, &["1"])?;
    let list = supervisor.list()?.to_string();
    ensure!(list.contains("webhook") && list.contains("/url"), "{list}");
    Ok(())
}

#[test]
fn case_06_11_a_plugin_that_is_not_there_is_named_and_nobody_passes() -> Result<()> {
    let mut stage = Stage::new()?;
    set(&mut stage, &AUTH, &["true", "/no/such/plugin", "mock"]);
    told_or_refused(&stage, &["/no/such/plugin"])
}

#[test]
fn case_07_12_a_plugin_of_another_name_is_named_with_both_and_nobody_passes() -> Result<()> {
    for name in ["GateAuth", "gate"] {
        let mut stage = Stage::new()?;
        let place = people(&stage)?;
        set(&mut stage, &AUTH, &["true", &shown(&place), name]);
        told_or_refused(&stage, &[name, &shown(&place)])?;
    }
    Ok(())
}

/// Either it does not start, or it does and says so in its log; in no case does anybody get in.
fn told_or_refused(stage: &Stage, words: &[&str]) -> Result<()> {
    let Ok(supervisor) = stage.serve() else { return does_not_start(stage, words) };
    let told = format!("{}{}", supervisor.log.all().join("\n"), supervisor.list()?);
    for word in words {
        ensure!(told.contains(word), "{word:?} is not in {told}");
    }
    let service = Service::of(stage);
    for reply in [service.authenticate(ANN)?, service.forward_auth("", &ANN.headers())?] {
        ensure!(reply.status == 503, "{reply:?}");
    }
    Ok(())
}

#[test]
fn n01_a_plugin_that_is_no_auth_plugin_lets_nobody_in() -> Result<()> {
    let mut stage = Stage::new()?;
    let place = notifier(&stage)?;
    set(&mut stage, &AUTH, &["true", &shown(&place), "mock"]);
    told_or_refused(&stage, &["authenticate"])
}

#[test]
fn n02_lists_of_unequal_length_are_a_mistake() -> Result<()> {
    let mut stage = Stage::new()?;
    set(&mut stage, &NOTIFICATION, &["/a,/b", "one"]);
    does_not_start(&stage, &NOTIFICATION)
}

#[test]
fn n02_one_variable_of_a_pair_is_a_mistake() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.set(NOTIFICATION[0], "/a");
    stage.set(AUTH[1], "/b");
    does_not_start(&stage, &[NOTIFICATION[1], AUTH[2]])
}

#[test]
fn n03_a_notification_plugin_that_is_not_there_costs_the_others_nothing() -> Result<()> {
    let mut stage = Stage::new()?;
    let mock = notifier(&stage)?;
    let both = format!("/no/such/plugin,{}", shown(&mock));
    set(&mut stage, &NOTIFICATION, &[&both, "gone,mock"]);
    let supervisor = stage.serve()?;

    announce(&stage, "1")?;
    is_told(&stage, &["1"])?;
    let told = format!("{}{}", supervisor.log.all().join("\n"), supervisor.list()?);
    ensure!(told.contains("/no/such/plugin"), "{told}");
    Ok(())
}

#[test]
fn n04_n05_a_notifier_that_fails_crashes_or_hangs_costs_whoever_announces_nothing() -> Result<()> {
    let mut stage = Stage::new()?;
    let mock = notifier(&stage)?;
    set(&mut stage, &NOTIFICATION, &[&shown(&mock), "mock"]);
    stage.configure("[events]\ntimeout = \"500ms\"\n")?;
    let _supervisor = stage.serve()?;

    for (id, behaviour) in [
        ("1", json!({ "retry": 1, "retry_after_ms": 10 })),
        ("2", json!({ "crash": 1 })),
        ("3", json!({ "hang": 1 })),
    ] {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/test", "type": "T", "subject": id,
            "data": { "mock": behaviour },
        });
        let kind = "content-type: application/cloudevents+json\r\n";
        let request =
            e2e::supervisor::http::request("POST", "/v1/events", kind, &event.to_string());
        let reply = Service::of(&stage).exchange(&request)?;
        ensure!(reply.status == 202, "{reply:?}");
    }
    announce(&stage, "4")?;
    is_told(&stage, &["1", "2", "3", "4"])
}

#[test]
fn n14_a_typo_never_switches_authentication_off() -> Result<()> {
    for text in ["yes", "on", "flase", "true;", "2"] {
        let mut stage = Stage::new()?;
        let place = people(&stage)?;
        set(&mut stage, &AUTH, &[text, &shown(&place), "mock"]);
        does_not_start(&stage, &AUTH[..1])?;
    }
    Ok(())
}

#[test]
fn n15_blanks_do_not_matter_and_empty_items_are_mistakes() -> Result<()> {
    let mut stage = Stage::new()?;
    let mock = notifier(&stage)?;
    set(&mut stage, &NOTIFICATION, &[&format!("  {} ", shown(&mock)), " mock "]);
    let supervisor = stage.serve()?;
    announce(&stage, "1")?;
    is_told(&stage, &["1"])?;
    drop(supervisor);

    for (binary, exported) in [("/a,,/b", "a,b,c"), (",", "a,b"), ("/a, ", "a,b")] {
        set(&mut stage, &NOTIFICATION, &[binary, exported]);
        does_not_start(&stage, &NOTIFICATION[..1])?;
    }
    Ok(())
}

#[test]
fn both_names_of_the_admin_group_work_and_must_not_differ() -> Result<()> {
    const NAMES: [&str; 2] = ["PROCTOR_AUTH_REQUIRED_ADMIN_GROUP", "PROCTOR_REQUIRED_ADMIN_GROUP"];
    for name in NAMES {
        let mut stage = Stage::new()?;
        let place = people(&stage)?;
        set(&mut stage, &AUTH, &["true", &shown(&place), "mock"]);
        stage.set(name, "ops");
        let _supervisor = stage.serve()?;
        let reply = Service::of(&stage).forward_auth("?admin=1", &ANN.headers())?;
        ensure!(reply.status == 200, "{name}: {reply:?}");
    }
    let mut stage = Stage::new()?;
    set(&mut stage, &NAMES, &["ops", "sales"]);
    does_not_start(&stage, &NAMES)
}

#[test]
fn n19_a_plugin_that_is_lost_or_replaced_is_back_without_a_word() -> Result<()> {
    let mut stage = Stage::new()?;
    let place = people(&stage)?;
    set(&mut stage, &AUTH, &["true", &shown(&place), "mock"]);
    stage.configure("[auth]\ncache_ttl = \"0s\"\n")?;
    let supervisor = stage.serve()?;
    is_let_in(&stage)?;

    kill_9(supervisor.plugin("mock")?.pid()?)?;
    supervisor.serves_after("mock", 1)?;
    until_let_in(&stage, "ann-token")?;

    let manifest = fs::read_to_string(place.join("plugin.toml"))?;
    fs::write(place.join("plugin.toml"), manifest.replace("ann-token", "new-token"))?;
    supervisor.reload()?;
    until_let_in(&stage, "new-token")
}

fn until_let_in(stage: &Stage, token: &'static str) -> Result<()> {
    let ask = || Service::of(stage).authenticate(ANN.with_token(token));
    until(ask, |reply| reply.status == 200).map(drop)
}

#[test]
fn n22_many_first_requests_are_one_question() -> Result<()> {
    let mut stage = Stage::new()?;
    let place = people(&stage)?;
    let manifest = fs::read_to_string(place.join("plugin.toml"))?;
    let slow = "[parameters.auth.behaviour]\ndelay_ms = 300\n";
    fs::write(place.join("plugin.toml"), format!("{manifest}{slow}"))?;
    set(&mut stage, &AUTH, &["true", &shown(&place), "mock"]);
    let supervisor = stage.serve()?;

    let let_in = thread::scope(|scope| {
        let clients: Vec<_> = (0..10).map(|_| scope.spawn(|| is_let_in(&stage))).collect();
        clients.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for client in let_in {
        client.ok().context("a client panicked")??;
    }
    let asked = supervisor.get("/api/mock/asked")?.json()?;
    ensure!(asked["authenticate"] == 1, "{asked}");
    ensure!(supervisor.plugin("mock")?.generation() == 1);
    Ok(())
}
