//! Opening and closing.

use std::time::Duration;

use crate::error::StoreError;
use crate::identity::{
    Accounts, ApiKeys, Clients, Consents, Principals, Revocations, Schemes, Scopes, Sessions, Users,
};
use crate::instances::Instances;
use crate::outbox::Outbox;
use crate::pools::{Pools, on};
use crate::storage::{Locks, Schedules, Storage};
use crate::url::{DatabaseUrl, Target};
use crate::{postgres, sqlite};

/// One open database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pools: Pools,
    pub(crate) url: DatabaseUrl,
}

/// How a [`Store`] uses its database.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most connections to PostgreSQL. Default: 10. A SQLite file always gets 4: more readers than
    /// that never wait for each other, and there is one writer at a time anyway.
    pub max_connections: u32,
    /// Longest wait for a connection, or for another writer of a SQLite file. Default: 10 s.
    pub wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_connections: 10, wait: Duration::from_secs(10) }
    }
}

impl Store {
    /// Connects, and brings the schema up to date.
    ///
    /// A SQLite file is created if it is missing, for the owner alone; its directory must exist.
    /// Several supervisors may open one PostgreSQL database at the same time: one migrates, the
    /// others wait for it.
    ///
    /// # Errors
    ///
    /// [`StoreError::fault`] tells what may heal by itself (the server is not up yet) from what needs
    /// an operator.
    pub async fn open(url: &DatabaseUrl, options: &Options) -> Result<Self, StoreError> {
        let pools = match url.target() {
            Target::Sqlite(path) => sqlite::open(url, path, options).await.map(Pools::Sqlite)?,
            Target::Postgres(server) => {
                postgres::open(url, server, options).await.map(Pools::Postgres)?
            }
        };
        Ok(Self { pools, url: url.clone() })
    }

    /// The configured copies of plugins.
    pub fn instances(&self) -> Instances<'_> {
        Instances::new(self)
    }

    /// Events and their deliveries.
    pub fn outbox(&self) -> Outbox<'_> {
        Outbox::new(self)
    }

    /// Ids of whoever is known, and the end of users.
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts::new(self)
    }

    /// The users that this database keeps.
    pub fn users(&self) -> Users<'_> {
        Users::new(self)
    }

    /// The clients that this database keeps.
    pub fn clients(&self) -> Clients<'_> {
        Clients::new(self)
    }

    /// Whichever of these two.
    pub fn principals<P>(&self) -> Principals<'_, P> {
        Principals::new(self)
    }

    pub fn scopes(&self) -> Scopes<'_> {
        Scopes::new(self)
    }

    /// What operators say of schemes.
    pub fn schemes(&self) -> Schemes<'_> {
        Schemes::new(self)
    }

    /// Who is signed in.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions::new(self)
    }

    /// What users have granted to clients.
    pub fn consents(&self) -> Consents<'_> {
        Consents::new(self)
    }

    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys::new(self)
    }

    /// Who still has to be told that a user is gone.
    pub fn revocations(&self) -> Revocations<'_> {
        Revocations::new(self)
    }

    /// What instances keep.
    pub fn storage(&self) -> Storage<'_> {
        Storage::new(self)
    }

    /// What one instance at a time does.
    pub fn locks(&self) -> Locks<'_> {
        Locks::new(self)
    }

    /// What instances are to do later.
    pub fn schedules(&self) -> Schedules<'_> {
        Schedules::new(self)
    }

    /// The migration that the schema has reached.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        const SQL: &str = "SELECT MAX(version) FROM _sqlx_migrations";
        let version = on!(&self.pools, pool => sqlx::query_scalar(SQL).fetch_one(pool).await);
        version.map_err(|error| self.failed("read the schema version", &error))
    }

    /// Waits for running statements, then ends every connection, of all clones.
    pub async fn close(&self) {
        on!(&self.pools, pool => pool.close().await);
    }

    /// The error of a statement; `doing` completes "could not …".
    pub(crate) fn failed(&self, doing: &str, error: &sqlx::Error) -> StoreError {
        StoreError::from_sqlx(&self.url, doing, error)
    }
}
