//! The plugin gate under the real supervisor, before a server in Gate's place that does as Gate does: it looks a
//! token up, and then gives the profile of whatever e-mail it is asked for.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    supervisor::{Supervisor, stage::Stage},
    wait::until,
};
use serde_json::json;

use crate::{people::Claim, service::Service};

const ANN: Claim = Claim("ann@example.org", "ANNSTOKEN");
const BOB: Claim = Claim("bob@example.org", "BOBSTOKEN");
const CARL: Claim = Claim("carl@example.org", "CARLSTOKEN");

/// printf %s ANNSTOKEN | sha256sum, and so on.
const OWNERS: &str = "token_owners = { \
    \"ann@example.org\" = \"ANN\", \"bob@example.org\" = \"BOB\", \"carl@example.org\" = \"CARL\" }";

/// What Gate is up to.
#[derive(Clone, Copy)]
enum Mood {
    Fine,
    Down,
    Login,
}

struct Gate {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
}

impl Gate {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let gate = Self { address: listener.local_addr()?, mood: Arc::new(Mutex::new(Mood::Fine)) };
        let mood = gate.mood.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mood = *mood.lock().unwrap_or_else(PoisonError::into_inner);
                // A client that goes away is none of its business.
                let _ = serve(&stream, mood);
            }
        });
        Ok(gate)
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }
}

fn serve(mut stream: &TcpStream, mood: Mood) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().context("nothing came")??;
    let mut token = String::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        if name.eq_ignore_ascii_case("authorization") {
            value.rsplit(' ').next().unwrap_or_default().clone_into(&mut token);
        }
    }
    let (status, kind, body) = match mood {
        Mood::Fine => profile(&first, &token),
        Mood::Down => ("503 Service Unavailable", "text/html", "<h1>Sorry</h1>".to_owned()),
        Mood::Login => {
            ("302 Found\r\nlocation: /login", "text/html", "<h1>Sign in</h1>".to_owned())
        }
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n");
    Ok(write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len())?)
}

fn profile(first: &str, token: &str) -> (&'static str, &'static str, String) {
    let json = "application/json; charset=utf-8";
    if ![ANN, BOB, CARL].iter().any(|claim| claim.1 == token) {
        return ("401 Unauthorized", json, String::new());
    }
    let (email, groups) = match first {
        "GET /api/v1/users/profile?email=ann%40example.org HTTP/1.1" => {
            (ANN.0, vec!["admins", "ops"])
        }
        "GET /api/v1/users/profile?email=bob%40example.org HTTP/1.1" => (BOB.0, vec!["ops"]),
        "GET /api/v1/users/profile?email=carl%40example.org HTTP/1.1" => (CARL.0, vec!["ops"]),
        _ => return ("404 Not Found", json, String::new()),
    };
    let groups: Vec<_> = groups.iter().map(|name| json!({ "id": 9001, "name": name })).collect();
    let profile = json!({
        "email": email, "uid": null, "name": email, "active": email != CARL.0, "admin": false,
        "home_dir": null, "shell": "/bin/bash", "groups": groups,
    });
    ("200 OK", json, profile.to_string())
}

/// A stage with gate before it. Where it is, it learns from Proctor's variables.
fn stage(gate: &Gate, parameters: &str) -> Result<Stage> {
    let mut stage = Stage::new()?;
    stage.install("gate")?;
    stage.set("GATE_PLUGIN_PROTOCOL", "http");
    stage.set("GATE_PLUGIN_HOST", &gate.address.to_string());
    configure(&stage, parameters)?;
    Ok(stage)
}

fn configure(stage: &Stage, parameters: &str) -> Result<()> {
    stage.configure(&format!(
        "[auth]\ncache_ttl = \"0s\"\n[[instance]]\nplugin = \"gate\"\n[instance.parameters]\n{parameters}\n"
    ))
}

fn owners() -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    let claims = [("ANN", ANN), ("BOB", BOB), ("CARL", CARL)];
    claims.into_iter().fold(OWNERS.to_owned(), |text, (name, claim)| {
        let hash = digest(&SHA256, claim.1.as_bytes());
        let hex =
            hash.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        text.replace(&format!("\"{name}\""), &format!("\"{hex}\""))
    })
}

