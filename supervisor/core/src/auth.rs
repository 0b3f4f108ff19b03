//! Who somebody is, and what they may do: what is decided about it without asking anybody.

mod groups;

pub use groups::{GroupMatch, allows};
