//! Everything that can be wrong with a plugin, all in one directory, beside a good one.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    places,
    supervisor::{
        Supervisor,
        stage::{Done, Stage},
    },
};

/// What is wrong can't heal by itself: one start, and no more.
const NEVER: u64 = 1;
/// One start and two more, as `max_restarts` says.
const RETRIED: u64 = 3;

/// A plugin, how often it is started, and words for what is wrong and for what to do about it.
struct Bad {
    name: &'static str,
    starts: u64,
    cause: &'static str,
    advice: &'static str,
}

const fn bad(name: &'static str, starts: u64, cause: &'static str, advice: &'static str) -> Bad {
    Bad { name, starts, cause, advice }
}

const ALL: &[Bad] = &[
    bad("not-executable", NEVER, "not executable", "chmod +x"),
    bad("not-executable-command", NEVER, "not executable (mode 0444)", "chmod +x"),
    bad("missing", NEVER, "\"bin/tool\": neither a file of the plugin", "correct `command`"),
    bad("dangling", NEVER, "No such file", "remove the link"),
    bad("directory", NEVER, "a directory without plugin.toml", "add one"),
    bad("directory-command", NEVER, "\"bin\"", "correct `command`"),
    bad("no-program", NEVER, "holds no executable", "chmod +x its program"),
    bad("broken-manifest", NEVER, "plugin.toml:2", "did you mean"),
    bad("leaves", NEVER, "links to /etc/passwd, out of the plugin's directory", "copy the files"),
    bad("twin", NEVER, "have the same name", "rename or remove all but one"),
    bad("text", NEVER, "a text file without a #! line", "begin it with one"),
    bad("empty", NEVER, "it is empty", "install the plugin again"),
    bad("no-interpreter", NEVER, "needs \"/no/such/python\"", "install it"),
    bad("architecture", NEVER, "a program for s390x", "install the plugin's build for"),
    bad("core-version", NEVER, "core protocol version 2", "rebuild the plugin"),
    bad("app-version", NEVER, "application version 7", "install a release of the plugin"),
    bad("network", NEVER, "network \"udp\"", "\"unix\" or \"tcp\""),
    bad("netrpc", NEVER, "\"netrpc\"", "turn on gRPC"),
    bad("tcp", NEVER, "listens on TCP", "set tls = \"required\""),
    bad("cookie", NEVER, "refuses this host's cookie", "[go_plugin] of the manifest"),
    bad("impostor", NEVER, "Load answered the name \"mock\"", "make them equal"),
    bad("exits", RETRIED, "exited with code 3 before its handshake", "no licence"),
    bad("ends", RETRIED, "exited with code 0", "may write to its socket directory"),
    bad("killed", RETRIED, "before its handshake", "run it by hand"),
    bad("log-first", RETRIED, "got \"starting up\"", "send logs to stderr"),
    bad("silent", RETRIED, "no handshake within 300ms", "raise start_timeout"),
    bad("half-a-line", RETRIED, "only \"1|1|unix|\" without a newline", "raise start_timeout"),
    bad("endless-line", RETRIED, "more than 65536 bytes", "send other output to stderr"),
    bad("closed-stdout", RETRIED, "closed its stdout", "check that the program is a plugin"),
    bad("certificate", RETRIED, "(field 6) of the handshake is not base64", "print the DER"),
    bad("no-socket", RETRIED, "nobody listens on", "listen before it prints its handshake"),
    bad("dead-socket", RETRIED, "nobody listens on", "listen before it prints its handshake"),
    bad("deaf-socket", RETRIED, "was silent for 500ms", "check that it serves gRPC there"),
    bad("foreign-socket", RETRIED, "where another process listens", "its own socket"),
];

/// A program of the shell, alone in the plugins directory.
fn script(stage: &Stage, name: &str, text: &str) -> Result<()> {
    stage.write(&format!("plugins/{name}"), format!("#!/bin/sh\n{text}\n"), 0o755).map(drop)
}

fn manifest(stage: &Stage, name: &str, text: &str) -> Result<()> {
    let text = format!("name = \"{name}\"\n{text}\n");
    stage.write(&format!("plugins/{name}/plugin.toml"), text, 0o644).map(drop)
}

/// The mock under another name. It is found in `PATH`, so that it need not be copied for each.
fn mock(stage: &Stage, name: &str, text: &str) -> Result<()> {
    manifest(stage, name, &format!("command = [\"mock\"]\n{text}"))
}

/// Says something and stays.
fn says(stage: &Stage, name: &str, words: &str) -> Result<()> {
    script(stage, name, &format!("printf '{words}'\nexec sleep 300"))
}