fn status(service: &Service, claim: Claim) -> Result<u16> {
    Ok(service.authenticate(claim)?.status)
}

#[test]
fn case_10_13_14_46_gate_says_who_somebody_is_and_where_they_belong() -> Result<()> {
    let gate = Gate::start()?;
    let stage = stage(&gate, &owners())?;
    let _supervisor = stage.serve()?;
    let service = Service::of(&stage);

    let reply = service.authenticate(ANN)?;
    ensure!(reply.status == 200, "{reply:?}");
    let user = &reply.json()?["user"];
    ensure!(user["email"] == ANN.0 && user["name"] == ANN.0, "{user}");
    ensure!(user["groups"] == json!(["admins", "ops"]), "{user}");
    ensure!(status(&service, ANN.with_token("NOTOKEN"))? == 401);
    ensure!(status(&service, Claim("eve@example.org", ANN.1))? == 401);

    ensure!(service.authorize(ANN, &["admins", "ops"])?);
    ensure!(!service.authorize(ANN, &["admins", "ops", "nothing"])?);
    // N13: as Gate writes it.
    ensure!(service.authorize(ANN, &["Admins"])?);
    ensure!(!service.authorize(BOB, &["Admins"])?);
    Ok(())
}

#[test]
fn case_39_who_is_not_active_is_not_let_in() -> Result<()> {
    let gate = Gate::start()?;
    let stage = stage(&gate, &owners())?;
    let _supervisor = stage.serve()?;
    let service = Service::of(&stage);
    ensure!([401, 403].contains(&status(&service, CARL)?));
    ensure!(service.forward_auth("", &CARL.headers())?.status == 403);
    Ok(())
}

#[test]
fn n08_n09_a_gate_that_is_down_or_lies_is_told_apart_from_a_refusal() -> Result<()> {
    let gate = Gate::start()?;
    let stage = stage(&gate, &owners())?;
    let supervisor = stage.serve()?;
    let service = Service::of(&stage);
    ensure!(status(&service, ANN)? == 200);

    for mood in [Mood::Down, Mood::Login] {
        gate.set(mood);
        let reply = service.forward_auth("", &ANN.headers())?;
        ensure!(reply.status == 503 && reply.header("retry-after").is_some(), "{reply:?}");
    }
    shows_no_token(&supervisor)
}

#[test]
fn n10_with_owners_a_token_is_good_for_one_person_alone() -> Result<()> {
    let gate = Gate::start()?;
    let stage = stage(&gate, &owners())?;
    let supervisor = stage.serve()?;
    let service = Service::of(&stage);

    ensure!(status(&service, ANN)? == 200 && status(&service, BOB)? == 200);
    ensure!(status(&service, BOB.with_token(ANN.1))? == 401);
    ensure!(status(&service, ANN.with_token(BOB.1))? == 401);
    shows_no_token(&supervisor)
}

#[test]
fn n10_without_a_word_about_owners_gate_does_not_serve_and_says_why() -> Result<()> {
    let gate = Gate::start()?;
    let stage = stage(&gate, "")?;
    let supervisor = stage.serve()?;
    let service = Service::of(&stage);

    let list = supervisor.list()?.to_string();
    ensure!(list.contains("accept_unbound_tokens") && list.contains("token_owners"), "{list}");
    ensure!(status(&service, ANN)? == 503);

    // Accepted on purpose, it is as Gate has it, and the log says so.
    configure(&stage, "accept_unbound_tokens = true")?;
    supervisor.reload()?;
    supervisor.log.wait(0, "whoever has one can be anybody")?;
    until(|| status(&service, BOB.with_token(ANN.1)), |status| *status == 200).map(drop)
}

fn shows_no_token(supervisor: &Supervisor<'_>) -> Result<()> {
    let shown = supervisor.log.all().join("\n");
    ensure!(![ANN, BOB, CARL].iter().any(|claim| shown.contains(claim.1)), "a token is in the log");
    Ok(())
}
