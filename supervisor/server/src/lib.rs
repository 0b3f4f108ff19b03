//! The supervisor: all of Outboard that does IO.

pub mod admin;
pub mod api;
pub mod app;
pub mod auth;
mod breakers;
pub mod callback;
pub mod cli;
mod clock;
pub mod dirs;
pub mod environment;
pub mod events;
pub mod gateway;
pub mod grants;
pub mod identity;
pub mod import;
pub mod locate;
pub mod metrics;
pub mod pem;
pub mod plugin;
pub mod schedules;
pub mod service;
pub mod task;
pub mod telemetry;
pub mod web;

/// The version of this build, as plugins and operators are told.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
