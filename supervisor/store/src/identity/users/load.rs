//! Many users at once.

use std::collections::HashSet;

use outboard_core::identity::user::User;
use sqlx::QueryBuilder;

use super::Users;
use crate::error::StoreError;
use crate::identity::handle::{names_stored, properties_stored};
use crate::outbox::rows::{chunks, text};
use crate::pools::{Transaction, within};

/// A user, and the hashes of the passwords.
type Loaded = (User, Vec<String>);

impl Users<'_> {
    /// Adds many users, as [`Self::insert`] does, in one transaction. Those whose name or id is taken are left out. Gives
    /// how many were added.
    ///
    /// Thousands at a time are best: other writers of a SQLite file wait for each call.
    pub async fn load(self, users: &[Loaded]) -> Result<u64, StoreError> {
        let loaded = async {
            let mut transaction = self.store.pools.begin().await?;
            let mut added = 0;
            for chunk in chunks(users) {
                added += add(&mut transaction, chunk).await?;
            }
            transaction.commit().await?;
            Ok(added)
        };
        self.told("load users", loaded.await)
    }
}

async fn add(transaction: &mut Transaction, users: &[Loaded]) -> Result<u64, sqlx::Error> {
    let added = add_accounts(transaction, users).await?;
    let is_new = |(user, _): &&Loaded| added.contains(user.id.as_str());
    let new: Vec<&Loaded> = users.iter().filter(is_new).collect();
    for chunk in chunks(&new) {
        add_details(transaction, chunk).await?;
    }
    let hashes = |(user, hashes): &&&Loaded| -> Vec<(String, i64, String)> {
        let positions = (0..).zip(hashes);
        positions.map(|(at, hash)| (user.id.to_string(), at, hash.clone())).collect()
    };
    let passwords: Vec<_> = new.iter().flat_map(|one| hashes(&one)).collect();
    for chunk in chunks(&passwords) {
        add_passwords(transaction, chunk).await?;
    }
    Ok(added.len() as u64)
}

/// Gives the ids of those that are new.
async fn add_accounts(
    transaction: &mut Transaction,
    users: &[Loaded],
) -> Result<HashSet<String>, sqlx::Error> {
    const NOW: &str = "SELECT now_ms FROM clock";
    within!(transaction, connection => {
        let now_ms: i64 = sqlx::query_scalar(NOW).fetch_one(&mut *connection).await?;
        let mut query = QueryBuilder::new(
            "INSERT INTO account (id, source, name_key, username, created_ms) ",
        );
        query.push_values(users, |mut row, (user, _)| {
            row.push_bind(text(user.id.as_str()))
                .push("'database'")
                .push_bind(text(user.username.key()))
                .push_bind(text(user.username.shown()))
                .push_bind(now_ms);
        });
        query.push(" ON CONFLICT DO NOTHING RETURNING id");
        let ids: Vec<String> = query.build_query_scalar().fetch_all(connection).await?;
        Ok(ids.into_iter().collect())
    })
}

async fn add_details(transaction: &mut Transaction, users: &[&Loaded]) -> Result<(), sqlx::Error> {
    const NOW: &str = "SELECT now_ms FROM clock";
    within!(transaction, connection => {
        let now_ms: i64 = sqlx::query_scalar(NOW).fetch_one(&mut *connection).await?;
        let mut query = QueryBuilder::new(
            "INSERT INTO user_detail \
             (account, name, email, enabled, scopes, properties, last_login_ms, revision, updated_ms) ",
        );
        query.push_values(users, |mut row, (user, _)| {
            row.push_bind(text(user.id.as_str()))
                .push_bind(user.name.as_deref().map(text))
                .push_bind(user.email.as_deref().map(text))
                .push_bind(user.enabled)
                .push_bind(names_stored(&user.scopes))
                .push_bind(properties_stored(&user.properties))
                .push_bind(user.last_login_ms)
                .push("1")
                .push_bind(now_ms);
        });
        query.build().execute(connection).await.map(drop)
    })
}

async fn add_passwords(
    transaction: &mut Transaction,
    passwords: &[(String, i64, String)],
) -> Result<(), sqlx::Error> {
    within!(transaction, connection => {
        let mut query = QueryBuilder::new("INSERT INTO user_password (account, position, hash) ");
        query.push_values(passwords, |mut row, (account, position, hash)| {
            row.push_bind(account).push_bind(position).push_bind(text(hash));
        });
        query.build().execute(connection).await.map(drop)
    })
}
