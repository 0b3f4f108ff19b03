//! What an operator sees first.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{
    processes::{self, kill_9},
    stage::{Done, Stage},
};

#[test]
fn a_directory_of_the_users_own_is_served_and_shown_as_a_table() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    let curl = supervisor.table.wait(0, "try: curl ")?;
    let table = supervisor.table.all().join("\n");
    let base = format!("http://{}/api/mock", supervisor.address);
    let echo = format!("*      {base}/echo/*");
    for words in ["mock    0.1.0    serving", "GET    http", &echo] {
        ensure!(table.contains(words), "{words:?} is not in\n{table}");
    }
    ensure!(curl == format!("try: curl {base}/hello/world"), "{curl}");

    let hello = supervisor.get("/api/mock/hello/world")?;
    ensure!((hello.status, hello.text().as_str()) == (200, "Hello, world!\n"), "{hello:?}");
    Ok(())
}

#[test]
fn requests_reach_a_plugin_whole_and_its_answers_come_back() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    let headers = "x-repeated: one\r\nx-repeated: two\r\nx-empty:\r\n";
    let echo = supervisor.request("POST", "/api/mock/echo/a?b=1&b=2&c", headers, "body")?.json()?;
    ensure!(echo["method"] == "POST" && echo["query"] == "b=1&b=2&c" && echo["body"] == "body");
    let headers = echo["headers"].as_array().context("no headers")?;
    let values = |name: &str| -> Vec<_> {
        let of_name = headers.iter().filter(|header| header[0] == name);
        of_name.filter_map(|header| header[1].as_str()).collect()
    };
    ensure!(values("x-repeated") == ["one", "two"] && values("x-empty") == [""], "{echo}");

    ensure!(supervisor.get("/api/mock/status/418")?.status == 418);
    let vault = supervisor.get("/api/mock/vault/gold")?;
    ensure!((vault.status, vault.text().as_str()) == (401, "say the word\n"), "{vault:?}");
    let vault = supervisor.request("GET", "/api/mock/vault/gold", "x-word: sesame\r\n", "")?;
    ensure!(vault.text() == "40 pounds for ali, thief: ali\n", "{vault:?}");
    Ok(())
}

#[test]
fn a_plugin_is_told_where_it_stands_and_changes_its_endpoints_while_it_serves() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;

    let info = supervisor.get("/api/mock/info")?.json()?;
    ensure!(info["plugin"] == "mock" && info["instance"] == "mock", "{info}");
    ensure!(info["base_path"] == "/api/mock/" && info["generation"] == 1, "{info}");
    let pid = supervisor.plugin("mock")?.pid()?;
    ensure!(info["pid"] == pid || info["pid"] == 2, "{info}: neither its number here nor inside");

    ensure!(supervisor.get("/api/mock/live/fish")?.status == 404);
    ensure!(supervisor.request("POST", "/api/mock/live/fish", "", "")?.status == 201);
    ensure!(supervisor.get("/api/mock/live/fish")?.text() == "fish is live\n");
    ensure!(supervisor.request("POST", "/api/mock/live/fish", "", "")?.status == 409);
    ensure!(supervisor.request("DELETE", "/api/mock/live/fish", "", "")?.status == 204);
    ensure!(supervisor.get("/api/mock/live/fish")?.status == 404);
    Ok(())
}

#[test]
fn a_lone_executable_is_served_under_the_name_that_it_gives() -> Result<()> {
    let stage = Stage::new()?;
    let program = fs::read(e2e::places::plugins()?.join("mock/mock"))?;
    stage.write("plugins/any-tool", program, 0o755)?;

    let supervisor = stage.serve()?;

    ensure!(supervisor.get("/api/mock/hello/you")?.text() == "Hello, you!\n");
    ensure!(supervisor.plugin("mock")?.state() == "serving");
    Ok(())
}

