//! The lab plugin in Rust: what unmodified go-plugin hosts run.
//!
//! `LAB_VERSIONS` names the application versions that it serves, joined by commas; default: 1.

use std::{env, process::ExitCode};

use e2e::{lab::LabService, plugin::LAB_COOKIE};
use outboard_sdk::{go_plugin::Server, tonic::service::Routes};

fn main() -> ExitCode {
    let versions = env::var("LAB_VERSIONS").unwrap_or_else(|_| "1".to_owned());
    let mut server = Server::new(LAB_COOKIE.0, LAB_COOKIE.1);
    for version in versions.split(',') {
        let Ok(version) = version.parse() else {
            eprintln!("LAB_VERSIONS: {version:?} is not a number");
            return ExitCode::FAILURE;
        };
        server = server.version(version, |process| {
            let lab = LabService { broker: Some(process.broker().clone()) };
            Routes::new(lab.server())
        });
    }
    server.serve()
}
