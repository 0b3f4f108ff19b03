//! Both sides of the wire against each other, and against peers that break its rules, over real
//! sockets.
#![expect(clippy::unwrap_used, reason = "clippy takes helpers of tests for production code")]

mod broker;
mod connect;
mod listen;
mod support;
mod tls;
