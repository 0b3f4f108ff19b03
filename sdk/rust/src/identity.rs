//! The people and applications that the host knows, as a plugin that is granted to sees them.
//!
//! [`Sessions`] tells who sent a request, [`Users`] and [`Clients`] read and change what the host and its backends keep,
//! [`Schemes`] has users authenticated beyond their password. [`Host`](crate::Host) has one of each. Calls name a request by its
//! [handle](crate::Request::handle), and each group of them needs a grant: see the services of the protos.

pub use crate::host::clients::{Client, ClientCheck, Clients, GrantedScope, GrantedScopes};
pub use crate::host::schemes::{SchemeInfo, Schemes, Whose};
pub use crate::host::sessions::{SchemeGroup, SchemeState, ScopeState, Session, Sessions, Signed};
pub use crate::host::users::{CheckedUser, Query, User, UserCheck, Users};
