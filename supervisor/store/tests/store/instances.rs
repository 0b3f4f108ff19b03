//! Plugin instances, the same on both databases.

use crate::AWKWARD;
use crate::harness::{Database, on_both_databases};
use outboard_core::identity::kind::InstanceKind;
use outboard_store::{Instance, InstanceError, NewInstance, Parameters, Store};

fn parameters(text: &str) -> Parameters {
    Parameters::parse(text).unwrap()
}

async fn add(store: &Store, plugin: &str, name: &str) -> Instance {
    let parameters = Parameters::default();
    let new = NewInstance {
        plugin,
        name,
        display_name: name,
        parameters: &parameters,
        enabled: true,
        kind: InstanceKind::Plugin,
        rank: 0,
        readonly: false,
    };
    store.instances().insert(new).await.unwrap()
}

async fn names(store: &Store) -> Vec<String> {
    let instances = store.instances().list().await.unwrap();
    instances.into_iter().map(|instance| instance.name).collect()
}

/// An object that holds the text, with every character that JSON allows left as it is.
fn quoted(text: &str) -> String {
    format!("{{ \"text\": {} }}", serde_json::to_string(text).unwrap())
}

on_both_databases! {
    async fn an_added_instance_is_read_back_whole(database: Database) {
        let store = database.open().await;
        let parameters = parameters("{ \"b\": 1.50, \"a\" : [1e2], \"a\": null }\n");
        let added = store
            .instances()
            .insert(NewInstance {
                plugin: "oauth2",
                name: "glwd",
                display_name: "OAuth 2",
                parameters: &parameters,
                enabled: false,
                kind: InstanceKind::Plugin,
                rank: 0,
                readonly: false,
            })
            .await
            .unwrap();
        assert_eq!((added.plugin.as_str(), added.name.as_str()), ("oauth2", "glwd"));
        assert_eq!(added.display_name, "OAuth 2");
        assert_eq!(added.parameters, parameters);
        assert!(!added.enabled);
        assert_eq!(added.revision, 1);
        assert_eq!(added.created, added.updated);
        let age = time::OffsetDateTime::now_utc() - added.created;
        assert!(age.abs() < time::Duration::minutes(1), "created {age} ago");
        assert_eq!(store.instances().get("glwd").await.unwrap(), Some(added.clone()));
        assert_eq!(store.instances().list().await.unwrap(), [added]);
    }

    async fn an_empty_store_has_no_instances(database: Database) {
        let store = database.open().await;
        assert_eq!(store.instances().list().await.unwrap(), []);
        assert_eq!(store.instances().get("glwd").await.unwrap(), None);
    }

    async fn instances_are_listed_by_plugin_and_name_in_the_order_of_their_bytes(database: Database) {
        let store = database.open().await;
        for (plugin, name) in
            [("b", "1"), ("a", "é"), ("a", "z"), ("a", "B"), ("a", "a"), ("B", "2"), ("a", "a-b"), ("a", "aa")]
        {
            add(&store, plugin, name).await;
        }
        assert_eq!(names(&store).await, ["2", "B", "a", "a-b", "aa", "z", "é", "1"]);
    }

    async fn a_name_is_unique_across_plugins(database: Database) {
        let store = database.open().await;
        let first = add(&store, "slack", "news").await;
        let second = NewInstance {
            plugin: "mail",
            name: "news",
            display_name: "",
            parameters: &Parameters::default(),
            enabled: true,
            kind: InstanceKind::Plugin,
            rank: 0,
            readonly: false,
        };
        let error = store.instances().insert(second).await.unwrap_err();
        assert!(matches!(&error, InstanceError::AlreadyExists { name } if name == "news"), "{error}");
        assert_eq!(store.instances().list().await.unwrap(), [first]);
    }

    async fn names_that_differ_only_in_case_are_two(database: Database) {
        let store = database.open().await;
        add(&store, "slack", "news").await;
        add(&store, "slack", "News").await;
        assert_eq!(names(&store).await, ["News", "news"]);
    }

    async fn an_update_changes_display_name_and_parameters_only(database: Database) {
        let store = database.open().await;
        add(&store, "slack", "news").await;
        let before = store.instances().set_enabled("news", false).await.unwrap();
        let new = parameters(r#"{"channel":"x"}"#);
        let after = store.instances().update("news", "News", &new, None).await.unwrap();
        assert!(before.updated <= after.updated);
        assert_eq!(after.display_name, "News");
        assert_eq!(after.parameters, new);
        assert_eq!(
            (after.id, &after.plugin, &after.name, after.enabled, after.created),
            (before.id, &before.plugin, &before.name, false, before.created)
        );
        assert_eq!(after.revision, before.revision + 1);
        assert_eq!(store.instances().get("news").await.unwrap(), Some(after));
    }

    async fn an_update_of_an_old_revision_is_refused(database: Database) {
        let store = database.open().await;
        let seen = add(&store, "slack", "news").await;
        let none = Parameters::default();
        let first = store.instances().update("news", "first", &none, Some(seen.revision)).await;
        assert_eq!(first.unwrap().revision, 2);
        let error =
            store.instances().update("news", "second", &none, Some(seen.revision)).await.unwrap_err();
        assert!(matches!(error, InstanceError::Changed { expected: 1, found: 2, .. }), "{error}");
        let stored = store.instances().get("news").await.unwrap().unwrap();
        assert_eq!(stored.display_name, "first");
    }

    async fn of_many_updates_of_one_revision_one_wins(database: Database) {
        let store = database.open().await;
        add(&store, "slack", "news").await;
        let updates: Vec<_> = (0..20)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let none = Parameters::default();
                    store.instances().update("news", &n.to_string(), &none, Some(1)).await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for update in updates {
            match update.await.unwrap() {
                Ok(instance) => winners.push(instance),
                Err(error) => assert!(matches!(error, InstanceError::Changed { .. }), "{error}"),
            }
        }
        assert_eq!(winners, [store.instances().get("news").await.unwrap().unwrap()]);
    }

    async fn of_many_additions_of_one_name_one_wins(database: Database) {
        let store = database.open().await;
        let other = database.open().await;
        let additions: Vec<_> = (0..20)
            .map(|n| {
                let store = if n % 2 == 0 { store.clone() } else { other.clone() };
                tokio::spawn(async move {
                    let new = NewInstance {
                        plugin: "slack",
                        name: "news",
                        display_name: "",
                        parameters: &Parameters::default(),
                        enabled: true,
                        kind: InstanceKind::Plugin,
                        rank: 0,
                        readonly: false,
                    };
                    store.instances().insert(new).await
                })
            })
            .collect();
        let mut winners = 0;
        for addition in additions {
            match addition.await.unwrap() {
                Ok(_) => winners += 1,
                Err(error) => assert!(matches!(error, InstanceError::AlreadyExists { .. }), "{error}"),
            }
        }
        assert_eq!(winners, 1);
    }

    async fn what_runs_stays_until_new_parameters_are_applied(database: Database) {
        let store = database.open().await;
        add(&store, "slack", "news").await;
        let (old, new) = (Parameters::default(), parameters(r#"{"channel":"x"}"#));
        let updated = store.instances().update("news", "", &new, None).await.unwrap();
        assert_eq!((updated.running(), &updated.parameters), (&old, &new));
        let newer = parameters(r#"{"channel":"y"}"#);
        let updated = store.instances().update("news", "", &newer, None).await.unwrap();
        assert_eq!((updated.running(), &updated.parameters), (&old, &newer));
        let applied = store.instances().apply("news").await.unwrap();
        assert_eq!((applied.running(), applied.applied.as_ref(), applied.revision), (&newer, None, 4));
        assert_eq!(store.instances().apply("news").await.unwrap(), applied);
        store.instances().update("news", "", &new, None).await.unwrap();
        let back = store.instances().update("news", "", &newer, None).await.unwrap();
        assert_eq!(back.applied, None, "what runs is what is stored");
        let error = store.instances().apply("other").await.unwrap_err();
        assert!(matches!(error, InstanceError::NotFound { .. }), "{error}");
    }

    async fn an_instance_has_a_kind_and_a_rank(database: Database) {
        let store = database.open().await;
        for kind in [InstanceKind::Plugin, InstanceKind::Scheme, InstanceKind::UserBackend, InstanceKind::ClientBackend] {
            let new = NewInstance {
                plugin: "mock",
                name: kind.as_str(),
                display_name: "",
                parameters: &Parameters::default(),
                enabled: true,
                kind,
                rank: -3,
                readonly: true,
            };
            let added = store.instances().insert(new).await.unwrap();
            assert_eq!((added.kind, added.rank, added.readonly), (kind, -3, true));
            let arranged = store.instances().arrange(kind.as_str(), 7, false).await.unwrap();
            assert_eq!((arranged.kind, arranged.rank, arranged.readonly), (kind, 7, false));
        }
    }

    async fn enabling_twice_changes_once(database: Database) {
        let store = database.open().await;
        let added = add(&store, "slack", "news").await;
        assert_eq!(store.instances().set_enabled("news", true).await.unwrap(), added);
        let disabled = store.instances().set_enabled("news", false).await.unwrap();
        assert_eq!((disabled.enabled, disabled.revision), (false, 2));
        assert_eq!(store.instances().set_enabled("news", false).await.unwrap(), disabled);
    }

    async fn the_mark_is_another_one_after_each_change(database: Database) {
        let store = database.open().await;
        let instances = store.instances();
        let mut marks = vec![instances.mark().await.unwrap()];
        add(&store, "mock", "news").await;
        marks.push(instances.mark().await.unwrap());
        add(&store, "mock", "chat").await;
        marks.push(instances.mark().await.unwrap());
        instances.set_enabled("news", false).await.unwrap();
        marks.push(instances.mark().await.unwrap());
        instances.update("chat", "Chat", &Parameters::default(), None).await.unwrap();
        marks.push(instances.mark().await.unwrap());
        instances.delete("news").await.unwrap();
        marks.push(instances.mark().await.unwrap());
        add(&store, "mock", "news").await;
        marks.push(instances.mark().await.unwrap());
        for (n, mark) in marks.iter().enumerate() {
            assert_eq!(marks.iter().position(|it| it == mark), Some(n), "{marks:?}");
        }
        assert_eq!(instances.mark().await.ok().as_ref(), marks.last());
    }

    async fn a_deleted_instance_is_gone_and_its_id_is_not_used_again(database: Database) {
        let store = database.open().await;
        let first = add(&store, "slack", "news").await;
        assert_eq!(store.instances().delete("news").await.unwrap(), first);
        assert_eq!(store.instances().get("news").await.unwrap(), None);
        let second = add(&store, "slack", "news").await;
        assert_ne!(second.id, first.id);
        assert_eq!(second.revision, 1);
    }

    async fn what_is_not_there_is_said_to_be_missing(database: Database) {
        let store = database.open().await;
        add(&store, "slack", "news").await;
        let none = Parameters::default();
        for name in ["other", "", "news\0", "News", "' OR name = 'news", "news%"] {
            let instances = store.instances();
            for error in [
                instances.update(name, "", &none, None).await.unwrap_err(),
                instances.update(name, "", &none, Some(1)).await.unwrap_err(),
                instances.set_enabled(name, false).await.unwrap_err(),
                instances.delete(name).await.unwrap_err(),
            ] {
                assert!(matches!(error, InstanceError::NotFound { .. }), "{name:?}: {error}");
            }
            assert_eq!(instances.get(name).await.unwrap(), None, "{name:?}");
        }
    }

    async fn any_text_is_stored_as_it_is_and_none_of_it_runs(database: Database) {
        let store = database.open().await;
        for text in AWKWARD {
            let parameters = parameters(&quoted(text));
            let new = NewInstance {
                plugin: text,
                name: text,
                display_name: text,
                parameters: &parameters,
                enabled: true,
                kind: InstanceKind::Plugin,
                rank: 0,
                readonly: false,
            };
            let added = store.instances().insert(new).await.unwrap();
            let read = store.instances().get(text).await.unwrap().unwrap();
            assert_eq!(read, added, "{text:?}");
            assert_eq!((read.plugin.as_str(), read.name.as_str()), (text, text));
            assert_eq!(read.display_name, text);
        }
        assert_eq!(store.instances().list().await.unwrap().len(), AWKWARD.len());
        for text in AWKWARD {
            let parameters = parameters(&quoted(&text.repeat(2)));
            let updated = store.instances().update(text, text, &parameters, None).await.unwrap();
            assert_eq!(updated.parameters, parameters);
        }
        for text in AWKWARD {
            store.instances().delete(text).await.unwrap();
        }
        assert_eq!(store.instances().list().await.unwrap(), []);
    }

    async fn names_and_display_names_have_limits_that_are_named(database: Database) {
        let store = database.open().await;
        let none = Parameters::default();
        let (long, longer) = ("x".repeat(129), "é".repeat(129));
        for (plugin, name, display_name, expected) in [
            ("", "n", "d", "the plugin has 0 bytes; use 1 to 128"),
            ("p", "", "d", "the name has 0 bytes; use 1 to 128"),
            (&long, "n", "d", "the plugin has 129 bytes; use 1 to 128"),
            ("p", &long, "d", "the name has 129 bytes; use 1 to 128"),
            ("p", "n", &longer, "the display name has 258 bytes; use 0 to 256"),
            ("p\0", "n", "d", "the plugin has a NUL character; leave it out"),
            ("p", "n\0", "d", "the name has a NUL character; leave it out"),
            ("p", "n", "\0", "the display name has a NUL character; leave it out"),
        ] {
            let new =
                NewInstance { plugin, name, display_name, parameters: &none, enabled: true, kind: InstanceKind::Plugin, rank: 0, readonly: false };
            let error = store.instances().insert(new).await.unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        add(&store, &long[..128], &long[..128]).await;
        let error = store.instances().update(&long[..128], "\0", &none, None).await.unwrap_err();
        assert!(matches!(error, InstanceError::Nul { field: "display name" }), "{error}");
    }

    async fn parameters_of_one_mebibyte_are_kept(database: Database) {
        let store = database.open().await;
        add(&store, "slack", "news").await;
        let big = parameters(&format!("{{\"a\":\"{}\"}}", "é".repeat((1024 * 1024 - 8) / 2)));
        assert_eq!(big.as_str().len(), 1024 * 1024);
        store.instances().update("news", "", &big, None).await.unwrap();
        let read = store.instances().get("news").await.unwrap().unwrap();
        assert!(read.parameters == big);
    }

    async fn everything_is_still_there_after_closing_and_opening(database: Database) {
        let store = database.open().await;
        let added = add(&store, "slack", "news").await;
        store.close().await;
        assert!(store.instances().list().await.is_err());
        assert_eq!(database.open().await.instances().list().await.unwrap(), [added]);
    }
}