fn install_programs_that_are_none(stage: &Stage) -> Result<()> {
    stage.write("plugins/not-executable", "#!/bin/sh\n", 0o644)?;
    manifest(stage, "not-executable-command", "command = [\"tool\"]")?;
    stage.write("plugins/not-executable-command/tool", "#!/bin/sh\n", 0o644)?;
    manifest(stage, "missing", "command = [\"bin/tool\"]")?;
    symlink("nowhere", stage.plugin("dangling"))?;
    stage.write("plugins/directory/main", "#!/bin/sh\n", 0o755)?;
    manifest(stage, "directory-command", "command = [\"bin\"]")?;
    stage.write("plugins/directory-command/bin/tool", "#!/bin/sh\n", 0o755)?;
    manifest(stage, "no-program", "")?;
    manifest(stage, "broken-manifest", "comand = [\"tool\"]")?;
    manifest(stage, "leaves", "command = [\"passwd\"]")?;
    symlink("/etc/passwd", stage.plugin("leaves/passwd"))?;
    for twin in ["twin-a", "twin-b"] {
        stage.write(&format!("plugins/{twin}/plugin.toml"), "name = \"twin\"\n", 0o644)?;
        stage.write(&format!("plugins/{twin}/main"), "#!/bin/sh\n", 0o755)?;
    }
    stage.write("plugins/text", "just words\n", 0o755)?;
    stage.write("plugins/empty", "", 0o755)?;
    stage.write("plugins/no-interpreter", "#!/no/such/python\n", 0o755)?;
    stage.write("plugins/architecture", elf_for_s390x(), 0o755)?;
    Ok(())
}

/// The head of a program for IBM's s390x, which no test machine is.
fn elf_for_s390x() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x02\x01".to_vec();
    elf.resize(64, 0);
    (elf[17], elf[19], elf[23]) = (2, 22, 1);
    elf
}

fn install_programs_that_are_no_plugins(stage: &Stage) -> Result<()> {
    script(stage, "exits", "echo no licence >&2\nexit 3")?;
    script(stage, "ends", "exit 0")?;
    script(stage, "killed", "kill -KILL $$")?;
    says(stage, "log-first", "starting up\\n1|1|unix|/x|grpc\\n")?;
    script(stage, "endless-line", "head -c 1048576 /dev/zero | tr '\\0' x\nexec sleep 300")?;
    script(stage, "closed-stdout", "exec >/dev/null\nexec sleep 300")?;
    for (name, words) in [("silent", ""), ("half-a-line", "1|1|unix|")] {
        manifest(stage, name, "start_timeout = \"300ms\"")?;
        says(stage, &format!("{name}/main"), words)?;
    }
    Ok(())
}

fn install_wrong_handshakes(stage: &Stage) -> Result<()> {
    says(stage, "core-version", "2|1|unix|/x|grpc\\n")?;
    says(stage, "app-version", "1|7|unix|/x|grpc\\n")?;
    says(stage, "network", "1|1|udp|/x|grpc\\n")?;
    says(stage, "netrpc", "1|1|unix|/x\\n")?;
    says(stage, "tcp", "1|1|tcp|127.0.0.1:1|grpc\\n")?;
    manifest(stage, "certificate", "tls = \"required\"")?;
    says(stage, "certificate/main", &format!("1|1|unix|/x|grpc|{}\\n", "!".repeat(80)))?;
    says(stage, "no-socket", "1|1|unix|'$PLUGIN_UNIX_SOCKET_DIR'/none|grpc\\n")?;
    // The good one's is the first that is there.
    let wait_for_another = "until set -- \"$PLUGIN_UNIX_SOCKET_DIR\"/../../*/s/plugin* && [ -S \"$1\" ]; do sleep 0.05; done";
    let line = "printf '1|1|unix|%s|grpc\\n' \"$1\"\nexec sleep 300";
    script(stage, "foreign-socket", &format!("{wait_for_another}\n{line}"))?;
    mock(stage, "dead-socket", "")?;
    mock(stage, "deaf-socket", "start_timeout = \"500ms\"")?;
    mock(stage, "impostor", "")?;
    mock(stage, "cookie", "[go_plugin]\ncookie_key = \"ANOTHER\"\ncookie_value = \"application\"")
}

