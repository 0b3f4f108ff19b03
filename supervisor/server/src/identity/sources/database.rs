//! Those whom the host's own database keeps.

use outboard_core::identity::name::UserName;
use outboard_core::identity::user::{DATABASE, User};
use outboard_store::identity::{Listing, Principals};

use super::Principal;
use crate::identity::passwords::Checked;
use crate::identity::{Failure, Parts};

pub(in crate::identity) struct Database<'a, P> {
    parts: &'a Parts,
    kept: Principals<'a, P>,
}

impl<'a, P: Principal> Database<'a, P> {
    pub(super) fn new(parts: &'a Parts) -> Self {
        Self { parts, kept: parts.store.principals() }
    }

    pub(super) async fn list(
        &self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<P>, Failure> {
        Ok(self.kept.list(&Listing { pattern, offset, limit }).await?)
    }

    pub(super) async fn count(&self, pattern: &str) -> Result<u64, Failure> {
        Ok(self.kept.count(pattern).await?)
    }

    pub(super) async fn find(&self, name: &P::Name) -> Result<Option<P>, Failure> {
        Ok(self.kept.get(P::key(name)).await?)
    }

    pub(super) async fn add(
        &self,
        name: P::Name,
        draft: &P::Draft,
        hashes: Option<Vec<String>>,
    ) -> Result<P, Failure> {
        let hashes = match hashes {
            Some(hashes) => hashes,
            None => self.hashes(draft).await?.unwrap_or_default(),
        };
        let mut new = P::new(name, DATABASE);
        new.apply(draft);
        Ok(self.kept.insert(&new, &hashes).await?)
    }

    pub(super) async fn change(&self, mut found: P, draft: &P::Draft) -> Result<P, Failure> {
        let hashes = self.hashes(draft).await?;
        found.apply(draft);
        Ok(self.kept.update(&found, hashes.as_deref()).await?)
    }

    pub(super) async fn is_password(&self, found: &P, password: &str) -> Result<bool, Failure> {
        let hashes = self.kept.passwords(found.id()).await?;
        self.is_one_of(found.id(), password, hashes).await
    }

    async fn is_one_of(
        &self,
        id: &str,
        password: &str,
        hashes: Vec<String>,
    ) -> Result<bool, Failure> {
        match self.parts.passwords.check(password, hashes.clone()).await? {
            Checked::Wrong => Ok(false),
            Checked::Right { at, is_outdated } => {
                if is_outdated && let Some(old) = hashes.get(at) {
                    self.upgrade(id, old, password).await;
                }
                Ok(true)
            }
        }
    }

    /// The password was right, so whatever becomes of its new hash changes nothing.
    async fn upgrade(&self, id: &str, old: &str, password: &str) {
        let upgraded = async {
            let new = self.parts.passwords.hash(password).await?;
            Ok::<_, Failure>(self.kept.upgrade_password(id, old, &new).await?)
        };
        let kind = P::THING;
        match upgraded.await {
            Ok(_) => tracing::debug!(%kind, id, "hashed a password anew"),
            Err(error) => tracing::warn!(%kind, id, %error, "a password keeps its old hash"),
        }
    }

    async fn hashes(&self, draft: &P::Draft) -> Result<Option<Vec<String>>, Failure> {
        let Some(passwords) = P::passwords_in(draft) else { return Ok(None) };
        self.parts.passwords.hash_all(passwords).await.map(Some)
    }
}

impl Database<'_, User> {
    /// The user of this name, and whether that is the password: asked for together.
    pub(in crate::identity) async fn check_password(
        &self,
        name: &UserName,
        password: &str,
    ) -> Result<Option<(User, bool)>, Failure> {
        let Some((user, hashes)) = self.kept.get_with_passwords(name.key()).await? else {
            return Ok(None);
        };
        let is_right = self.is_one_of(user.id.as_str(), password, hashes).await?;
        Ok(Some((user, is_right)))
    }
}
