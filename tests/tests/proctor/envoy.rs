//! Envoy's `ext_authz`, by a Go client on the stubs that Envoy publishes.

use anyhow::{Context as _, Result, ensure};
use e2e::{clients, places, supervisor::LIMIT};
use serde_json::Value;

use crate::{
    people::{self, ANN, BOB, CARL, Claim},
    service::Service,
};

/// Envoy writes names of headers in lower case.
fn asked(service: &Service, who: Option<Claim>, extension: &str) -> Result<Value> {
    let mut command = std::process::Command::new(places::go("ext-authz")?);
    command.args(["-method", "POST", "-path", "/execution?x=1", "-header", "user-agent=curl"]);
    command.args(["-header", "outboard-user-email=root@example.org", "-extension", extension]);
    if let Some(Claim(email, token)) = who {
        command.args(["-header", &format!("email-id={email}")]);
        command.args(["-header", &format!("access-token={token}")]);
    }
    command.arg(format!("unix://{}", service.0.display()));
    Ok(serde_json::from_str(&clients::run(&mut command, LIMIT)?.good()?.text())?)
}

/// The headers that Envoy is told to set, and to overwrite.
fn headers(answer: &Value) -> Result<Vec<(String, String)>> {
    let headers = answer["okResponse"]["headers"].as_array().context("no headers")?;
    let read = |option: &Value| {
        ensure!(option["appendAction"] == "OVERWRITE_IF_EXISTS_OR_ADD", "{option}");
        let text = |key: &str| option["header"][key].as_str().unwrap_or_default().to_owned();
        Ok((text("key").to_ascii_lowercase(), text("value")))
    };
    headers.iter().map(read).collect()
}

/// The status with which Envoy turns a client away.
fn denied(answer: &Value) -> Result<&str> {
    ensure!(answer["status"]["code"].as_i64().is_some_and(|code| code != 0), "{answer}");
    answer["deniedResponse"]["status"]["code"].as_str().with_context(|| answer.to_string())
}

#[test]
fn envoy_is_told_whom_to_let_in_and_under_which_headers() -> Result<()> {
    let stage = people::stage("", "")?;
    let _supervisor = stage.serve()?;
    let service = Service::of(&stage);

    let answer = asked(&service, Some(ANN), "groups=ops")?;
    ensure!(answer["status"]["code"].as_i64().unwrap_or_default() == 0, "{answer}");
    let headers = headers(&answer)?;
    for (name, value) in [
        ("outboard-user-email", "ann@example.org"),
        ("outboard-user-name", "Ann%20%C3%84."),
        ("outboard-user-groups", "ops,x%2C%20y"),
    ] {
        ensure!(headers.contains(&(name.to_owned(), value.to_owned())), "{answer}");
    }
    for (who, expected) in [
        (None, "Unauthorized"),
        (Some(ANN.with_token("wrong")), "Unauthorized"),
        (Some(BOB), "Forbidden"),
        (Some(CARL), "Forbidden"),
    ] {
        let answer = asked(&service, who, "groups=ops")?;
        ensure!(denied(&answer)? == expected, "{who:?}: {answer}");
    }
    Ok(())
}

#[test]
fn envoy_is_told_that_nobody_gets_in_while_nobody_can_say() -> Result<()> {
    let hang = "parameters.auth.behaviour = { hang = true }";
    let stage = people::stage("timeout = \"300ms\"", hang)?;
    let supervisor = stage.serve()?;
    let service = Service::of(&stage);

    ensure!(denied(&asked(&service, Some(ANN), "groups=ops")?)? == "ServiceUnavailable");
    ensure!(supervisor.command(&["plugin", "stop", "mock"])?.code == 0);
    ensure!(denied(&asked(&service, Some(ANN), "groups=ops")?)? == "ServiceUnavailable");
    Ok(())
}

#[test]
fn a_route_whose_words_are_not_known_is_open_to_nobody() -> Result<()> {
    let stage = people::stage("", "")?;
    let _supervisor = stage.serve()?;
    let answer = asked(&Service::of(&stage), Some(ANN), "group=ops")?;
    denied(&answer).map(drop)
}
