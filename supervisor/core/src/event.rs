//! Events: what they are, how they are written, who is told of them, and when.

pub mod types;

pub use types::Types;
