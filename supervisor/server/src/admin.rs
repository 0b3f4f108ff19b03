//! What operators reach: the control socket.

pub mod control;
