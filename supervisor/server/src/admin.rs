//! What operators reach: the control socket.

mod ancestry;
pub mod control;
mod events;
mod people;
