//! Loads users, clients, scopes with their groups, schemes, backends and plugin instances from one document.
//!
//! The document is an object of lists, of the objects that the HTTP API takes: `user_backend`, `client_backend`, `scheme`,
//! `scope`, `client`, `user`, `plugin`. All of it is judged before anything is written, and what is there already is
//! changed, so that the same document may be loaded again.

mod apply;
mod judge;
mod read;

use serde_json::Value;

use crate::app::Live;
use crate::identity::Identity;

/// What documents are loaded into. Clones are the same.
#[derive(Clone)]
pub struct Import {
    pub identity: Identity,
    pub live: Live,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub added: u32,
    pub changed: u32,
}

/// Why a document was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing was written. A line each.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// What came before it stays.
    #[error("{0}")]
    Stopped(String),
}

impl Import {
    /// Loads a document.
    pub async fn load(&self, document: &Value) -> Result<Done, ImportError> {
        let plan = read::read(document).map_err(ImportError::Wrong)?;
        self.judge(&plan).await?;
        self.apply(&plan).await
    }
}
