//! The users that the host's own database keeps.

use outboard_core::identity::name::UserName;
use outboard_core::identity::property::Properties;
use outboard_core::identity::user::{DATABASE, User, UserDraft, UserId};
use outboard_store::identity::Listing;

use crate::identity::passwords::Checked;
use crate::identity::{Failure, Parts};

#[derive(Clone, Copy)]
pub(in crate::identity) struct Database<'a>(pub(super) &'a Parts);

impl Database<'_> {
    pub(super) async fn list(
        self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<User>, Failure> {
        Ok(self.0.store.users().list(&Listing { pattern, offset, limit }).await?)
    }

    pub(super) async fn count(self, pattern: &str) -> Result<u64, Failure> {
        Ok(self.0.store.users().count(pattern).await?)
    }

    pub(super) async fn find(self, name: &UserName) -> Result<Option<User>, Failure> {
        Ok(self.0.store.users().get(name.key()).await?)
    }

    pub(super) async fn add(
        self,
        name: &UserName,
        draft: &UserDraft,
        hashes: Option<Vec<String>>,
    ) -> Result<User, Failure> {
        let hashes = match hashes {
            Some(hashes) => hashes,
            None => self.hashes(draft).await?.unwrap_or_default(),
        };
        Ok(self.0.store.users().insert(&new(name, draft), &hashes).await?)
    }

    pub(super) async fn change(self, mut user: User, draft: &UserDraft) -> Result<User, Failure> {
        let hashes = self.hashes(draft).await?;
        user.change(draft);
        Ok(self.0.store.users().update(&user, hashes.as_deref()).await?)
    }

    pub(super) async fn is_password(self, user: &User, password: &str) -> Result<bool, Failure> {
        let hashes = self.0.store.users().passwords(user.id.as_str()).await?;
        match self.0.passwords.check(password, hashes.clone()).await? {
            Checked::Wrong => Ok(false),
            Checked::Right { at, is_outdated } => {
                if is_outdated && let Some(old) = hashes.get(at) {
                    self.upgrade(user, old, password).await;
                }
                Ok(true)
            }
        }
    }

    /// The password was right, so whatever becomes of its new hash changes nothing.
    async fn upgrade(self, user: &User, old: &str, password: &str) {
        let upgraded = async {
            let new = self.0.passwords.hash(password).await?;
            let users = self.0.store.users();
            Ok::<_, Failure>(users.upgrade_password(user.id.as_str(), old, &new).await?)
        };
        match upgraded.await {
            Ok(_) => tracing::debug!(user = %user.id, "hashed a password anew"),
            Err(error) => tracing::warn!(user = %user.id, %error, "a password keeps its old hash"),
        }
    }

    async fn hashes(self, draft: &UserDraft) -> Result<Option<Vec<String>>, Failure> {
        let Some(passwords) = &draft.password else { return Ok(None) };
        self.0.passwords.hash_all(passwords).await.map(Some)
    }
}

/// A user to be, under an id of its own.
fn new(name: &UserName, draft: &UserDraft) -> User {
    let mut user = User {
        id: UserId::stored(uuid::Uuid::now_v7().to_string()),
        username: name.clone(),
        name: None,
        email: None,
        enabled: true,
        scopes: Vec::new(),
        properties: Properties::new(),
        source: DATABASE.to_owned(),
        passwords: 0,
        last_login_ms: None,
        revision: 1,
    };
    user.change(draft);
    user
}
