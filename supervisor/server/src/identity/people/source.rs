//! Something that keeps users.

use outboard_core::identity::name::UserName;
use outboard_core::identity::user::{DATABASE, User, UserDraft};

use super::backend::Backend;
use super::database::Database;
use crate::identity::{Failure, Parts};
use crate::plugin::roles::BackendRole;

/// The database, or the instance of a plugin.
pub(in crate::identity) enum Source<'a> {
    Database(Database<'a>),
    Backend(Backend<'a>),
}

impl<'a> Source<'a> {
    pub(in crate::identity) fn database(parts: &'a Parts) -> Self {
        Self::Database(Database(parts))
    }

    pub(in crate::identity) fn backend(parts: &'a Parts, role: &BackendRole) -> Self {
        Self::Backend(Backend::new(parts, role))
    }

    pub(in crate::identity) fn name(&self) -> &str {
        match self {
            Self::Database(_) => DATABASE,
            Self::Backend(backend) => backend.instance(),
        }
    }

    pub(in crate::identity) fn is_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }

    pub(in crate::identity) fn is_read_only(&self) -> bool {
        match self {
            Self::Database(_) => false,
            Self::Backend(backend) => backend.is_read_only(),
        }
    }

    pub(in crate::identity) fn check_writable(&self) -> Result<(), Failure> {
        if self.is_read_only() {
            return Err(Failure::ReadOnly(format!(
                "the users of {:?} can't be changed here",
                self.name()
            )));
        }
        Ok(())
    }

    pub(in crate::identity) async fn list(
        &self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<User>, Failure> {
        match self {
            Self::Database(database) => database.list(pattern, offset, limit).await,
            Self::Backend(backend) => backend.list(pattern, offset, limit).await,
        }
    }

    /// How many there are of a pattern.
    pub(in crate::identity) async fn count(&self, pattern: &str) -> Result<u64, Failure> {
        match self {
            Self::Database(database) => database.count(pattern).await,
            Self::Backend(backend) => backend.count(pattern).await,
        }
    }

    pub(in crate::identity) async fn find(&self, name: &UserName) -> Result<Option<User>, Failure> {
        match self {
            Self::Database(database) => database.find(name).await,
            Self::Backend(backend) => backend.find(name).await,
        }
    }

    /// What it finds wrong with a new user, or with a change of one, beyond what every source does.
    pub(in crate::identity) async fn judge(
        &self,
        user: Option<&User>,
        draft: &UserDraft,
    ) -> Result<Vec<String>, Failure> {
        match self {
            Self::Database(_) => Ok(Vec::new()),
            Self::Backend(backend) => backend.judge(user, draft).await,
        }
    }

    /// Adds a user, with the hashes of other passwords than the draft's if there are any.
    pub(in crate::identity) async fn add(
        &self,
        name: &UserName,
        draft: &UserDraft,
        hashes: Option<Vec<String>>,
    ) -> Result<User, Failure> {
        match (self, hashes) {
            (Self::Database(database), hashes) => database.add(name, draft, hashes).await,
            (Self::Backend(backend), None) => backend.add(name, draft).await,
            (Self::Backend(backend), Some(_)) => Err(Failure::ReadOnly(format!(
                "{:?} takes no passwords of another system",
                backend.instance()
            ))),
        }
    }

    /// Changes a user as it was found, if it is still that.
    pub(in crate::identity) async fn change(
        &self,
        user: User,
        draft: &UserDraft,
    ) -> Result<User, Failure> {
        match self {
            Self::Database(database) => database.change(user, draft).await,
            Self::Backend(backend) => backend.change(user, draft).await,
        }
    }

    /// Whether it is the user's password. It takes its time.
    pub(in crate::identity) async fn is_password(
        &self,
        user: &User,
        password: &str,
    ) -> Result<bool, Failure> {
        match self {
            Self::Database(database) => database.is_password(user, password).await,
            Self::Backend(backend) => backend.is_password(user, password).await,
        }
    }

    /// Takes a user away from a plugin that keeps him. What the database has goes with the account.
    pub(in crate::identity) async fn remove(&self, user: &User) -> Result<(), Failure> {
        match self {
            Self::Database(_) => Ok(()),
            Self::Backend(backend) => backend.remove(user).await,
        }
    }
}
