//! `outboard.toml`.

pub(crate) mod forms;
pub mod parameters;
