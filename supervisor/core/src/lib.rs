//! What Outboard decides: no IO, no clock, no randomness; time and ids come in as arguments, and what to
//! do about it goes out as values. The rest of the supervisor obeys.

pub mod auth;
pub mod config;
pub mod event;
pub mod grant;
pub mod identity;
pub mod lifecycle;
pub mod manifest;
pub mod metric;
pub mod name;
pub mod route;
pub mod written;
