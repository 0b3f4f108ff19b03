//! The smallest plugin: one endpoint that greets.
//!
//! Put the program into a directory of Outboard's plugin directory, and ask
//! `http://127.0.0.1:4593/api/hello/hello/world`.

use std::process::ExitCode;
use std::sync::Arc;

use outboard_sdk::{Endpoints, Failure, Init, Plugin, Problems, Request, Response, Server};
use serde::Deserialize;

struct Hello;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    greeting: String,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { greeting: "Hello".to_owned() }
    }
}

impl Plugin for Hello {
    type Parameters = Parameters;
    type Instance = Parameters;

    async fn init(
        &self,
        init: Init<Parameters>,
        endpoints: &mut Endpoints<Parameters>,
    ) -> Result<Parameters, Problems> {
        endpoints.get("hello/:name", hello);
        Ok(init.parameters)
    }
}

async fn hello(instance: Arc<Parameters>, request: Request) -> Result<Response, Failure> {
    let name = request.variable("name")?;
    Ok(Response::text(format!("{}, {name}!\n", instance.greeting)))
}

fn main() -> ExitCode {
    Server::new("hello", Hello).version(env!("CARGO_PKG_VERSION")).serve()
}
