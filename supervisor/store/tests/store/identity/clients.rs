//! Clients that this database keeps.

use outboard_core::identity::client::{Client, ClientId};
use outboard_store::identity::{IdentityError, Listing};

use super::*;
use crate::harness::{Database, on_both_databases};

fn client(id: &str) -> Client {
    Client {
        id: ClientId::new(id).unwrap(),
        name: Some(format!("Client {id}")),
        description: None,
        enabled: true,
        confidential: true,
        scopes: texts(&["openid"]),
        properties: Map::from_iter([("redirect_uri".to_owned(), json!(["https://x/"]))]),
        source: DATABASE.to_owned(),
        passwords: 0,
        revision: 0,
    }
}

on_both_databases! {
    async fn a_client_is_added_changed_and_deleted_with_its_consents(database: Database) {
        let store = database.open().await;
        let clients = store.clients();
        let mut expected = client("app");
        let added = clients.insert(&expected, &texts(&["hash"])).await.unwrap();
        (expected.passwords, expected.revision) = (1, 1);
        assert_eq!(added, expected);
        let error = clients.insert(&client("app"), &[]).await.unwrap_err();
        assert!(matches!(error, IdentityError::AlreadyExists { .. }), "{error}");

        (expected.name, expected.description) = (None, Some("what it is".to_owned()));
        (expected.enabled, expected.confidential) = (false, false);
        let updated = clients.update(&expected, Some(&[])).await.unwrap();
        (expected.passwords, expected.revision) = (0, 2);
        assert_eq!(updated, expected);
        assert_eq!(clients.passwords("app").await.unwrap(), [""; 0]);
        let error = clients.update(&Client { revision: 1, ..expected.clone() }, None).await.unwrap_err();
        assert!(matches!(error, IdentityError::Changed { expected: 1, found: 2, .. }), "{error}");

        add(&store, "id-1", "ada").await;
        store.consents().set("id-1", "app", &texts(&["openid"]), NOW).await.unwrap();
        assert!(clients.delete("app").await.unwrap());
        assert!(!clients.delete("app").await.unwrap());
        assert_eq!(clients.get("app").await.unwrap(), None);
        assert_eq!(store.consents().list("id-1").await.unwrap(), []);
        let error = clients.update(&expected, None).await.unwrap_err();
        assert!(matches!(error, IdentityError::NotFound { .. }), "{error}");
    }

    async fn ids_of_clients_differ_by_case_and_are_listed_in_the_order_of_their_bytes(database: Database) {
        let store = database.open().await;
        for id in ["b", "B", "a"] {
            store.clients().insert(&client(id), &[]).await.unwrap();
        }
        let ids = |clients: Vec<Client>| -> Vec<String> {
            clients.into_iter().map(|client| client.id.to_string()).collect()
        };
        assert_eq!(ids(store.clients().list(&Listing::ALL).await.unwrap()), ["B", "a", "b"]);
        let some = Listing { pattern: "client B", offset: 1, limit: 9 };
        assert_eq!(ids(store.clients().list(&some).await.unwrap()), ["b"]);
        assert_eq!(store.clients().count("client b").await.unwrap(), 2);
        assert_eq!(store.clients().count("").await.unwrap(), 3);
    }
}
