//! The gateway from outside: real sockets on one side, a real plugin service on a Unix socket on the other.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

mod chains;
mod client;
mod connections;
mod fixture;
mod http2;
mod limits;
mod malformed;
mod requests;
mod responses;
mod tls;
