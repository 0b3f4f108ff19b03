//! What nobody asks for: removing what has ended.

use super::Storage;
use super::space::Space;
use crate::error::StoreError;
use crate::pools::on;

/// Spaces that are looked at in one go.
const MOST_SPACES: i64 = 100;

impl Storage<'_> {
    /// Removes some of the entries and locks that have ended. False: there are none left.
    pub async fn purge(self) -> Result<bool, StoreError> {
        const SPACES: &str = "
            SELECT DISTINCT instance FROM storage_entry
            WHERE expires_ms <= (SELECT now_ms FROM clock) LIMIT $1";
        const LOCKS: &str =
            "DELETE FROM instance_lock WHERE until_ms <= (SELECT now_ms FROM clock)";
        let purged = async {
            let spaces: Vec<String> = on!(&self.store.pools, pool => {
                sqlx::query_scalar(SPACES).bind(MOST_SPACES).fetch_all(pool).await?
            });
            for instance in &spaces {
                let mut space = Space::begin(self.store, instance).await?;
                space.purge().await?;
                space.commit().await?;
            }
            on!(&self.store.pools, pool => sqlx::query(LOCKS).execute(pool).await.map(drop))?;
            Ok(!spaces.is_empty())
        };
        self.told("remove what has ended", purged.await)
    }
}
