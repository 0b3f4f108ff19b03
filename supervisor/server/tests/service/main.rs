//! The service from outside: real sockets on one side, real auth plugins' services on the other.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

mod asking;
mod callers;
mod events;
mod fixture;
mod forward;
mod grpc;
mod http;
mod people;
mod plugin;
mod tls;
mod traces;
