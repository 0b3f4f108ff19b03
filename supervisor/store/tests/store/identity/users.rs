//! Users that this database keeps.

use outboard_store::identity::{IdentityError, Listing};

use super::*;
use crate::AWKWARD;
use crate::harness::{Database, on_both_databases};

fn some(pattern: &str) -> Listing<'_> {
    Listing { pattern, offset: 0, limit: 100 }
}

async fn names(store: &Store, listing: Listing<'_>) -> Vec<String> {
    let users = store.users().list(&listing).await.unwrap();
    users.into_iter().map(|user| user.username.shown().to_owned()).collect()
}

on_both_databases! {
    async fn an_added_user_is_read_back_whole(database: Database) {
        let store = database.open().await;
        let mut expected = user("id-1", "Ada");
        let added = store.users().insert(&expected, &texts(&["one", "two"])).await.unwrap();
        (expected.passwords, expected.revision) = (2, 1);
        assert_eq!(added, expected);
        assert_eq!(store.users().get("ada").await.unwrap(), Some(expected.clone()));
        assert_eq!(store.users().get_by_id("id-1").await.unwrap(), Some(expected));
        assert_eq!(store.users().passwords("id-1").await.unwrap(), ["one", "two"]);
        for (missing, id) in [("Ada", "ID-1"), ("", ""), ("ada\0", "id-1\0"), ("a%", "id-_")] {
            assert_eq!(store.users().get(missing).await.unwrap(), None, "{missing:?}");
            assert_eq!(store.users().get_by_id(id).await.unwrap(), None, "{id:?}");
        }
    }

    async fn a_name_belongs_to_one_user_however_it_is_written(database: Database) {
        let store = database.open().await;
        let first = add(&store, "id-1", "Ada").await;
        let error = store.users().insert(&user("id-2", "aDA"), &[]).await.unwrap_err();
        assert!(matches!(&error, IdentityError::AlreadyExists { name, .. } if name == "aDA"), "{error}");
        assert_eq!(store.users().get("ada").await.unwrap(), Some(first));
        assert_eq!(store.users().get_by_id("id-2").await.unwrap(), None);
    }

    async fn of_many_who_add_one_name_one_wins(database: Database) {
        let store = database.open().await;
        let adding: Vec<_> = (0..20)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { store.users().insert(&user(&format!("id-{n}"), "ada"), &[]).await })
            })
            .collect();
        let mut winners = Vec::new();
        for added in adding {
            match added.await.unwrap() {
                Ok(user) => winners.push(user),
                Err(error) => assert!(matches!(error, IdentityError::AlreadyExists { .. }), "{error}"),
            }
        }
        assert_eq!(winners, [store.users().get("ada").await.unwrap().unwrap()]);
    }

    async fn an_update_replaces_all_but_id_and_name(database: Database) {
        let store = database.open().await;
        let mut changed = add(&store, "id-1", "ada").await;
        (changed.name, changed.email, changed.enabled) = (None, None, false);
        changed.scopes = texts(&["b", "a"]);
        changed.properties.clear();
        let mut expected = changed.clone();
        expected.revision = 2;
        assert_eq!(store.users().update(&changed, None).await.unwrap(), expected);
        assert_eq!(store.users().passwords("id-1").await.unwrap(), ["hash"]);
        let hashes = texts(&["new", "newer"]);
        let updated = store.users().update(&expected, Some(&hashes)).await.unwrap();
        assert_eq!((updated.passwords, updated.revision), (2, 3));
        assert_eq!(store.users().passwords("id-1").await.unwrap(), hashes);
    }

    async fn of_many_updates_of_one_revision_one_wins_with_its_passwords(database: Database) {
        let store = database.open().await;
        let seen = add(&store, "id-1", "ada").await;
        let updates: Vec<_> = (0..20)
            .map(|n| {
                let store = store.clone();
                let mine = User { name: Some(n.to_string()), ..seen.clone() };
                tokio::spawn(async move { store.users().update(&mine, Some(&[n.to_string()])).await })
            })
            .collect();
        let mut winners = Vec::new();
        for update in updates {
            match update.await.unwrap() {
                Ok(user) => winners.push(user),
                Err(error) => assert!(matches!(error, IdentityError::Changed { expected: 1, found: 2, .. }), "{error}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(store.users().passwords("id-1").await.unwrap(), [winners.remove(0).name.unwrap()]);
    }

    async fn a_user_who_is_not_there_is_not_updated(database: Database) {
        let store = database.open().await;
        let error = store.users().update(&user("id-1", "ada"), None).await.unwrap_err();
        assert!(matches!(error, IdentityError::NotFound { .. }), "{error}");
        assert_eq!(store.users().passwords("id-1").await.unwrap(), [""; 0]);
    }

    async fn a_hash_is_upgraded_only_while_it_is_there(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        assert!(store.users().upgrade_password("id-1", "hash", "better").await.unwrap());
        assert!(!store.users().upgrade_password("id-1", "hash", "worse").await.unwrap());
        let found = store.users().get("ada").await.unwrap().unwrap();
        store.users().update(&found, Some(&texts(&["other"]))).await.unwrap();
        assert!(!store.users().upgrade_password("id-1", "better", "old").await.unwrap());
        assert_eq!(store.users().passwords("id-1").await.unwrap(), ["other"]);
    }

    async fn users_are_listed_by_name_in_pages(database: Database) {
        let store = database.open().await;
        for (id, name) in [("id-1", "carol"), ("id-2", "Bob"), ("id-3", "alice"), ("id-4", "Dave")] {
            add(&store, id, name).await;
        }
        assert_eq!(names(&store, Listing::ALL).await, ["alice", "Bob", "carol", "Dave"]);
        assert_eq!(names(&store, Listing { pattern: "", offset: 1, limit: 2 }).await, ["Bob", "carol"]);
        assert_eq!(names(&store, Listing { pattern: "", offset: u64::MAX, limit: 2 }).await, [""; 0]);
        assert_eq!(names(&store, Listing { pattern: "", offset: 0, limit: 0 }).await, [""; 0]);
        assert_eq!(store.users().count("").await.unwrap(), 4);
        // In the name, in the name for people, in the e-mail, in any case.
        for (pattern, expected) in [
            ("AR", vec!["carol"]),
            ("the ", vec!["alice", "Bob", "carol", "Dave"]),
            ("BOB@example.ORG", vec!["Bob"]),
            ("%", vec![]),
            ("_", vec![]),
            ("\\", vec![]),
            ("\0", vec![]),
            ("' OR ''='", vec![]),
        ] {
            assert_eq!(names(&store, some(pattern)).await, expected, "{pattern:?}");
            assert_eq!(store.users().count(pattern).await.unwrap(), expected.len() as u64);
        }
        assert_eq!(names(&store, Listing { pattern: "e", offset: 1, limit: 2 }).await, ["Bob", "carol"]);
        let found = store.users().with_email("bOb@EXAMPLE.org", 10).await.unwrap();
        assert_eq!(found.len(), 1);
    }

    async fn any_text_is_stored_as_it_is_and_found_by_a_pattern(database: Database) {
        let store = database.open().await;
        for (n, awkward) in AWKWARD.iter().enumerate() {
            let (id, username) = (format!("id-{n}"), format!("user{n}"));
            let mut new = user(&id, &username);
            (new.name, new.email) = (Some((*awkward).to_owned()), None);
            new.scopes = texts(&[awkward]);
            new.properties = Map::from_iter([((*awkward).to_owned(), json!(awkward))]);
            let added = store.users().insert(&new, &texts(&[awkward])).await.unwrap();
            assert_eq!((&added.name, &added.scopes), (&new.name, &new.scopes), "{awkward:?}");
            assert_eq!(added.properties, new.properties);
            assert_eq!(store.users().passwords(&id).await.unwrap(), [*awkward]);
            let found = names(&store, some(awkward)).await;
            assert!(found.contains(&username), "{awkward:?}: {found:?}");
        }
        // Only PostgreSQL can't store it, so nobody does.
        let mut new = user("id-nul", "nul");
        (new.name, new.scopes) = (Some("a\0b".to_owned()), texts(&["s\0"]));
        new.properties = Map::from_iter([("p\0".to_owned(), json!("\0"))]);
        let added = store.users().insert(&new, &[]).await.unwrap();
        assert_eq!(added.name.as_deref(), Some("a\u{fffd}b"));
        assert_eq!((added.scopes, added.properties), (new.scopes, new.properties));
    }
}

/// Many, each with two hashes.
fn many(first: usize, count: usize) -> Vec<(User, Vec<String>)> {
    let one = |n: usize| (user(&format!("id-{n}"), &format!("user{n}")), texts(&["one", "two"]));
    (first..first + count).map(one).collect()
}

on_both_databases! {
    async fn many_are_loaded_at_once_and_those_that_are_there_stay(database: Database) {
        let store = database.open().await;
        let there = add(&store, "id-other", "USER7").await;
        let mut users = many(0, 1000);
        users.push((user("id-again", "user9"), Vec::new()));
        (users[3].0.last_login_ms, users[3].0.enabled, users[3].1) = (Some(NOW), false, Vec::new());
        assert_eq!(store.users().load(&users).await.unwrap(), 999);
        assert_eq!(store.users().load(&users).await.unwrap(), 0);
        assert_eq!(store.users().count("").await.unwrap(), 1000);
        assert_eq!(store.users().get("user7").await.unwrap(), Some(there));
        for n in [0, 9, 999] {
            let mut expected = users[n].0.clone();
            (expected.passwords, expected.revision) = (2, 1);
            assert_eq!(store.users().get(&format!("user{n}")).await.unwrap(), Some(expected.clone()));
            assert_eq!(store.users().passwords(&format!("id-{n}")).await.unwrap(), ["one", "two"]);
            let both = store.users().get_with_passwords(&format!("user{n}")).await.unwrap();
            assert_eq!(both, Some((expected, texts(&["one", "two"]))));
        }
        assert_eq!(store.users().get_with_passwords("nobody").await.unwrap(), None);
        let third = store.users().get("user3").await.unwrap().unwrap();
        let both = store.users().get_with_passwords("user3").await.unwrap();
        assert_eq!(both, Some((third.clone(), Vec::new())), "without a password");
        assert_eq!((third.passwords, third.enabled, third.last_login_ms), (0, false, Some(NOW)));
        assert_eq!(store.users().load(&many(1000, 1)).await.unwrap(), 1);
        assert_eq!(store.users().load(&[]).await.unwrap(), 0);
    }
}
