//! Who somebody is, and what they may do: what is decided about it without asking anybody.
//!
//! An auth plugin is asked by [`Credentials`], which a client sends in headers. What it says is not believed
//! before [`accept`] has looked at it: holding a [`User`] means that it was. A plugin that does not answer is
//! left alone for a while, by a [`Breaker`].

mod breaker;
mod credentials;
mod groups;
mod user;

pub use breaker::{Admission, Breaker};
pub use credentials::{
    Credentials, Headers, LONGEST_EMAIL, LONGEST_TOKEN, Unusable, check_email, check_token,
};
pub use groups::{GroupMatch, allows};
pub use user::{Answer, Refusal, User, accept, answer};
