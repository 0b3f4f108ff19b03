//! Users and clients alike: what is the same, whichever of them this database keeps.

mod change;
mod find;

use std::fmt;
use std::marker::PhantomData;

use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::error::{IdentityError, Thing};
use crate::pools::Transaction;
use crate::{Store, StoreError};

/// A user or a client: where the statements about them differ.
///
/// Each has a name that is looked for, and an id that never changes; of clients these are one and the same.
pub trait Principal: Sized + Send + Sync + 'static {
    /// One of those that [`Self::BY_NAME`] and the other statements that read give.
    type Row: for<'r> FromRow<'r, SqliteRow>
        + for<'r> FromRow<'r, PgRow>
        + Into<Self>
        + Send
        + Unpin;

    const THING: Thing;

    /// `$1`: what the name is compared by.
    const BY_NAME: &'static str;
    /// `$1`: id.
    const BY_ID: &'static str;
    /// All by name. `$1`: limit; `$2`: offset.
    const LIST: &'static str;
    /// The same of a pattern. `$1`: the pattern; `$2`: limit; `$3`: offset.
    const LIST_LIKE: &'static str;
    const COUNT: &'static str;
    /// `$1`: the pattern.
    const COUNT_LIKE: &'static str;

    /// The hashes of all passwords, in their order. `$1`: id.
    const PASSWORDS: &'static str;
    /// `$1`: id; `$2`: position; `$3`: hash.
    const ADD_PASSWORD: &'static str;
    /// `$1`: id; `$2`: the hash that is there; `$3`: the one instead.
    const UPGRADE_PASSWORD: &'static str;
    /// `$1`: id.
    const CLEAR_PASSWORDS: &'static str;

    fn id(&self) -> &str;

    /// The name, for people.
    fn shown(&self) -> &str;

    fn revision(&self) -> i64;

    /// Writes a new one, at revision 1 and without passwords. False: the name is taken.
    fn write_new(
        &self,
        transaction: &mut Transaction,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Writes what may change, and the next revision. False: the revision is not the one that is stored.
    fn write(
        &self,
        transaction: &mut Transaction,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Why the name of a new one is taken.
    fn taken(&self, store: &Store) -> impl Future<Output = IdentityError> + Send {
        let _ = store;
        let taken =
            IdentityError::AlreadyExists { thing: Self::THING, name: self.shown().to_owned() };
        std::future::ready(taken)
    }
}

/// The users, or the clients, that a [`Store`] keeps.
pub struct Principals<'a, P> {
    pub(super) store: &'a Store,
    of: PhantomData<fn() -> P>,
}

impl<P> Clone for Principals<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Principals<'_, P> {}

impl<P> fmt::Debug for Principals<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principals").field("store", self.store).finish()
    }
}

impl<'a, P> Principals<'a, P> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, of: PhantomData }
    }

    /// Makes a driver's error one for an operator; `doing` completes "could not …".
    pub(super) fn told<T>(
        self,
        doing: impl fmt::Display,
        result: Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        result.map_err(|error| self.store.failed(&doing.to_string(), &error))
    }
}
