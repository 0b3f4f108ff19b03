//! People, and what they may do: what is decided about it without asking anybody.

pub mod authentication;
pub mod evaluate;
pub mod kind;
pub mod return_url;
pub mod scheme;
pub mod scope;
