//! What operators reach: the control socket.

mod access;
mod ancestry;
pub mod control;
mod events;
mod imports;
mod people;
