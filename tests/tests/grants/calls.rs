//! What needs no grant: where the host is, what it hashes, locates and counts; and what becomes of every call.

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{Supervisor, http, metrics, metrics::Metrics};
use serde_json::{Value, json};

use super::{call, called, mmdb, plugin, refused, stage};

const SITE: &str = "external_url = \"https://id.example\"\n";

e2e::on_both_databases! {
    fn a_plugin_is_told_what_the_operator_has_configured(stage) {
        stage.install("mock")?;
        stage.configure(
            "\n[session]\ncookie = \"sid\"\ndomain = \"example\"\nsame_site = \"strict\"\n[hash]\nalgorithm = \"SHA512\"\n\
             [storage]\nquota = \"1MiB\"\n[login]\nurl = \"pages/in\"\nadmin_scope = \"boss\"\n",
        )?;
        let supervisor = stage.serve()?;
        let config = called(&supervisor, "host.config", &json!({}))?;
        let url = config["external_url"].as_str().context("no URL")?;
        ensure!(config["login_url"] == format!("{url}/pages/in"), "{config}");
        ensure!(config["prefix"] == "api" && config["admin_scope"] == "boss", "{config}");
        ensure!(config["profile_scope"] == "g_profile" && config["hash_algorithm"] == "SHA512", "{config}");
        let cookie = json!({ "name": "sid", "domain": "example", "secure": false, "same_site": "Strict" });
        ensure!(config["cookie"] == cookie, "{config}");
        ensure!(config["storage_quota_bytes"] == 1 << 20 && config["max_request_bytes"] == 4 << 20, "{config}");
        Ok(())
    }
}

e2e::on_both_databases! {
    /// As section 5.3 of the reference of Glewlwyd has it.
    fn an_external_url_has_no_slash_at_its_end(mut stage) {
        stage.install("mock")?;
        stage.set("OUTBOARD_EXTERNAL_URL", "https://id.example/");
        let supervisor = stage.serve()?;
        let url = |args: Value| called(&supervisor, "host.external_url", &args);
        ensure!(url(json!({}))? == "https://id.example/api/mock");
        ensure!(url(json!({ "instance": "other" }))? == "https://id.example/api/other");
        refused(&supervisor, "host.external_url", &json!({ "instance": "../x" }), "Invalid")?;
        let config = called(&supervisor, "host.config", &json!({}))?;
        ensure!(config["cookie"]["secure"] == true && config["cookie"]["domain"].is_null(), "{config}");
        Ok(())
    }
}

e2e::on_both_databases! {
    /// As section 5.2 has it, to the letter.
    fn a_login_url_has_its_parameters_in_order_and_escaped_in_lower_case(mut stage) {
        stage.install("mock")?;
        stage.set("OUTBOARD_EXTERNAL_URL", "https://id.example");
        let supervisor = stage.serve()?;
        let url = |args: Value| called(&supervisor, "host.login_url", &args);
        let all = url(json!({
            "client_id": "app 1", "scope": "openid g_profile",
            "callback_url": "https://id.example/api/mock/auth?a=b&c=d",
            "parameters": [["prompt", "login"], ["refresh_login"], ["x", ""]],
        }))?;
        ensure!(
            all == "https://id.example/login.html?client_id=app+1&scope=openid+g_profile&callback_url=\
                    https%3a%2f%2fid.example%2fapi%2fmock%2fauth%3fa%3db%26c%3dd&prompt=login&refresh_login&x=",
            "{all}"
        );
        ensure!(url(json!({ "scope": "a" }))? == "https://id.example/login.html?&scope=a");
        ensure!(url(json!({}))? == "https://id.example/login.html?");
        ensure!(url(json!({ "client_id": "é\r\n$-_.!*'()," }))? == "https://id.example/login.html?client_id=%c3%a9%0d%0a$-_.!*'(),");
        for name in ["a b", "a&b", "a=b", "", "a\r\nLocation: x"] {
            refused(&supervisor, "host.login_url", &json!({ "parameters": [[name, "x"]] }), "Invalid")?;
        }
        let long = "x".repeat(70_000);
        refused(&supervisor, "host.login_url", &json!({ "callback_url": long }), "Limit")
            .or_else(|_| refused(&supervisor, "host.login_url", &json!({ "callback_url": long }), "Invalid"))?;
        Ok(())
    }
}

