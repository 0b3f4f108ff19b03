//! A plugin that asks its host, as often as it can, and tells how fast the answers came:
//! `GET ask/:question?seconds=&in_flight=&users=`, where `info` needs no database, `session` is the session of whoever
//! sent the request, and `user` is one of so many users by name.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use outboard_sdk::{
    Endpoints, Failure, Host, Init, Plugin, Problems, Request, Response, Server, StatusCode,
};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections and statements are there before anything is measured.
const WARM_UP: Duration = Duration::from_millis(300);
const SCOPE: &str = "bench";

struct Caller;

fn main() -> ExitCode {
    Server::new("caller", Caller).serve()
}

impl Plugin for Caller {
    type Parameters = Value;
    type Instance = Host;

    async fn init(
        &self,
        init: Init<Value>,
        endpoints: &mut Endpoints<Host>,
    ) -> Result<Host, Problems> {
        endpoints.get("ask/:question", ask);
        Ok(init.host)
    }
}

/// What is asked, again and again.
struct Question {
    host: Host,
    what: What,
}

enum What {
    Info,
    Session { handle: String },
    User { of: u64 },
}

async fn ask(host: Arc<Host>, request: Request) -> Result<Response, Failure> {
    let number = |name| request.query_value(name).and_then(|text| text.parse::<u64>().ok());
    let question = Arc::new(Question::of(Host::clone(&host), &request)?);
    let in_flight = number("in_flight").unwrap_or(1);
    let begun = Instant::now() + WARM_UP;
    let took = Duration::from_secs(number("seconds").unwrap_or(1));
    let askers =
        (0..in_flight).map(|_| tokio::spawn(ask_until(question.clone(), begun, begun + took)));
    let mut latencies = Vec::new();
    for asker in askers.collect::<Vec<_>>() {
        latencies.extend(asker.await.map_err(failed)?.map_err(failed)?);
    }
    Ok(Response::json(&json!({ "seconds": took.as_secs(), "us": latencies })))
}

impl Question {
    fn of(host: Host, request: &Request) -> Result<Self, Failure> {
        let users = request.query_value("users").and_then(|text| text.parse().ok());
        let what = match request.variable("question")? {
            "info" => What::Info,
            "session" => What::Session { handle: request.handle().unwrap_or_default().to_owned() },
            "user" => What::User { of: users.unwrap_or(1) },
            _ => return Err(Failure::new(StatusCode::NOT_FOUND, "no such question")),
        };
        Ok(Self { host, what })
    }

    async fn ask(&self) -> Result<(), String> {
        let is_there = match &self.what {
            What::Info => self.host.info().await.is_ok(),
            What::Session { handle } => {
                let satisfied = self.host.sessions().is_satisfied(handle, &[SCOPE]).await;
                satisfied.map_err(|error| error.to_string())?
            }
            What::User { of } => {
                let name = format!("user-{}", rand::random_range(0..*of));
                let user = self.host.users().get(&name).await;
                user.map_err(|error| error.to_string())?.is_some()
            }
        };
        if is_there { Ok(()) } else { Err("that is not the answer".to_owned()) }
    }
}

/// How long each answer took, in microseconds, once the warm-up is over.
async fn ask_until(
    question: Arc<Question>,
    begun: Instant,
    end: Instant,
) -> Result<Vec<u64>, String> {
    let mut latencies = Vec::new();
    loop {
        let asked = Instant::now();
        if asked >= end {
            return Ok(latencies);
        }
        question.ask().await?;
        if asked >= begun {
            latencies.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
