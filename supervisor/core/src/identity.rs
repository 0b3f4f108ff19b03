//! People, and what they may do: what is decided about it without asking anybody.

pub mod attempts;
pub mod authentication;
pub mod client;
pub mod evaluate;
mod fields;
pub mod kind;
pub mod login_url;
pub mod name;
pub mod password;
pub mod property;
pub mod return_url;
pub mod scheme;
pub mod scope;
pub mod user;
