//! Write an Outboard plugin in Rust.
//!
//! A plugin is a program of its own. The supervisor starts it, hands it the parameters that an
//! operator wrote, asks it which HTTP endpoints it serves, and sends it the requests that match. An
//! author writes one type that implements [`Plugin`], and async functions that answer requests:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use outboard_sdk::{Endpoints, Failure, Init, Plugin, Problems, Request, Response, Server};
//!
//! struct Hello;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Parameters {
//!     greeting: String,
//! }
//!
//! impl Plugin for Hello {
//!     type Parameters = Parameters;
//!     type Instance = Parameters;
//!
//!     async fn init(
//!         &self,
//!         init: Init<Parameters>,
//!         endpoints: &mut Endpoints<Parameters>,
//!     ) -> Result<Parameters, Problems> {
//!         endpoints.get("hello/:name", hello);
//!         Ok(init.parameters)
//!     }
//! }
//!
//! async fn hello(instance: Arc<Parameters>, request: Request) -> Result<Response, Failure> {
//!     let name = request.variable("name")?;
//!     Ok(Response::text(format!("{}, {name}!", instance.greeting)))
//! }
//!
//! fn main() -> ExitCode {
//!     Server::new("hello", Hello).version(env!("CARGO_PKG_VERSION")).serve()
//! }
//! ```
//!
//! # How the parts fit
//!
//! * An operator configures **instances** of a plugin. Each time one is to serve in this process, the
//!   host makes an **activation** of it with [`Plugin::init`]; the value that it returns is what the
//!   activation's handlers share.
//! * [`Endpoints`] says what is served where. Matching is the host's; so are limits on size and time,
//!   see [`Endpoint`]. Endpoints that match the same request run as a chain: [`Outcome`].
//! * A [`Body`] is whole or comes in pieces, and pieces come only as fast as they are taken. Read a
//!   request's with [`Request::bytes`], [`Request::json`] or, piece by piece, [`Request::take_body`];
//!   answer in pieces with [`Response::stream`], [`Response::channel`] or [`Response::sse`].
//!   [`Response::upgrade`] leaves HTTP, for a WebSocket for example.
//! * A handler's future, the stream of its response and the future of its connection are dropped at an
//!   `await` when the client is gone or time is up.
//! * A plugin that implements [`Notifier`] is told of events, and one that implements [`Authenticator`] is asked
//!   who people are. [`Scheme`] authenticates users beyond their password, [`UserBackend`] keeps users and
//!   [`ClientBackend`] clients; an operator says which of them an instance is there for: [`InstanceKind`].
//! * [`Host`], in [`Init`], is the way back: where am I, what is my URL, write a log, announce an event, keep
//!   something: [`Storage`], do it alone: [`Locks`], do it later: [`Schedules`], for which a plugin implements
//!   [`Scheduled`].
//! * Logs are `tracing` events; [`hclog`] carries them to the host.
//! * Nothing that an author's code does ends the process but `std::process::exit` and `abort`: a panic
//!   fails the request or call it happened in.
//! * [`go_plugin`] is the layer below, for plugins of other hosts.

#![warn(missing_docs)]

pub mod go_plugin;
pub mod hclog;
pub mod identity;
pub mod sse;

mod activation;
mod authenticator;
mod backend;
mod body;
mod client_backend;
mod endpoints;
mod event;
mod failure;
mod fields;
mod host;
mod notifier;
mod outcome;
mod parameters;
mod plugin;
mod problem;
mod request;
mod response;
mod scheduled;
mod scheme;
mod server;
mod service;
mod upgrade;
mod user_backend;

pub use bytes::Bytes;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
/// The gRPC library, for the services of [`go_plugin`].
pub use tonic;

pub use authenticator::{
    AuthError, Authenticator, Credentials, GroupMatch, Needed, Permission, RefusalReason, User,
};
pub use backend::{BackendError, BackendPage, BackendQuery, merge_properties};
pub use body::{Body, BodyError, BoxError, Gone, Writer};
pub use client_backend::{BackendClient, ClientBackend, ClientChange};
pub use endpoints::{Endpoint, EndpointId, Endpoints, LiveEndpoints};
pub use event::{Event, Receipt};
pub use failure::Failure;
pub use host::{
    Entries, Entry, Host, HostConfig, HostError, HostErrorKind, HostInfo, Increment, Location,
    Lock, Locks, LogRecord, LoginUrl, Metrics, Operation, Put, Raise, Schedule, Schedules,
    SessionCookie, Storage, Taken,
};
pub use notifier::{Delivery, Notifier, NotifyError};
pub use outcome::{IntoOutcome, Outcome};
pub use plugin::{CloseReason, Init, InitReason, InstanceKind, Load, Plugin, RevokedUser};
pub use problem::{Problem, Problems};
pub use request::{Identity, InformError, Request};
pub use response::Response;
pub use scheduled::{Due, Scheduled};
pub use scheme::{Availability, Scheme, SchemeError, Subject};
pub use server::Server;
pub use upgrade::Upgraded;
pub use user_backend::{BackendUser, UserBackend, UserChange};
