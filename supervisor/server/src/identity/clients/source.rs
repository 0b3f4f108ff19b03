//! Something that keeps clients.

use outboard_core::identity::client::{Client, ClientDraft, ClientId};
use outboard_core::identity::user::DATABASE;

use super::backend::Backend;
use super::database::Database;
use crate::identity::{Failure, Parts};
use crate::plugin::roles::BackendRole;

/// The database, or the instance of a plugin.
pub(super) enum Source<'a> {
    Database(Database<'a>),
    Backend(Backend<'a>),
}

impl<'a> Source<'a> {
    pub(super) fn database(parts: &'a Parts) -> Self {
        Self::Database(Database(parts))
    }

    pub(super) fn backend(parts: &'a Parts, role: &BackendRole) -> Self {
        Self::Backend(Backend::new(parts, role))
    }

    pub(super) fn name(&self) -> &str {
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

    pub(super) fn check_writable(&self) -> Result<(), Failure> {
        if self.is_read_only() {
            return Err(Failure::ReadOnly(format!(
                "the clients of {:?} can't be changed here",
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
    ) -> Result<Vec<Client>, Failure> {
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

    pub(super) async fn find(&self, id: &ClientId) -> Result<Option<Client>, Failure> {
        match self {
            Self::Database(database) => database.find(id).await,
            Self::Backend(backend) => backend.find(id).await,
        }
    }

    /// What it finds wrong with a new client, or with a change of one, beyond what every source does.
    pub(super) async fn judge(
        &self,
        client: Option<&Client>,
        draft: &ClientDraft,
    ) -> Result<Vec<String>, Failure> {
        match self {
            Self::Database(_) => Ok(Vec::new()),
            Self::Backend(backend) => backend.judge(client, draft).await,
        }
    }

    pub(super) async fn add(&self, id: &ClientId, draft: &ClientDraft) -> Result<Client, Failure> {
        match self {
            Self::Database(database) => database.add(id, draft).await,
            Self::Backend(backend) => backend.add(id, draft).await,
        }
    }

    /// Changes a client as it was found, if it is still that.
    pub(super) async fn change(
        &self,
        client: Client,
        draft: &ClientDraft,
    ) -> Result<Client, Failure> {
        match self {
            Self::Database(database) => database.change(client, draft).await,
            Self::Backend(backend) => backend.change(client, draft).await,
        }
    }

    /// Whether it is the client's password. It takes its time.
    pub(super) async fn is_password(
        &self,
        client: &Client,
        password: &str,
    ) -> Result<bool, Failure> {
        match self {
            Self::Database(database) => database.is_password(client, password).await,
            Self::Backend(backend) => backend.is_password(client, password).await,
        }
    }

    /// Takes a client away, and what users have granted to it.
    pub(super) async fn remove(&self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Database(database) => database.remove(client).await,
            Self::Backend(backend) => backend.remove(client).await,
        }
    }
}
