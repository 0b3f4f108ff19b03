//! Real plugin programs against a scripted host: the plugin side's conformance cases, named by their
//! ids, and Outboard's own services on top.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so do its helpers")]

mod environment;
mod frames;
mod host;
mod kinds;
mod life;
mod outboard;
mod roles;
mod stdio;
mod tls;
