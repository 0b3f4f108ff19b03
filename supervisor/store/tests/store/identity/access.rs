//! Scopes, settings of schemes, consents, API keys.

use outboard_core::identity::scheme::SchemeSettings;
use outboard_core::identity::scope::{Group, Scope};
use outboard_store::identity::{IdentityError, Listing, NewApiKey};

use super::*;
use crate::harness::{Database, on_both_databases};

fn scope(name: &str) -> Scope {
    Scope {
        name: name.to_owned(),
        display_name: "For people".to_owned(),
        description: "More'; --".to_owned(),
        password_required: true,
        password_max_age_s: 600,
        groups: vec![
            Group { name: "2".to_owned(), required: 2, schemes: texts(&["otp", "mail", "key"]) },
            Group { name: "1".to_owned(), required: 1, schemes: Vec::new() },
        ],
    }
}

on_both_databases! {
    async fn a_scope_is_read_back_with_its_groups_in_their_order(database: Database) {
        let store = database.open().await;
        let scopes = store.scopes();
        scopes.insert(&scope("b")).await.unwrap();
        scopes.insert(&Scope { groups: Vec::new(), ..scope("a") }).await.unwrap();
        let error = scopes.insert(&scope("b")).await.unwrap_err();
        assert!(matches!(error, IdentityError::AlreadyExists { .. }), "{error}");
        assert_eq!(scopes.get("b").await.unwrap(), Some(scope("b")));
        let listed = scopes.list(&Listing::ALL).await.unwrap();
        assert_eq!(listed, [Scope { groups: Vec::new(), ..scope("a") }, scope("b")]);
        let asked = texts(&["b", "none", "b", "\0"]);
        assert_eq!(scopes.get_many(&asked).await.unwrap(), [scope("b")]);
        assert_eq!(scopes.get_many(&[]).await.unwrap(), []);
        let found = scopes.list(&Listing { pattern: "FOR PEO", offset: 1, limit: 1 }).await.unwrap();
        assert_eq!(found, [scope("b")]);

        let mut changed = scope("b");
        changed.groups.swap(0, 1);
        (changed.password_required, changed.password_max_age_s) = (false, u64::MAX / 2);
        scopes.update(&changed).await.unwrap();
        assert_eq!(scopes.get("b").await.unwrap(), Some(changed));
        let error = scopes.update(&scope("c")).await.unwrap_err();
        assert!(matches!(error, IdentityError::NotFound { .. }), "{error}");
        assert!(scopes.delete("b").await.unwrap());
        assert!(!scopes.delete("b").await.unwrap());
    }

    async fn settings_of_a_scheme_are_written_over(database: Database) {
        let store = database.open().await;
        let first = SchemeSettings { expiration_s: 60, max_use: 3, ..SchemeSettings::default() };
        store.schemes().set("otp", &first).await.unwrap();
        assert_eq!(store.schemes().get("otp").await.unwrap(), Some(first));
        let second = SchemeSettings {
            allow_user_register: true,
            forbid_user_profile: true,
            forbid_user_reset_credential: true,
            ..SchemeSettings::default()
        };
        store.schemes().set("otp", &second).await.unwrap();
        let listed: Vec<_> = store.schemes().list().await.unwrap().into_iter().collect();
        assert_eq!(listed, [("otp".to_owned(), second)]);
        store.schemes().delete("otp").await.unwrap();
        assert_eq!(store.schemes().get("otp").await.unwrap(), None);
    }

    async fn a_consent_is_replaced_whole_and_keeps_the_time_of_what_stays(database: Database) {
        let store = database.open().await;
        let consents = store.consents();
        add(&store, "id-1", "ada").await;
        consents.set("id-1", "app", &texts(&["a", "b"]), NOW).await.unwrap();
        consents.set("id-1", "other", &texts(&["a"]), NOW).await.unwrap();
        consents.set("id-1", "app", &texts(&["b", "c", "c"]), NOW + 5).await.unwrap();
        let granted = consents.of("id-1", "app").await.unwrap();
        let granted: Vec<_> =
            granted.iter().map(|it| (it.scope.as_str(), it.granted_ms)).collect();
        assert_eq!(granted, [("b", NOW), ("c", NOW + 5)]);
        assert_eq!(consents.list("id-1").await.unwrap().len(), 3);
        assert!(consents.revoke("id-1", "app").await.unwrap());
        assert!(!consents.revoke("id-1", "app").await.unwrap());
        consents.forget_client("other").await.unwrap();
        assert_eq!(consents.list("id-1").await.unwrap(), []);
        // Nobody's consent is nobody's.
        consents.set("nobody", "app", &texts(&["a"]), NOW).await.unwrap();
        assert_eq!(consents.list("nobody").await.unwrap(), []);
    }

    async fn an_api_key_is_found_by_its_hash_counted_and_disabled(database: Database) {
        let store = database.open().await;
        let keys = store.api_keys();
        let scopes = texts(&["g_admin"]);
        let new = NewApiKey {
            hash: "abc",
            label: "Backup",
            scopes: &scopes,
            issued_by: "ada",
            issued_for: "192.0.2.1",
            user_agent: "curl",
            now_ms: NOW,
        };
        let added = keys.insert(&new).await.unwrap();
        assert_eq!((added.uses, added.enabled, added.created_ms), (0, true, NOW));
        keys.insert(&NewApiKey { hash: "def", now_ms: NOW + 1, label: "100%", ..new }).await.unwrap();
        keys.count_use("abc").await.unwrap();
        assert!(keys.set_enabled("abc", false).await.unwrap());
        assert!(!keys.set_enabled("ABC", false).await.unwrap());
        let found = keys.find("abc").await.unwrap().unwrap();
        assert_eq!((found.uses, found.enabled, found.scopes), (1, false, scopes.clone()));
        assert_eq!(keys.find("abd").await.unwrap(), None);
        let hashes = async |pattern: &str, offset: u64| -> Vec<String> {
            let keys = keys.list(&Listing { pattern, offset, limit: 9 }).await.unwrap();
            keys.into_iter().map(|key| key.hash).collect()
        };
        assert_eq!(hashes("", 0).await, ["def", "abc"]);
        assert_eq!(hashes("", 1).await, ["abc"]);
        assert_eq!(hashes("BACK", 0).await, ["abc"]);
        assert_eq!(hashes("0%", 0).await, ["def"]);
        assert!(keys.delete("def").await.unwrap());
        assert!(!keys.delete("def").await.unwrap());
    }
}
