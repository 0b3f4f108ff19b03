//! API keys, and what users grant to clients.

use outboard::identity::Failure;
use outboard_core::identity::client::ClientDraft;
use serde_json::json;

use crate::fixture::{Host, on_both_databases, texts};

on_both_databases! {
    async fn a_key_is_shown_once_and_opens_until_it_is_disabled(host: Host) {
        let keys = host.identity.keys();
        let (key, stored) =
            keys.create("CI", &texts(&["g_admin"]), "ann", &host.origin).await.unwrap();
        assert!(key.len() == 32 && stored.hash != key && stored.enabled);
        for sent in [format!("token {key}"), format!("Token  {key} ")] {
            let found = keys.check(&sent).await.unwrap().expect("the key");
            assert_eq!(found.scopes, ["g_admin"]);
        }
        for wrong in [
            key.clone(), format!("Bearer {key}"), format!("token {}", stored.hash), "token".into(),
            "token ".into(), format!("token {}", &key[..31]), format!("token {key}x"),
            format!("token {}", "\0".repeat(32)), "token ' OR 1=1 --".into(),
        ] {
            assert_eq!(keys.check(&wrong).await, Ok(None), "{wrong:?}");
        }
        let listed = keys.list("", 0, 10).await.unwrap();
        assert_eq!((listed.len(), listed[0].uses, listed[0].issued_by.as_str()), (1, 2, "ann"));
        assert!(!format!("{listed:?}").contains(&key));
        assert_eq!(keys.list("nothing like it", 0, 10).await.unwrap(), []);
        keys.disable(&stored.hash).await.unwrap();
        assert_eq!(keys.check(&format!("token {key}")).await, Ok(None));
        assert_eq!(keys.disable(&key).await, Err(Failure::NotFound), "the key does not name itself");
        assert!(matches!(keys.create("", &[], "ann", &host.origin).await, Err(Failure::Invalid(_))));
    }

    async fn a_user_grants_their_own_scopes(host: Host) {
        let ann = host.user("ann", &["a", "b", "gone"]).await;
        for name in ["a", "b", "c"] {
            host.scope(json!({ "name": name, "display_name": name.to_uppercase() })).await;
        }
        let draft = ClientDraft::from_json(&json!({ "client_id": "app", "name": "App" })).unwrap();
        host.identity.clients().add(&draft).await.unwrap();
        let consents = host.identity.consents();
        let asked = texts(&["c", "b", "a", "unknown"]);
        let grant = async || consents.grant("app", &ann, &asked).await.unwrap().to_json();
        let scope = |name: &str, granted: bool| {
            json!({ "name": name, "display_name": name.to_uppercase(), "description": "",
                    "password_required": true, "granted": granted })
        };
        assert_eq!(grant().await, json!({
            "client": { "client_id": "app", "name": "App" },
            "scope": [scope("b", false), scope("a", false)],
        }));
        consents.set("app", &ann, &texts(&["a", "c", "gone"])).await.unwrap();
        assert_eq!(grant().await["scope"], json!([scope("a", true), scope("b", false)]));
        assert_eq!(consents.set("app", &ann, &texts(&["c", "x"])).await, Err(Failure::Unauthorized));
        assert_eq!(grant().await["scope"], json!([scope("a", true), scope("b", false)]), "nothing changed");
        let listed = consents.list(&ann).await.unwrap();
        assert_eq!(listed[0].client_id, "app");
        assert_eq!(listed[0].scopes.keys().collect::<Vec<_>>(), ["a"]);
        consents.set("app", &ann, &[]).await.unwrap();
        assert_eq!(consents.list(&ann).await.unwrap(), []);
        consents.set("app", &ann, &texts(&["b"])).await.unwrap();
        consents.revoke(&ann, "app").await.unwrap();
        assert_eq!(consents.revoke(&ann, "app").await, Err(Failure::NotFound));
        assert_eq!(consents.set("gone", &ann, &texts(&["a"])).await, Err(Failure::NotFound));
        assert!(matches!(consents.grant("app", &ann, &[]).await, Err(Failure::Invalid(_))));
        let bob = host.user("bob", &["a"]).await;
        consents.set("app", &bob, &texts(&["a"])).await.unwrap();
        assert_eq!(grant().await["scope"][0]["granted"], json!(false), "bob's consent is bob's");
    }
}
