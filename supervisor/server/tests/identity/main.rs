//! Who is signed in, what that is worth, and what schemes have to say: on both databases, with schemes that run in the
//! test and misbehave as it likes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod keys;
mod schemes;
mod scopes;
mod sessions;
