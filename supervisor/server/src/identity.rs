//! People and what acts for them: the one place that decides about users, clients and what they have proved.
//!
//! Users and clients come from the database and from plugins that keep some, the sources, which are asked by rank. Whoever
//! asks for something, be it a page, the API, a plugin or an operator, asks here, and is told of a [`Failure`] in the same
//! words.

mod clients;
pub mod consents;
mod failure;
mod first;
mod gatekeeper;
pub mod keys;
mod limits;
mod line;
mod passwords;
mod people;
mod revoke;
pub mod schemes;
pub mod scopes;
pub mod sessions;
mod settings;
mod sources;
mod token;

use std::sync::Arc;

use outboard_store::Store;
use tokio::sync::Notify;

pub use clients::Clients;
pub use failure::Failure;
pub use first::First;
pub use gatekeeper::Porter;
pub use passwords::is_hash;
pub use people::People;
pub use revoke::Forced;
pub use settings::{Cost, Settings};
pub use sources::ListQuery;

use self::consents::Consents;
use self::keys::Keys;
use self::limits::Limits;
use self::passwords::Passwords;
use self::schemes::{Guards, Schemes};
use self::scopes::Scopes;
use self::sessions::Sessions;
use crate::clock::now_ms;
use crate::plugin::roles::Roster;
use crate::plugin::snapshot::Routes;

/// All that is known of people. Clones are the same.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Parts>);

/// What everything about people is done with.
#[derive(Debug)]
pub(in crate::identity) struct Parts {
    pub(in crate::identity) store: Store,
    pub(in crate::identity) routes: Arc<Routes>,
    pub(in crate::identity) roster: Roster,
    pub(in crate::identity) settings: Settings,
    pub(in crate::identity) passwords: Passwords,
    pub(in crate::identity) limits: Limits,
    /// Rung when instances are to be told that somebody is gone.
    pub(in crate::identity) bell: Arc<Notify>,
    /// Wrong codes of schemes: apart from passwords, since a scheme counts for itself as well.
    pub(in crate::identity) codes: Limits,
    /// Of the schemes.
    pub(in crate::identity) guards: Guards,
}

/// Where a question about somebody comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The IP address of the client, or what else it is to be counted for.
    pub address: String,
    pub user_agent: String,
}

impl Identity {
    /// # Errors
    /// If the settings can't be.
    pub fn open(
        store: Store,
        routes: Arc<Routes>,
        roster: Roster,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        let passwords = Passwords::new(settings.cost)?;
        let limits = Limits::new(&settings);
        let bell = Arc::default();
        let codes = Limits::for_codes(&settings);
        let guards = Guards::default();
        let parts =
            Parts { store, routes, roster, settings, passwords, limits, bell, codes, guards };
        Ok(Self(Arc::new(parts)))
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Who is signed in in which browser.
    pub fn sessions(&self) -> Sessions<'_> {
        self.0.sessions()
    }

    pub fn scopes(&self) -> Scopes<'_> {
        self.0.scopes()
    }

    /// Ways to authenticate beyond the password.
    pub fn schemes(&self) -> Schemes<'_> {
        Schemes(&self.0)
    }

    /// What users let clients do.
    pub fn consents(&self) -> Consents<'_> {
        Consents(&self.0)
    }

    /// API keys.
    pub fn keys(&self) -> Keys<'_> {
        Keys(&self.0)
    }
}

impl Parts {
    pub(in crate::identity) fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }

    pub(in crate::identity) fn scopes(&self) -> Scopes<'_> {
        Scopes(self)
    }
}
