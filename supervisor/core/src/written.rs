//! Reading what people write: files, variables and flags.
//!
//! Everything that can be written down is a [`Key`]: its path, kind, default and explanation in one
//! place, from which the parser, the reference page and `--help` all follow. Reading never stops at
//! the first fault: each goes to a list of [`Mistakes`] with its place, and the reader goes on, so
//! that one run tells a person everything.

mod document;
mod key;
mod kind;
mod mistake;
mod suggest;

pub use document::{Document, Table};
pub use key::{About, Key};
pub use kind::{Choice, Kind};
pub use mistake::{Mistake, Mistakes, Place};

pub(crate) use kind::shown;
pub(crate) use suggest::closest;
