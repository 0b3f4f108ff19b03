//! What Outboard decides: no IO, no clock, no randomness; time and ids come in as arguments, and what to
//! do about it goes out as values. The rest of the supervisor obeys.

pub mod lifecycle;
pub mod route;
