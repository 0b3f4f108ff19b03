//! A plugin that prints, waits, panics and logs: what the tests of the wire need.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use outboard_sdk::{
    Endpoint, Endpoints, Failure, Host, Init, LogRecord, Outcome, Plugin, Problem, Problems,
    Request, Response, Server, StatusCode,
};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

struct Busy;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    limits: Limits,
}

#[derive(Deserialize)]
struct Limits {
    lines: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { limits: Limits { lines: 3 } }
    }
}

struct Instance {
    host: Host,
}

impl Plugin for Busy {
    type Parameters = Parameters;
    type Instance = Instance;

    async fn check(&self, _: &str, parameters: Parameters) -> Result<(), Problems> {
        match parameters.limits.lines {
            0 => Err(Problem::new("/limits/lines", "must be above 0").into()),
            1313 => panic!("unlucky"),
            _ => Ok(()),
        }
    }

    async fn init(
        &self,
        init: Init<Parameters>,
        endpoints: &mut Endpoints<Instance>,
    ) -> Result<Instance, Problems> {
        endpoints.get("print/:bytes", print);
        endpoints.get("sleep", sleep);
        endpoints.get("block", block);
        endpoints.get("panic", panic);
        endpoints.get("whoami", whoami);
        endpoints.get("tell", tell);
        endpoints.on(Endpoint::any("*").priority(7).filter(), filter);
        Ok(Instance { host: init.host })
    }
}

async fn print(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let bytes = request.variable("bytes")?.parse()?;
    print!("{}", "x".repeat(bytes));
    Ok(Response::text("printed"))
}

async fn sleep(_: Arc<Instance>, _: Request) -> StatusCode {
    tokio::time::sleep(Duration::from_mins(1)).await;
    StatusCode::NO_CONTENT
}

/// Blocks the runtime's only thread, but not before SIGUSR1 opens the gate: once that has begun, this
/// process hears nothing any more.
async fn block(_: Arc<Instance>, _: Request) -> Result<StatusCode, Failure> {
    let mut gate = signal(SignalKind::user_defined1())?;
    tracing::info!("at the gate");
    gate.recv().await;
    std::thread::sleep(Duration::from_mins(1));
    Ok(StatusCode::NO_CONTENT)
}

async fn panic(_: Arc<Instance>, _: Request) -> StatusCode {
    panic!("as asked");
}

async fn whoami(instance: Arc<Instance>, _: Request) -> Result<String, Failure> {
    let info = instance.host.info().await?;
    Ok(format!("{} at {}", info.instance, info.base_path))
}

async fn tell(instance: Arc<Instance>, _: Request) -> Result<String, Failure> {
    let record = LogRecord::new(tracing::Level::WARN, "told").field("who", "busy");
    let dropped = instance.host.log([record]).await?;
    tracing::info!(count = 7, "told");
    Ok(format!("dropped {dropped}"))
}

async fn filter(_: Arc<Instance>, mut request: Request) -> Outcome {
    match request.take_response_so_far() {
        Some(response) => Outcome::refuse().response(response.with_body("not today")),
        None => Outcome::proceed(),
    }
}

fn main() -> ExitCode {
    Server::new("busy", Busy).version("1.2.3").serve()
}
