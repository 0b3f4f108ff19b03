//! Who may use what: users, clients, scopes, schemes, sessions, consents, API keys.
//!
//! An account is whoever has ever been known here, under an id that nobody else ever gets; the users
//! that this database keeps have details as well, those of other sources (plugins) do not. Sessions
//! and consents belong to accounts, whatever their source.
//!
//! Passwords, cookies and API keys are here as hashes only. Who decides what is valid and who may do
//! what is not here: what comes in was judged before.

mod accounts;
mod api_keys;
mod clients;
mod consents;
mod deletion;
mod error;
pub(crate) mod handle;
mod listing;
mod missed;
mod principals;
mod revocations;
mod schemes;
mod scopes;
mod sessions;
mod users;

pub use accounts::{Account, Accounts};
pub use api_keys::{ApiKey, ApiKeys, NewApiKey};
pub use clients::Clients;
pub use consents::{Consent, Consents};
pub use error::{IdentityError, Thing};
pub(crate) use handle::handle;
pub use listing::Listing;
pub use missed::Missed;
pub use principals::{Principal, Principals};
pub use revocations::{Revocation, Revocations};
pub use schemes::Schemes;
pub use scopes::Scopes;
pub use sessions::{CheckedSession, Session, SessionUser, Sessions, SignIn};
pub use users::Users;
