//! Which deletions of users the mock was told of. `GET revoked` tells; the parameter `journal` names a file that outlives
//! the process.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use outboard_sdk::{Failure, Problem, Problems, Request, Response, RevokedUser};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Instance;
use crate::trouble::Trouble;

/// What the operator may configure.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    /// A file to write a line to for each that was answered.
    journal: Option<PathBuf>,
    /// Fail so often before the first success.
    fail: u32,
    /// Its only call is `revoke`.
    trouble: Trouble,
}

/// What was told.
pub(crate) struct Revoked {
    parameters: Parameters,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    failed: u32,
    users: Vec<Value>,
}

impl Revoked {
    pub(crate) fn new(parameters: Parameters) -> Result<Self, Problems> {
        let revoked = Self { parameters, told: Mutex::default() };
        revoked.journal().map_err(|error| {
            Problem::new("/revoke/journal", format!("can't be written: {error}"))
        })?;
        Ok(revoked)
    }

    pub(crate) async fn tell(&self, instance: &str, user: RevokedUser) -> Result<(), Failure> {
        let made = self.parameters.trouble.make("revoke", &user.name).await;
        made.map_err(Failure::internal)?;
        let deleted_at =
            user.deleted_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let line = json!({
            "instance": instance,
            "id": user.id,
            "name": user.name,
            "deleted_ms": deleted_at.map(|at| at.as_millis()),
        });
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.failed < self.parameters.fail {
            told.failed += 1;
            return Err(Failure::internal("failing in revoke, as asked"));
        }
        if let Some(mut journal) = self.journal()? {
            journal.write_all(format!("{line}\n").as_bytes())?;
        }
        told.users.push(line);
        Ok(())
    }

    fn journal(&self) -> std::io::Result<Option<File>> {
        let path = self.parameters.journal.as_ref();
        path.map(|path| File::options().create(true).append(true).open(path)).transpose()
    }
}

/// `GET revoked`: who was deleted, and how often that was not taken.
pub(crate) async fn list(instance: Arc<Instance>, _: Request) -> Response {
    let told = instance.revoked.told.lock().unwrap_or_else(PoisonError::into_inner);
    Response::json(&json!({ "failed": told.failed, "users": told.users }))
}
