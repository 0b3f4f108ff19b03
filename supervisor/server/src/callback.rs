//! What a plugin may ask of the supervisor: one service per file, behind one room for each process.
//!
//! Which process calls is known by the listener; which of its activations, by the metadata key
//! `outboard-activation`, which can only name one that lives in that process.

mod clients;
pub mod counters;
pub mod counts;
mod digest;
mod ending;
mod endpoints;
mod events;
mod host;
mod locks;
mod log;
mod meter;
mod methods;
mod metrics;
mod outcome;
mod page;
mod permit;
mod room;
mod schedules;
mod schemes;
mod services;
mod sessions;
mod site;
mod storage;
mod stored;
mod users;
mod visitor;

pub use host::announce;
pub use meter::Rules;
pub use permit::Permitted;
pub use room::Room;
pub use services::Services;
pub use site::{Cookie, People, Site};

use std::sync::Arc;

use outboard_proto::host::v1::clients_server::ClientsServer;
use outboard_proto::host::v1::endpoints_server::EndpointsServer;
use outboard_proto::host::v1::events_server::EventsServer;
use outboard_proto::host::v1::host_server::HostServer;
use outboard_proto::host::v1::locks_server::LocksServer;
use outboard_proto::host::v1::log_server::LogServer;
use outboard_proto::host::v1::metrics_server::MetricsServer;
use outboard_proto::host::v1::schedules_server::SchedulesServer;
use outboard_proto::host::v1::schemes_server::SchemesServer;
use outboard_proto::host::v1::sessions_server::SessionsServer;
use outboard_proto::host::v1::storage_server::StorageServer;
use outboard_proto::host::v1::users_server::UsersServer;
use outboard_proto::transport::Incoming;
use tonic::transport::Server;

use meter::Meters;

/// Answers calls for one room.
#[derive(Clone, Debug)]
struct Caller(Arc<Room>);

/// Serves one process's calls until its room is closed.
pub async fn serve(room: Arc<Room>, incoming: Incoming) {
    let closing = room.closing().clone();
    // Nothing is left to be polite to: the process is gone.
    closing.run_until_cancelled(answer(room, incoming)).await;
}

async fn answer(room: Arc<Room>, incoming: Incoming) {
    let caller = Caller(room.clone());
    let served = Server::builder()
        .layer(Meters(room.clone()))
        .add_service(HostServer::new(caller.clone()))
        .add_service(EndpointsServer::new(caller.clone()))
        .add_service(EventsServer::new(caller.clone()))
        .add_service(MetricsServer::new(caller.clone()))
        .add_service(LocksServer::new(caller.clone()))
        .add_service(SchedulesServer::new(caller.clone()))
        .add_service(StorageServer::new(caller.clone()))
        .add_service(SchemesServer::new(caller.clone()))
        .add_service(SessionsServer::new(caller.clone()))
        .add_service(UsersServer::new(caller.clone()))
        .add_service(ClientsServer::new(caller.clone()))
        .add_service(LogServer::new(caller))
        .serve_with_incoming(incoming)
        .await;
    if let Err(error) = served {
        tracing::warn!(plugin = room.plugin(), %error, "host services of a process ended early");
    }
}
