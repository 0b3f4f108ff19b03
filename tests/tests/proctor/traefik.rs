//! Traefik's `forwardAuth`, whose requests are written here from its documentation: a GET to the address, with the
//! client's own headers but those of one hop, and `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`.

use std::{fs, net::TcpListener, path::Path};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clients,
    supervisor::{LIMIT, http::Reply, stage::Stage},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};

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

/// Certificates of an authority of the test's own: `ca`, `server`, `traefik`, and of another one `stranger`.
fn certificates(directory: &Path) -> Result<()> {
    let authority = |name: &str| {
        let mut params = params(name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        fs::write(directory.join(name), params.self_signed(&key)?.pem())?;
        anyhow::Ok(Issuer::new(params, key))
    };
    let (ours, other) = (authority("ca.pem")?, authority("other.pem")?);
    for (name, issuer) in [("server", &ours), ("traefik", &ours), ("stranger", &other)] {
        let key = KeyPair::generate()?;
        let certificate = params(name)?.signed_by(&key, issuer)?;
        fs::write(directory.join(format!("{name}.pem")), certificate.pem())?;
        fs::write(directory.join(format!("{name}.key")), key.serialize_pem())?;
    }
    Ok(())
}

/// Who has the same name as their issuer counts as their own.
fn params(name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// The status that somebody gets over TCP who shows this certificate.
fn over_tcp(stage: &Stage, port: u16, certificate: Option<&str>) -> Result<String> {
    let file = |name: &str| stage.root().join(name).display().to_string();
    let url = format!("https://127.0.0.1:{port}/v1/forward-auth{QUERY}");
    let mut command = clients::curl(&["--cacert", &file("ca.pem"), "--write-out", "%{http_code}"])?;
    command.args(["-H", "Email-Id: ann@example.org", "-H", "Access-Token: ann-token"]).arg(url);
    if let Some(name) = certificate {
        command.args(["--cert", &file(&format!("{name}.pem"))]);
        command.args(["--key", &file(&format!("{name}.key"))]);
    }
    Ok(clients::run(&mut command, LIMIT)?.text())
}

#[test]
fn traefik_comes_over_tcp_with_a_certificate_and_nobody_without_one() -> Result<()> {
    // Somebody else may take it meanwhile; then the supervisor does not start.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let service = format!(
        "[service]\nlisten = \"127.0.0.1:{port}\"\n\
         tls = {{ certificate = \"server.pem\", key = \"server.key\", clients = \"ca.pem\" }}\n"
    );
    let stage = people::stage(&service, "")?;
    certificates(stage.root())?;
    let supervisor = stage.serve().context("a service on TCP")?;

    let status = over_tcp(&stage, port, Some("traefik"))?;
    ensure!(status == "200", "{status}: {}", supervisor.log.all().join("\n"));
    for nobody in [None, Some("stranger")] {
        let status = over_tcp(&stage, port, nobody)?;
        ensure!(status == "000", "{nobody:?}: {status}");
    }
    Ok(())
}
