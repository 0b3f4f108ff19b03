//! What the plugins that send something have in common.
//!
//! * [`Target`] is a URL that is a secret, and that appears in no error.
//! * [`Client`] posts to one, within limits, and tells the answers of a receiver apart: delivered, later, never.
//! * [`Templates`] are an operator's own texts, by type of event.
//! * `smtp` sends mail, with the feature of that name.
//! * [`Span`] is a duration as operators write it.
//!
//! What is sent is each plugin's own affair.

pub mod answer;
mod client;
#[cfg(feature = "lab")]
pub mod lab;
#[cfg(feature = "smtp")]
pub mod smtp;
mod span;
mod target;
mod templates;

pub use answer::Answer;
pub use client::{Client, Settings};
pub use span::Span;
pub use target::Target;
pub use templates::{Templates, context};
