//! Plugins in Rust under an unmodified go-plugin host, in named cases of its wire.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use e2e::{places, plugin::LAB_COOKIE};
use outboard_proto::env::{COOKIE_KEY, COOKIE_VALUE};
use serde_json::{Value, json};

/// The lab plugin, made with the SDK's go-plugin layer.
fn rust_lab() -> PathBuf {
    env!("CARGO_BIN_EXE_e2e-lab-plugin").into()
}

/// A Go host with a plugin under it, and what it is to do.
struct GoHost<'a> {
    plugin: &'a Path,
    options: &'a [&'a str],
    env: &'a [(&'a str, &'a str)],
    steps: &'a [&'a str],
}

impl GoHost<'_> {
    /// Does the steps and gives what the host reported of each.
    fn run(&self) -> Result<HashMap<String, Value>> {
        let output = Command::new(places::go("lab-host")?)
            .arg("-plugin")
            .arg(self.plugin)
            .args(self.options)
            .args(self.steps)
            .envs(self.env.iter().copied())
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let mut reports = HashMap::new();
        for line in text.lines() {
            let report: Value =
                serde_json::from_str(line).context("lab-host printed something else")?;
            let step = report["step"].as_str().context("a report without its step")?;
            reports.insert(step.to_owned(), report.clone());
        }
        Ok(reports)
    }
}

/// Does steps with the Rust lab plugin; none may fail.
fn lab(options: &[&str], steps: &[&str]) -> Result<HashMap<String, Value>> {
    let reports = GoHost { plugin: &rust_lab(), options, env: &[], steps }.run()?;
    for step in ["start"].iter().chain(steps) {
        let report = reports.get(*step).with_context(|| format!("{step} was not done"))?;
        ensure!(report.get("error").is_none(), "{step}: {}", report["error"]);
    }
    Ok(reports)
}

#[test]
fn t02_a_go_host_calls_a_rust_plugin_under_automtls() -> Result<()> {
    let reports = lab(&["-auto-mtls"], &["ping", "double"])?;
    ensure!(reports["double"]["value"] == 42, "{reports:?}");
    Ok(())
}

#[test]
fn t02_a_go_host_calls_a_rust_plugin_in_clear() -> Result<()> {
    let reports = lab(&[], &["ping", "double"])?;
    ensure!(reports["double"]["value"] == 42, "{reports:?}");
    Ok(())
}

#[test]
fn t03_b01_both_sides_serve_and_dial_twice_in_a_row() -> Result<()> {
    for options in [&[][..], &["-auto-mtls"]] {
        let reports = lab(options, &["dial", "serve", "dial", "serve"])?;
        for direction in ["dial", "serve"] {
            let report = &reports[direction];
            ensure!(report["value"] == 42 && report["id"] == 2, "{options:?}: {report}");
        }
    }
    Ok(())
}

#[test]
fn l01_the_health_of_a_rust_plugin_is_what_go_hosts_ask_for() -> Result<()> {
    let report = lab(&[], &["health"])?.remove("health").context("no report")?;
    let expected =
        json!({"step": "health", "plugin": "SERVING", "": "SERVING", "nope": "NotFound"});
    ensure!(report == expected, "{report}");
    Ok(())
}

#[test]
fn l13_a_rust_plugin_that_a_go_host_kills_ends_in_time_and_leaves_no_socket() -> Result<()> {
    for options in [&[][..], &["-auto-mtls"]] {
        let report = lab(options, &["double", "kill"])?.remove("kill").context("no report")?;
        ensure!(report["code"] == 0, "{report}");
        ensure!(report["socket_left"] == false, "{report}");
        // Above 2 s the host would have killed it.
        ensure!(report["ms"].as_f64().is_some_and(|ms| ms < 2000.0), "{report}");
    }
    Ok(())
}

#[test]
fn l20_five_megabytes_pass_both_ways() -> Result<()> {
    let reports = lab(&[], &["big"])?;
    let size = 5 << 20;
    let report = &reports["big"];
    ensure!(report["to_plugin"] == size && report["from_plugin"] == size, "{report}");
    Ok(())
}

#[test]
fn s02_what_a_rust_plugin_prints_reaches_a_go_host_whole() -> Result<()> {
    let reports = lab(&[], &["print", "double"])?;
    ensure!(reports["print"]["bytes"] == 1 << 20, "{}", reports["print"]);
    Ok(())
}

#[test]
fn e05_the_highest_version_that_both_know_is_used() -> Result<()> {
    let env = [("LAB_VERSIONS", "2,3,5")];
    for (offered, used) in [("3,2,9", Some(3)), ("2", Some(2)), ("5,3", Some(5)), ("7", None)] {
        let host = GoHost {
            plugin: &rust_lab(),
            options: &["-versions", offered],
            env: &env,
            steps: &["double"],
        };
        let reports = host.run()?;
        let start = &reports["start"];
        if let Some(version) = used {
            ensure!(start["version"] == version, "{offered}: {start}");
            ensure!(reports["double"]["value"] == 42, "{offered}: {reports:?}");
        } else {
            // The plugin falls back to its lowest, and the host says no.
            let error = start["error"].as_str().context("accepted")?;
            ensure!(error.contains("Plugin version: 2"), "{offered}: {error}");
        }
    }
    Ok(())
}

/// What no Go host sends, but a host may: the line is read here.
#[test]
fn e05_an_odd_list_of_versions_is_read_as_far_as_it_goes() -> Result<()> {
    for (offered, used) in [("3,2,9", "3"), ("7", "2"), ("", "2"), ("abc,5", "5"), ("1, 2", "2")] {
        let sockets = tempfile::tempdir()?;
        let output = Command::new(rust_lab())
            .env_clear()
            .env(LAB_COOKIE.0, LAB_COOKIE.1)
            .env("LAB_VERSIONS", "2,3,5")
            .env("PLUGIN_PROTOCOL_VERSIONS", offered)
            .env("PLUGIN_UNIX_SOCKET_DIR", sockets.path())
            // It prints its line, finds its stdin at an end, and goes.
            .env("OUTBOARD_HOST_ADDRESS", "unix:///nowhere")
            .stdin(Stdio::piped())
            .output()?;
        let line = String::from_utf8(output.stdout)?;
        let version = line.split('|').nth(1).with_context(|| format!("no line: {line:?}"))?;
        ensure!(version == used, "{offered:?}: {line}");
    }
    Ok(())
}

/// The bundled example, as Outboard would run it: the Go host plays Outboard's host on the broker.
#[test]
fn t02_t03_a_plugin_of_outboard_reaches_the_host_services_of_a_go_host() -> Result<()> {
    let mock = places::plugins()?.join("mock/mock");
    let cookie = format!("{COOKIE_KEY}={COOKIE_VALUE}");
    for tls in [&[][..], &["-auto-mtls"]] {
        let options = [&["-cookie", &cookie][..], tls].concat();
        let steps = ["ping", "outboard", "kill"];
        let reports = GoHost { plugin: &mock, options: &options, env: &[], steps: &steps }.run()?;

        let report = reports.get("outboard").with_context(|| format!("{reports:?}"))?;
        ensure!(report["name"] == "mock" && report["problems"] == false, "{report}");
        ensure!(report["methods"] == json!(["/outboard.host.v1.Endpoints/Add"]), "{report}");
        ensure!(report["activations"] == json!(["act-1"]), "{report}");
        ensure!(reports["kill"]["code"] == 0, "{}", reports["kill"]);
    }
    Ok(())
}
