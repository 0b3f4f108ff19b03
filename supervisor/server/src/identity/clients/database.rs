//! The clients that the host's own database keeps.

use outboard_core::identity::client::{Client, ClientDraft, ClientId};
use outboard_core::identity::property::Properties;
use outboard_core::identity::user::DATABASE;
use outboard_store::identity::Listing;

use crate::identity::passwords::Checked;
use crate::identity::{Failure, Parts};

#[derive(Clone, Copy)]
pub(super) struct Database<'a>(pub(super) &'a Parts);

impl Database<'_> {
    pub(super) async fn list(
        self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<Client>, Failure> {
        Ok(self.0.store.clients().list(&Listing { pattern, offset, limit }).await?)
    }

    pub(super) async fn count(self, pattern: &str) -> Result<u64, Failure> {
        Ok(self.0.store.clients().count(pattern).await?)
    }

    pub(super) async fn find(self, id: &ClientId) -> Result<Option<Client>, Failure> {
        Ok(self.0.store.clients().get(id.as_str()).await?)
    }

    pub(super) async fn add(self, id: &ClientId, draft: &ClientDraft) -> Result<Client, Failure> {
        let hashes = self.hashes(draft).await?.unwrap_or_default();
        let mut client = Client {
            id: id.clone(),
            name: None,
            description: None,
            enabled: true,
            confidential: false,
            scopes: Vec::new(),
            properties: Properties::new(),
            source: DATABASE.to_owned(),
            passwords: 0,
            revision: 1,
        };
        client.change(draft);
        Ok(self.0.store.clients().insert(&client, &hashes).await?)
    }

    pub(super) async fn change(
        self,
        mut client: Client,
        draft: &ClientDraft,
    ) -> Result<Client, Failure> {
        let hashes = self.hashes(draft).await?;
        client.change(draft);
        Ok(self.0.store.clients().update(&client, hashes.as_deref()).await?)
    }

    pub(super) async fn is_password(
        self,
        client: &Client,
        password: &str,
    ) -> Result<bool, Failure> {
        let hashes = self.0.store.clients().passwords(client.id.as_str()).await?;
        match self.0.passwords.check(password, hashes.clone()).await? {
            Checked::Wrong => Ok(false),
            Checked::Right { at, is_outdated } => {
                if is_outdated && let Some(old) = hashes.get(at) {
                    self.upgrade(client, old, password).await;
                }
                Ok(true)
            }
        }
    }

    pub(super) async fn remove(self, client: &Client) -> Result<(), Failure> {
        let deleted = self.0.store.clients().delete(client.id.as_str()).await?;
        if deleted { Ok(()) } else { Err(Failure::NotFound) }
    }

    /// The password was right, so whatever becomes of its new hash changes nothing.
    async fn upgrade(self, client: &Client, old: &str, password: &str) {
        let upgraded = async {
            let new = self.0.passwords.hash(password).await?;
            let clients = self.0.store.clients();
            Ok::<_, Failure>(clients.upgrade_password(client.id.as_str(), old, &new).await?)
        };
        if let Err(error) = upgraded.await {
            tracing::warn!(client = %client.id, %error, "a password keeps its old hash");
        }
    }

    async fn hashes(self, draft: &ClientDraft) -> Result<Option<Vec<String>>, Failure> {
        let Some(passwords) = &draft.password else { return Ok(None) };
        self.0.passwords.hash_all(passwords).await.map(Some)
    }
}
