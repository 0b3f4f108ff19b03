//! Traefik's `forwardAuth`, whose requests are written here from its documentation: a GET to the address, with the
//! client's own headers but those of one hop, and `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`.

use anyhow::{Result, ensure};
use e2e::supervisor::http::Reply;

use crate::{
    people::{self, ANN, BOB, CARL},
    service::Service,
};

const QUERY: &str = "?groups=ops";

/// As Traefik asks about a POST with a body, which stays with it.
fn asked(service: &Service, client: &str) -> Result<Reply> {
    let request = format!(
        "GET /v1/forward-auth{QUERY} HTTP/1.1\r\nHost: outboard.internal:4595\r\nUser-Agent: curl/8.5.0\r\n\
         Accept: */*\r\nContent-Type: application/json\r\n{client}X-Forwarded-For: 192.0.2.7\r\n\
         X-Forwarded-Host: jobs.example.org\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Port: 443\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Server: traefik\r\nX-Forwarded-Uri: /execution?x=1\r\n\
         Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    );
    service.exchange(&request)
}

#[test]
fn traefik_gets_a_status_and_the_headers_to_copy() -> Result<()> {
    let stage = people::stage("", "")?;
    let _supervisor = stage.serve()?;
    let service = Service::of(&stage);

    let reply = asked(&service, &ANN.headers())?;
    ensure!(reply.status == 200 && reply.body.is_empty(), "{reply:?}");
    for (name, expected) in [
        ("Outboard-User-Email", "ann@example.org"),
        ("Outboard-User-Name", "Ann%20%C3%84."),
        ("Outboard-User-Groups", "ops,x%2C%20y"),
    ] {
        ensure!(reply.header(name) == Some(expected), "{name}: {reply:?}");
    }
    let reply = asked(&service, "")?;
    ensure!(reply.status == 401 && reply.header("WWW-Authenticate").is_some(), "{reply:?}");
    for (client, expected) in [
        (ANN.with_token("wrong").headers(), 401),
        (BOB.headers(), 403),
        (CARL.headers(), 403),
        ("Outboard-User-Email: ann@example.org\r\n".to_owned(), 401),
    ] {
        let reply = asked(&service, &client)?;
        ensure!(reply.status == expected, "{client}: {reply:?}");
        ensure!(
            reply.body.is_empty() && reply.header("Outboard-User-Email").is_none(),
            "{reply:?}"
        );
    }
    Ok(())
}

#[test]
fn traefik_is_told_when_nobody_can_say() -> Result<()> {
    let hang = "parameters.auth.behaviour = { hang = true }";
    let stage = people::stage("timeout = \"300ms\"", hang)?;
    let supervisor = stage.serve()?;
    let service = Service::of(&stage);
    let is_unavailable = || {
        let reply = asked(&service, &ANN.headers())?;
        ensure!(reply.status == 503 && reply.header("Retry-After").is_some(), "{reply:?}");
        Ok(())
    };

    is_unavailable()?;
    ensure!(supervisor.command(&["plugin", "stop", "mock"])?.code == 0);
    is_unavailable()
}
