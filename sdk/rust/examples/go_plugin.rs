//! A plugin for some other go-plugin host: three application versions, and services of its own.
//!
//! The services here are health services, so that the example needs no protos: one beside go-plugin's
//! own on the main connection would be the application's, and a second one is served to the host over
//! the broker, as id 1.

use std::process::ExitCode;

use outboard_sdk::go_plugin::{Broker, Process, Server};
use outboard_sdk::tonic::service::Routes;
use tonic_health::server::health_reporter;

fn services(process: &Process) -> Routes {
    tracing::info!(version = process.version(), "agreed");
    tokio::spawn(serve_brokered(process.broker().clone()));
    Routes::default()
}

/// Announces a server of its own; the host dials the number whenever it likes.
async fn serve_brokered(broker: Broker) {
    let (_, health) = health_reporter();
    let served = match broker.accept(broker.next_id()).await {
        Ok(incoming) => {
            let server = tonic::transport::Server::builder().add_service(health);
            server.serve_with_incoming(incoming).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = served {
        tracing::error!(error, "the brokered server ended");
    }
}

fn main() -> ExitCode {
    Server::new("EXAMPLE_PLUGIN", "hello")
        .version(2, services)
        .version(3, services)
        .version(5, services)
        .serve()
}