#[test]
fn e01_e02_a_plugin_has_the_environment_that_was_promised_and_nothing_else() -> Result<()> {
    let mut stage = Stage::with_mock()?;
    stage.set("TZ", "UTC");
    stage.set("AWS_SECRET_ACCESS_KEY", "not for plugins");
    stage.set("PLUGIN_CLIENT_CERT", "of another host");
    stage.set("PLUGIN_MULTIPLEX_GRPC", "true");
    stage.configure("[[plugin]]\nname = \"mock\"\nenv = { MOCK_EXTRA = \"1\" }\n")?;
    let supervisor = stage.serve()?;

    let names = supervisor.get("/api/mock/env")?.json()?;

    let expected = serde_json::json!([
        "HOME",
        "MOCK_EXTRA",
        "OUTBOARD_HOST_ADDRESS",
        "OUTBOARD_PLUGIN",
        "PATH",
        "PLUGIN_MAX_PORT",
        "PLUGIN_MIN_PORT",
        "PLUGIN_PROTOCOL_VERSIONS",
        "PLUGIN_UNIX_SOCKET_DIR",
        "TMPDIR",
        "TZ",
    ]);
    ensure!(names == expected, "{names}");
    Ok(())
}

#[test]
fn an_empty_directory_of_plugins_is_served_until_there_are_some() -> Result<()> {
    let stage = Stage::new()?;
    let supervisor = stage.serve()?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 404);

    stage.install("mock")?;
    supervisor.reload()?;

    supervisor.serves_after("mock", 0)?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    Ok(())
}

#[test]
fn directories_and_sockets_are_open_to_nobody_who_needs_no_way_in() -> Result<()> {
    let stage = Stage::with_mock()?;
    let supervisor = stage.serve()?;
    let copy = stage.data().join("plugins").join(supervisor.plugin("mock")?.hash());
    let generations = stage.runtime().join("g");
    let generation = fs::read_dir(&generations)?.next().context("no generation")??.path();

    for (path, expected) in [
        (stage.data(), 0o711),
        (stage.data().join("work/mock"), 0o700),
        (copy.clone(), 0o555),
        (copy.join("mock"), 0o555),
        (stage.runtime(), 0o711),
        (stage.runtime().join("control.sock"), 0o600),
        (generation, 0o700),
    ] {
        let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
        ensure!(mode == expected, "{}: {mode:o}, not {expected:o}", path.display());
    }
    Ok(())
}

#[test]
fn a_plugin_runs_as_the_user_that_the_operator_names_if_the_supervisor_may() -> Result<()> {
    let stage = Stage::with_mock()?;
    stage.configure("[[plugin]]\nname = \"mock\"\nuser = \"nobody\"\n")?;
    let supervisor = stage.serve()?;
    let plugin = supervisor.plugin("mock")?;
    if !nix::unistd::geteuid().is_root() {
        ensure!(
            plugin.state() == "failed" && plugin.error().contains("runs as root"),
            "{plugin:?}"
        );
        return Ok(());
    }

    // It speaks to the host, too, which lets in only its own uid.
    ensure!(supervisor.get("/api/mock/info")?.status == 200, "{plugin:?}");
    let status = fs::read_to_string(format!("/proc/{}/status", plugin.pid()?))?;
    let nobody = nix::unistd::User::from_name("nobody")?.context("no user nobody")?.uid;
    let uids = status.lines().find(|line| line.starts_with("Uid:")).context("no uids")?;
    ensure!(uids.split_whitespace().skip(1).all(|uid| uid == nobody.to_string()), "{uids}");

    kill_9(plugin.pid()?)?;
    supervisor.serves_after("mock", 1)?;
    ensure!(supervisor.command(&["plugin", "stop", "mock"])?.code == 0);
    ensure!(supervisor.plugin_processes()?.is_empty());
    Ok(())
}

#[test]
fn a_directory_of_plugins_that_is_missing_ends_the_start_with_the_next_step() -> Result<()> {
    let stage = Stage::new()?;
    fs::remove_dir(stage.root().join("plugins"))?;

    let done = Done::of(&mut stage.serve_command())?;

    // The administrator was made, and whoever starts it again is not told a second time.
    let told: Vec<_> = done.stdout.lines().collect();
    ensure!(done.code == 1 && told.len() == 1, "{done:?}");
    ensure!(told[0].starts_with("first sign-in: "), "{done:?}");
    let directory = stage.root().join("plugins").display().to_string();
    ensure!(done.stderr.contains(&directory) && done.stderr.contains("create it"), "{done:?}");
    let left = processes::within(stage.root())?;
    left.iter().try_for_each(|process| process.wait(Duration::from_secs(1)))
}