e2e::on_both_databases! {
    /// As section 5.1 has it, without a salt: what is looked up by its hash must have one.
    fn a_hash_names_its_algorithm(stage) {
        stage.install("mock")?;
        let hash = |supervisor: &Supervisor<'_>, text: &str| called(supervisor, "host.hash", &json!({ "text": text }));
        let supervisor = stage.serve()?;
        ensure!(hash(&supervisor, "abc")? == "{SHA256}ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        ensure!(hash(&supervisor, "")? == "{SHA256}");
        drop(supervisor);
        stage.configure("\n[hash]\nalgorithm = \"SHA1\"\n")?;
        let supervisor = stage.serve()?;
        ensure!(hash(&supervisor, "abc")? == "{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
        Ok(())
    }
}

e2e::on_both_databases! {
    fn an_address_is_located_as_far_as_the_operator_lets_it(stage) {
        stage.install("mock")?;
        let supervisor = stage.serve()?;
        let nowhere = json!({ "place": "", "country_code": "" });
        ensure!(called(&supervisor, "host.locate", &json!({ "address": "192.0.2.7" }))? == nowhere);
        drop(supervisor);

        stage.write("city.mmdb", mmdb::of([192, 0, 2], "Bern", "Switzerland", "CH"), 0o644)?;
        stage.configure("\n[locate]\ndatabase = \"city.mmdb\"\n")?;
        let supervisor = stage.serve()?;
        let found = called(&supervisor, "host.locate", &json!({ "address": "192.0.2.7" }))?;
        ensure!(found == json!({ "place": "Bern, Switzerland", "country_code": "CH" }), "{found}");
        for elsewhere in ["192.0.3.7", "2001:db8::1"] {
            ensure!(called(&supervisor, "host.locate", &json!({ "address": elsewhere }))? == nowhere, "{elsewhere}");
        }
        Ok(())
    }
}

fn page(supervisor: &Supervisor<'_>) -> Result<String> {
    let line = supervisor.log.wait(0, "metrics are served")?;
    let line: Value = serde_json::from_str(&line)?;
    let address = line["address"].as_str().context("no address")?.parse()?;
    Ok(http::exchange(address, http::request("GET", "/metrics", "", ""))?.text())
}

e2e::on_both_databases! {
    fn what_a_plugin_counts_is_read_back_and_lasts_as_long_as_the_host(stage) {
        stage.install("mock")?;
        stage.configure(metrics::CONFIGURATION)?;
        let supervisor = stage.serve()?;
        called(&supervisor, "metrics.describe", &json!({ "helps": { "mock_codes": "Codes that were given." } }))?;
        let raises = json!({ "raises": [
            { "name": "mock_codes", "labels": { "plugin": "mock" }, "by": 2 },
            { "name": "mock_codes", "labels": { "plugin": "mock", "response_type": "code" }, "by": 0 },
            { "name": "mock_codes", "labels": { "plugin": "mock" } },
        ] });
        called(&supervisor, "metrics.raise", &raises)?;
        let lines = [
            "# HELP mock_codes_total Codes that were given.",
            "# TYPE mock_codes_total counter",
            "mock_codes_total{plugin=\"mock\",instance=\"mock\"} 3",
            "mock_codes_total{plugin=\"mock\",response_type=\"code\",instance=\"mock\"} 0",
        ];
        let shown = page(&supervisor)?;
        for line in lines {
            ensure!(shown.lines().any(|it| it == line), "{line} is not in\n{shown}");
        }

        let bad = [
            json!({ "name": "outboard_http_requests" }),
            json!({ "name": "a b" }),
            json!({ "name": "a", "labels": { "instance": "other" } }),
            json!({ "name": "a", "labels": { "b": "x".repeat(300) } }),
        ];
        for raise in bad {
            let raises = json!({ "raises": [{ "name": "mock_codes", "labels": { "plugin": "mock" } }, raise] });
            refused(&supervisor, "metrics.raise", &raises, "Invalid")?;
        }
        let many = |from: usize| json!({ "raises": (from..from + 600).map(|at| json!({ "name": format!("many_{at}") })).collect::<Vec<_>>() });
        called(&supervisor, "metrics.raise", &many(0))?;
        refused(&supervisor, "metrics.raise", &many(600), "Limit")?;

        let first = supervisor.plugin("mock")?;
        e2e::supervisor::processes::kill_9(first.pid()?)?;
        supervisor.serves_after("mock", first.generation())?;
        ensure!(page(&supervisor)?.contains("mock_codes_total{plugin=\"mock\",instance=\"mock\"} 3\n"));
        Ok(())
    }
}

#[test]
fn every_call_is_counted_by_how_it_ended() -> Result<()> {
    let stage = stage(&["users.read"])?;
    stage.configure(metrics::CONFIGURATION)?;
    let supervisor = stage.serve()?;
    called(&supervisor, "host.hash", &json!({ "text": "a" }))?;
    called(&supervisor, "host.hash", &json!({ "text": "b" }))?;
    refused(&supervisor, "users.get", &json!({ "username": "ann" }), "Denied")?;
    // An answer that says no is told apart from one that says yes.
    plugin(&supervisor, &["grant", "mock", "users.read"])?;
    for username in ["ann", "admin", "nobody"] {
        called(&supervisor, "users.get", &json!({ "username": username }))?;
    }
    let shown = page(&supervisor)?;
    for (of, code, result, count) in [
        ("service=\"Host\",method=\"Hash\"", "OK", "", 2),
        ("service=\"Users\",method=\"Get\"", "PERMISSION_DENIED", "", 1),
        ("service=\"Users\",method=\"Get\"", "OK", "OK", 1),
        ("service=\"Users\",method=\"Get\"", "OK", "NOT_FOUND", 2),
    ] {
        let line = format!(
            "outboard_callbacks_total{{plugin=\"mock\",instance=\"mock\",{of},code=\"{code}\",result=\"{result}\"}} {count}"
        );
        ensure!(shown.lines().any(|it| it == line), "{line} is not in\n{shown}");
    }
    ensure!(Metrics::of(&supervisor)?.sum("outboard_callbacks_total")? >= 3.0);
    Ok(())
}

#[test]
fn an_instance_that_calls_too_often_is_held_back_and_others_are_not() -> Result<()> {
    let stage = stage(&[])?;
    stage.configure("\n[callbacks]\nrate = 2\n")?;
    let supervisor = stage.serve()?;
    let answers = (0..100).map(|_| call(&supervisor, "host.hash", &json!({ "text": "a" })));
    let answers = answers.collect::<Result<Vec<_>>>()?;
    let held_back = answers.iter().find(|answer| answer["error"]["kind"] == "Limit");
    let message = held_back.context("nothing was held back")?["error"]["message"].to_string();
    ensure!(
        message.contains("more than 2 times a second") && message.contains("callbacks.rate"),
        "{message}"
    );
    // Another service has a rate of its own.
    called(&supervisor, "metrics.raise", &json!({ "raises": [{ "name": "a" }] }))?;

    stage.configure("\n[callbacks]\nrate = 100000\n")?;
    supervisor.reload()?;
    for _ in 0..50 {
        called(&supervisor, "host.hash", &json!({ "text": "a" }))?;
    }
    Ok(())
}

/// The lines of the audit after `mark`.
fn audited(supervisor: &Supervisor<'_>, mark: usize) -> Result<Vec<Value>> {
    let lines = supervisor.log.all();
    let lines = lines[mark..].iter().filter(|line| line.contains("\"target\":\"audit\""));
    lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[test]
fn what_is_denied_or_all_is_written_down_as_the_operator_wants() -> Result<()> {
    let stage = stage(&["users.write"])?;
    let supervisor = stage.serve()?;
    let mark = supervisor.log.mark();
    refused(&supervisor, "users.delete", &json!({ "username": "ann" }), "Denied")?;
    supervisor.log.wait(mark, "Users/Delete")?;
    let lines = audited(&supervisor, mark)?;
    ensure!(lines.len() == 1, "{lines:?}");
    let line = &lines[0];
    ensure!(line["plugin"] == "mock" && line["instance"] == "mock", "{line}");
    ensure!(line["call"] == "Users/Delete" && line["code"] == "PERMISSION_DENIED", "{line}");

    stage.configure("\n[callbacks]\naudit = \"all\"\n")?;
    supervisor.reload()?;
    let mark = supervisor.log.mark();
    called(&supervisor, "host.hash", &json!({ "text": "a secret" }))?;
    let line = supervisor.log.wait(mark, "Host/Hash")?;
    ensure!(!line.contains("a secret"), "{line}");
    plugin(&supervisor, &["grant", "mock", "users.write"])?;
    refused(&supervisor, "users.delete", &json!({ "username": "ann" }), "NotFound")?;
    let line: Value = serde_json::from_str(&supervisor.log.wait(mark, "Users/Delete")?)?;
    ensure!(line["code"] == "OK" && line["result"] == "NOT_FOUND", "{line}");

    stage.configure("\n[callbacks]\naudit = \"off\"\n")?;
    supervisor.reload()?;
    plugin(&supervisor, &["revoke", "mock", "users.write"])?;
    let mark = supervisor.log.mark();
    refused(&supervisor, "users.delete", &json!({ "username": "ann" }), "Denied")?;
    called(&supervisor, "host.hash", &json!({ "text": "a" }))?;
    ensure!(audited(&supervisor, mark)?.is_empty());
    Ok(())
}

#[test]
fn serve_warns_of_what_plugins_and_pages_are_told_wrongly_without() -> Result<()> {
    let stage = stage(&[])?;
    let supervisor = stage.serve()?;
    supervisor.log.wait(0, "external_url is not set")?;
    supervisor.log.wait(0, "trusted_proxies is not set")?;
    drop(supervisor);
    stage.write("outboard.toml", format!("{SITE}trusted_proxies = [\"10.0.0.0/8\"]\n"), 0o644)?;
    let supervisor = stage.serve()?;
    ensure!(!supervisor.log.all().iter().any(|line| line.contains("is not set")));
    Ok(())
}
