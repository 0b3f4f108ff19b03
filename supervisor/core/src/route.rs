//! Which endpoints answer a request, decided without a clock, a socket or a lock.
//!
//! A plugin writes [`Pattern`]s, a client sends a [`Path`]. Both are cut at `/` into percent-decoded
//! segments, so that two spellings of one address are one address before anything compares them; the
//! spellings that two parsers could read differently (`..`, an encoded `/`, NUL, half an escape) never
//! become a [`Path`] at all. [`Endpoints`] is what one activation has added so far; a [`Table`] is the
//! immutable index made from it, one per instance, so that a change in one instance costs the others nothing.
//!
//! Beside the matching stand the other pure decisions about a request: [`hygiene`], [`cookie`],
//! [`origin`], [`forwarded`], [`trace`].

pub mod cookie;
mod endpoints;
pub mod forwarded;
pub mod hygiene;
mod method;
pub mod origin;
mod path;
mod pattern;
mod requirement;
mod table;
pub mod trace;

pub use endpoints::{Endpoint, EndpointSpec, Endpoints, EndpointsError};
pub use method::{Method, MethodError};
pub use path::{Path, PathError, Segment};
pub use pattern::{Pattern, PatternError};
pub use requirement::{Requirement, RequirementError};
pub use table::{Matches, Table};
