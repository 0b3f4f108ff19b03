//! Something that keeps users or clients.

use outboard_core::identity::user::DATABASE;

use super::Asked;
use super::backend::Backend;
use super::database::Database;
use crate::identity::{Failure, Parts};
use crate::plugin::roles::BackendRole;

/// The database, or the instance of a plugin.
pub(in crate::identity) enum Source<'a, P> {
    Database(Database<'a, P>),
    Backend(Backend<'a, P>),
}

impl<'a, P: Asked> Source<'a, P> {
    pub(super) fn database(parts: &'a Parts) -> Self {
        Self::Database(Database::new(parts))
    }

    pub(super) fn backend(parts: &'a Parts, role: &BackendRole) -> Self {
        Self::Backend(Backend::new(parts, role))
    }

    pub(in crate::identity) fn name(&self) -> &str {
        match self {
            Self::Database(_) => DATABASE,
            Self::Backend(backend) => backend.instance(),
        }
    }

    pub(super) fn is_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }

    pub(super) fn is_read_only(&self) -> bool {
        match self {
            Self::Database(_) => false,
            Self::Backend(backend) => backend.is_read_only(),
        }
    }

    pub(in crate::identity) fn check_writable(&self) -> Result<(), Failure> {
        if self.is_read_only() {
            return Err(Failure::ReadOnly(format!(
                "the {}s of {:?} can't be changed here",
                P::THING,
                self.name()
            )));
        }
        Ok(())
    }

    pub(super) async fn list(
        &self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<P>, Failure> {
        match self {
            Self::Database(database) => database.list(pattern, offset, limit).await,
            Self::Backend(backend) => backend.list(pattern, offset, limit).await,
        }
    }

    /// How many there are of a pattern.
    pub(super) async fn count(&self, pattern: &str) -> Result<u64, Failure> {
        match self {
            Self::Database(database) => database.count(pattern).await,
            Self::Backend(backend) => backend.count(pattern).await,
        }
    }

    pub(in crate::identity) async fn find(&self, name: &P::Name) -> Result<Option<P>, Failure> {
        match self {
            Self::Database(database) => database.find(name).await,
            Self::Backend(backend) => backend.find(name).await,
        }
    }

    /// What it finds wrong with a new one, or with a change of one, beyond what every source does.
    pub(super) async fn judge(
        &self,
        changed: Option<&P>,
        draft: &P::Draft,
    ) -> Result<Vec<String>, Failure> {
        match self {
            Self::Database(_) => Ok(Vec::new()),
            Self::Backend(backend) => backend.judge(changed, draft).await,
        }
    }

    /// Adds one, with the hashes of other passwords than the draft's if there are any.
    pub(super) async fn add(
        &self,
        name: P::Name,
        draft: &P::Draft,
        hashes: Option<Vec<String>>,
    ) -> Result<P, Failure> {
        match (self, hashes) {
            (Self::Database(database), hashes) => database.add(name, draft, hashes).await,
            (Self::Backend(backend), None) => backend.add(&name, draft).await,
            (Self::Backend(backend), Some(_)) => Err(Failure::ReadOnly(format!(
                "{:?} takes no passwords of another system",
                backend.instance()
            ))),
        }
    }

    /// Changes one as it was found, if it is still that.
    pub(super) async fn change(&self, found: P, draft: &P::Draft) -> Result<P, Failure> {
        match self {
            Self::Database(database) => database.change(found, draft).await,
            Self::Backend(backend) => backend.change(&found, draft).await,
        }
    }

    /// Whether it is the password. It takes its time.
    pub(in crate::identity) async fn is_password(
        &self,
        found: &P,
        password: &str,
    ) -> Result<bool, Failure> {
        match self {
            Self::Database(database) => database.is_password(found, password).await,
            Self::Backend(backend) => backend.is_password(found, password).await,
        }
    }
}