/// A supervisor over all of them, whose good plugin serves already.
fn stage() -> Result<Stage> {
    let mut stage = Stage::with_mock()?;
    let programs = places::plugins()?.join("mock");
    stage.set("PATH", &format!("{}:{}", programs.display(), std::env::var("PATH")?));
    install_programs_that_are_none(&stage)?;
    install_programs_that_are_no_plugins(&stage)?;
    install_wrong_handshakes(&stage)?;
    let words = ["dead-socket", "deaf-socket"].map(|word| {
        format!("[[plugin]]\nname = \"{word}\"\nenv = {{ MOCK_MISBEHAVE = \"{word}\" }}\n")
    });
    stage.configure(&format!("max_restarts = 2\n{}", words.concat()))?;
    Ok(stage)
}

fn check(supervisor: &Supervisor<'_>, bad: &Bad) -> Result<()> {
    let plugin = supervisor.wait_for(bad.name, "failed", |it| it.state() == "failed")?;
    let error = plugin.error();
    for words in [bad.cause, bad.advice] {
        ensure!(error.contains(words), "{words:?} is not in {error}");
    }
    ensure!(plugin.generation() == bad.starts, "started {} times: {error}", plugin.generation());
    ensure!(plugin.pid().is_err(), "{plugin:?}");
    let named = format!("\"plugin\":\"{}\"", bad.name);
    supervisor.log.wait_for(0, "an error that names it", |line| {
        line.contains("\"ERROR\"") && line.contains(&named)
    })?;
    Ok(())
}

#[test]
fn each_bad_plugin_gets_an_error_of_its_own_and_the_good_one_serves_on() -> Result<()> {
    let stage = stage()?;
    let supervisor = stage.start()?;
    supervisor.serves_after("mock", 0)?;
    let traffic = supervisor.traffic("/api/mock/hello/you");

    let wrong: Vec<String> = ALL
        .iter()
        .filter_map(|bad| {
            check(&supervisor, bad).err().map(|error| format!("{}: {error}", bad.name))
        })
        .collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    traffic.more(5)?;
    traffic.finish()?;

    let good = supervisor.plugin("mock")?;
    ensure!((good.state(), good.generation()) == ("serving", 1), "{good:?}");
    let list = supervisor.command(&["plugin", "list"])?.stdout;
    for bad in ALL {
        let told = list.lines().find(|line| line.starts_with(&format!("{}: ", bad.name)));
        let told = told.with_context(|| format!("{} is not explained in\n{list}", bad.name))?;
        ensure!(told.contains(bad.cause), "{told}");
    }
    let processes = supervisor.plugin_processes()?;
    ensure!(processes.len() == 1, "what is left of them: {processes:?}");
    Ok(())
}

#[test]
fn the_table_of_the_start_comes_in_spite_of_them_and_names_their_errors() -> Result<()> {
    let stage = stage()?;
    let supervisor = stage.serve()?;

    supervisor.table.wait(0, "try: curl ")?;
    let table = supervisor.table.all().join("\n");
    for bad in ALL {
        ensure!(table.contains(&format!("\n{}: ", bad.name)), "{} is not in\n{table}", bad.name);
    }
    Ok(())
}

#[test]
fn a_plugin_that_was_mended_starts_with_the_next_reload() -> Result<()> {
    let stage = Stage::new()?;
    let mock = fs::read(places::plugins()?.join("mock/mock"))?;
    let program = stage.write("plugins/mock", mock, 0o644)?;
    let supervisor = stage.serve()?;
    let failed = supervisor.plugin("mock")?;
    ensure!(failed.state() == "failed" && failed.error().contains("chmod +x"), "{failed:?}");
    let refused = supervisor.command(&["plugin", "start", "mock"])?;
    ensure!(refused.code == 1 && refused.stderr.contains("chmod +x"), "{refused:?}");

    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(program, mode)?;
    supervisor.reload()?;

    supervisor.serves_after("mock", 0)?;
    ensure!(supervisor.get("/api/mock/hello/you")?.status == 200);
    Ok(())
}

#[test]
fn a_plugin_that_is_run_by_hand_says_what_it_is() -> Result<()> {
    let by_hand = |program: &Path| Done::of(Command::new(program).env_clear());
    for program in [places::plugins()?.join("mock/mock"), places::go("lab-plugin")?] {
        let done = by_hand(&program)?;
        ensure!(done.code == 1 && done.stdout.is_empty(), "{done:?}");
        ensure!(done.stderr.contains("plugin"), "{done:?}");
    }
    let python = places::plugins()?.join("hello-python/main.py");
    let done = Done::of(Command::new("python3").arg(python).env_remove("OUTBOARD_PLUGIN"))?;
    ensure!(done.code == 1 && done.stdout.is_empty() && done.stderr.contains("plugin"), "{done:?}");
    Ok(())
}
