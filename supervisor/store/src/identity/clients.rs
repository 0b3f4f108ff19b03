//! The clients that this database keeps.

mod change;
mod find;

use super::handle::handle;

handle! {
    /// The clients of a [`Store`](crate::Store).
    Clients
}
