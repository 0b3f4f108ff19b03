//! Users and clients: where they differ for those who keep them.

use outboard_core::identity::user::Mode;
use outboard_store::identity::Principal as Stored;

use crate::identity::Settings;
use crate::plugin::roles::{BackendRole, Roles};

/// A user or a client, whom the host's database can keep.
pub(in crate::identity) trait Principal: Stored {
    type Name: Send + Sync;
    /// One to be, or a change of one.
    type Draft: Send + Sync;

    /// The field that the name is in.
    const NAME: &'static str;

    /// The instances that keep such.
    fn backends(roles: &Roles) -> &[BackendRole];

    /// Somebody of whom nothing is known but the name and the source.
    fn new(name: Self::Name, source: &str) -> Self;

    fn name(&self) -> &Self::Name;

    /// `None` for what is no name.
    fn read_name(text: &str) -> Option<Self::Name>;

    /// What names are compared by.
    fn key(name: &Self::Name) -> &str;

    fn name_in(draft: &Self::Draft) -> Option<&str>;

    fn passwords_in(draft: &Self::Draft) -> Option<&[String]>;

    /// What is wrong with a draft, each beginning with the name of a field.
    fn faults(draft: &Self::Draft, mode: Mode, settings: &Settings) -> Vec<String>;

    /// Makes a change, but for the passwords.
    fn apply(&mut self, draft: &Self::Draft);
}
