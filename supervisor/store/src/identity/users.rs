//! The users that this database keeps.

mod change;
mod find;
mod load;

use super::handle::handle;

handle! {
    /// The users of a [`Store`](crate::Store).
    Users
}
