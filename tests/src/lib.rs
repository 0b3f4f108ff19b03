//! What the end-to-end tests stand on: where the built programs are, how to run a go-plugin program under
//! outboard-host, how to run the real `outboard` binary, and the services that their peers speak.
//!
//! The tests see the project from outside: its binaries, and the crates that others embed.

pub mod clients;
pub mod collect;
pub mod h1;
pub mod h2;
pub mod lab;
pub mod places;
pub mod plugin;
pub mod raw;
pub mod receiver;
pub mod supervisor;
pub mod trials;
pub mod wait;
pub mod websocket;
pub mod wire;
