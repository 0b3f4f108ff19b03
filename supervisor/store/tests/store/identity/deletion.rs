//! The end of users, and who is told.

use outboard_core::identity::kind::InstanceKind;
use outboard_store::identity::{IdentityError, Revocation};
use outboard_store::{NewInstance, Parameters};

use super::*;
use crate::harness::{Database, on_both_databases};

/// With instances that have begun, and are enabled.
async fn delete(store: &Store, id: &str, instances: &[&str]) -> bool {
    begin(store, instances).await;
    let holding = store.accounts().delete(id, &texts(instances), NOW).await.unwrap();
    holding.is_some_and(|holding| holding == texts(instances))
}

async fn begin(store: &Store, instances: &[&str]) {
    for instance in instances {
        store.revocations().begin(instance).await.unwrap();
    }
}

/// Whom an instance has missed.
async fn missed(store: &Store, instance: &str) -> Vec<String> {
    let missed = store.revocations().missed(instance, 99).await.unwrap();
    missed.into_iter().map(|it| it.account).collect()
}

/// Whom to tell about whom.
fn told(revocations: &[Revocation]) -> Vec<(&str, &str)> {
    revocations.iter().map(|it| (it.instance.as_str(), it.account.as_str())).collect()
}

on_both_databases! {
    async fn everything_of_a_deleted_user_is_gone_and_nothing_of_others(database: Database) {
        let store = database.open().await;
        for (id, name) in [("id-1", "ada"), ("id-2", "bob")] {
            add(&store, id, name).await;
            store.consents().set(id, "app", &texts(&["a"]), NOW).await.unwrap();
        }
        store.sessions().sign_in(&sign_in("alone", "id-1")).await.unwrap();
        store.sessions().sign_in(&sign_in("shared", "id-2")).await.unwrap();
        let shared = SignIn { previous: Some("shared"), ..sign_in("shared", "id-1") };
        store.sessions().sign_in(&shared).await.unwrap();

        assert!(delete(&store, "id-1", &["slack", "otp"]).await);
        assert!(!delete(&store, "id-1", &["slack"]).await);
        assert!(!delete(&store, "nobody", &["slack"]).await);
        assert_eq!(store.users().get("ada").await.unwrap(), None);
        assert_eq!(store.users().count("").await.unwrap(), 1);
        assert_eq!(store.users().passwords("id-1").await.unwrap(), [""; 0]);
        assert_eq!(store.consents().list("id-1").await.unwrap(), []);
        assert_eq!(store.consents().list("id-2").await.unwrap().len(), 1);
        assert_eq!(store.sessions().find("alone", NOW).await.unwrap(), None);
        let session = store.sessions().find("shared", NOW).await.unwrap().unwrap();
        assert_eq!(session.users.len(), 1);
        assert_eq!(session.users[0].account, "id-2");
        assert!(!store.sessions().sign_in(&sign_in("again", "id-1")).await.unwrap());
        let account = store.accounts().get("id-1").await.unwrap().unwrap();
        assert_eq!(account.deleted_ms, Some(NOW));
    }

    async fn a_name_is_free_again_when_all_have_been_told(database: Database) {
        let store = database.open().await;
        let revocations = store.revocations();
        add(&store, "id-1", "Ada").await;
        delete(&store, "id-1", &["slack", "otp"]).await;
        let error = store.users().insert(&user("id-2", "ada"), &[]).await.unwrap_err();
        assert!(matches!(&error, IdentityError::Held { name } if name == "ada"), "{error}");
        let due = revocations.due(NOW, 9).await.unwrap();
        assert_eq!(told(&due), [("otp", "id-1"), ("slack", "id-1")]);
        assert_eq!((due[0].username.as_str(), due[0].deleted_ms, due[0].attempts), ("Ada", NOW, 0));

        revocations.failed("id-1", "otp", "it was down", NOW + 50).await.unwrap();
        assert_eq!(told(&revocations.due(NOW, 9).await.unwrap()), [("slack", "id-1")]);
        assert_eq!(revocations.next_ms().await.unwrap(), Some(NOW));
        assert!(!revocations.answered("id-1", "slack").await.unwrap());
        assert_eq!(revocations.next_ms().await.unwrap(), Some(NOW + 50));
        assert_eq!(told(&revocations.due(NOW + 49, 9).await.unwrap()), []);
        let left = revocations.of_instance("otp").await.unwrap();
        assert_eq!((left[0].attempts, left[0].last_error.as_deref()), (1, Some("it was down")));
        assert_eq!(revocations.list().await.unwrap(), left);

        assert!(revocations.answered("id-1", "otp").await.unwrap());
        assert!(!revocations.answered("id-1", "otp").await.unwrap());
        assert_eq!(store.accounts().get("id-1").await.unwrap(), None);
        let again = store.users().insert(&user("id-2", "ada"), &[]).await.unwrap();
        assert_eq!(again.id.as_str(), "id-2");
    }

    async fn of_many_who_tell_the_last_ones_one_frees_the_name(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        let instances: Vec<String> = (0..12).map(|n| format!("i{n}")).collect();
        for instance in &instances {
            store.revocations().begin(instance).await.unwrap();
        }
        store.accounts().delete("id-1", &instances, NOW).await.unwrap();
        let telling: Vec<_> = instances
            .into_iter()
            .map(|instance| {
                let store = store.clone();
                tokio::spawn(async move { store.revocations().answered("id-1", &instance).await.unwrap() })
            })
            .collect();
        let mut freed = 0;
        for told in telling {
            freed += usize::from(told.await.unwrap());
        }
        assert_eq!(freed, 1);
        add(&store, "id-2", "ada").await;
    }

    async fn a_name_that_nobody_is_told_of_is_free_at_once(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        delete(&store, "id-1", &[]).await;
        add(&store, "id-2", "ada").await;
    }

    async fn a_name_is_freed_by_force_but_not_that_of_a_living_user(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        assert!(!store.revocations().force("database", "ada").await.unwrap());
        delete(&store, "id-1", &["slack"]).await;
        assert!(store.revocations().force("database", "ada").await.unwrap());
        assert_eq!(store.revocations().list().await.unwrap(), []);
        add(&store, "id-2", "ada").await;
    }

    async fn nobody_waits_for_an_instance_that_is_gone_for_good(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        add(&store, "id-2", "bob").await;
        delete(&store, "id-1", &["slack"]).await;
        delete(&store, "id-2", &["slack", "otp"]).await;
        assert_eq!(store.revocations().forget_instance("slack").await.unwrap(), 1);
        assert_eq!(told(&store.revocations().list().await.unwrap()), [("otp", "id-2")]);
        add(&store, "id-3", "ada").await;
    }

    async fn who_is_away_holds_no_name_and_is_told_in_order_when_it_is_back(database: Database) {
        let store = database.open().await;
        let revocations = store.revocations();
        begin(&store, &["away", "slack"]).await;
        for (id, name) in [("id-1", "Ada"), ("id-2", "bob"), ("id-3", "eve")] {
            add(&store, id, name).await;
            assert!(delete(&store, id, &["slack"]).await);
            assert!(revocations.answered(id, "slack").await.unwrap());
            assert_eq!(store.accounts().get(id).await.unwrap(), None);
        }
        assert_eq!(revocations.behind().await.unwrap(), ["away"]);
        let all = revocations.missed("away", 2).await.unwrap();
        assert_eq!((all[0].username.as_str(), all[0].deleted_ms), ("Ada", NOW));
        assert_eq!(all.len(), 2);
        revocations.heard("away", all[0].seq).await.unwrap();
        assert_eq!(missed(&store, "away").await, ["id-2", "id-3"]);
        revocations.heard("away", all[1].seq).await.unwrap();
        revocations.heard("away", all[0].seq).await.unwrap();
        assert_eq!(missed(&store, "away").await, ["id-3"]);
        assert_eq!(missed(&store, "slack").await, [""; 0]);

        // It is back, and the next deletion waits for it.
        add(&store, "id-4", "ada").await;
        let instances = texts(&["away", "slack"]);
        let holding = store.accounts().delete("id-4", &instances, NOW).await.unwrap();
        assert_eq!(holding, Some(instances));
        assert!(revocations.behind().await.unwrap().is_empty());
    }

    async fn what_was_before_an_instance_is_nothing_to_it(database: Database) {
        let store = database.open().await;
        begin(&store, &["away"]).await;
        add(&store, "id-1", "ada").await;
        // Enabled, but it has never begun: it knows nobody.
        let holding = store.accounts().delete("id-1", &texts(&["new"]), NOW).await.unwrap();
        assert_eq!(holding, Some(Vec::new()));
        begin(&store, &["new", "new"]).await;
        assert_eq!(missed(&store, "new").await, [""; 0]);
        assert_eq!(missed(&store, "away").await, ["id-1"]);
        add(&store, "id-2", "ada").await;
        assert!(delete(&store, "id-2", &[]).await);
        assert_eq!(missed(&store, "new").await, ["id-2"]);
        assert_eq!(missed(&store, "away").await, ["id-1", "id-2"]);
        assert_eq!(missed(&store, "nobody").await, [""; 0]);
    }

    async fn what_an_instance_missed_goes_with_it_or_is_given_up(database: Database) {
        let store = database.open().await;
        let new = NewInstance {
            plugin: "mock",
            name: "away",
            display_name: "",
            parameters: &Parameters::default(),
            enabled: false,
            kind: InstanceKind::Plugin,
            rank: 0,
            readonly: false,
        };
        store.instances().insert(new).await.unwrap();
        begin(&store, &["away", "other"]).await;
        add(&store, "id-1", "ada").await;
        add(&store, "id-2", "bob").await;
        assert!(delete(&store, "id-1", &[]).await);
        assert!(delete(&store, "id-2", &["other"]).await);
        store.instances().delete("away").await.unwrap();
        begin(&store, &["away"]).await;
        assert_eq!(missed(&store, "away").await, [""; 0]);

        assert!(store.revocations().give_up("other").await.unwrap());
        assert!(!store.revocations().give_up("nobody").await.unwrap());
        assert_eq!(missed(&store, "other").await, [""; 0]);
        assert_eq!(store.revocations().list().await.unwrap(), []);
        add(&store, "id-3", "bob").await;
    }

    async fn what_all_know_is_removed_and_what_is_too_old_is_forgotten(database: Database) {
        let store = database.open().await;
        let revocations = store.revocations();
        begin(&store, &["away", "late"]).await;
        for (n, id) in ["id-1", "id-2", "id-3"].into_iter().enumerate() {
            add(&store, id, id).await;
            let now = NOW + i64::try_from(n).unwrap();
            store.accounts().delete(id, &[], now).await.unwrap();
        }
        let all = revocations.missed("late", 9).await.unwrap();
        revocations.heard("away", all[2].seq).await.unwrap();
        revocations.heard("late", all[0].seq).await.unwrap();
        revocations.purge(NOW).await.unwrap();
        assert_eq!(missed(&store, "late").await, ["id-2", "id-3"]);
        assert!(!revocations.is_too_late("late").await.unwrap());
        revocations.purge(NOW + 2).await.unwrap();
        assert_eq!(missed(&store, "late").await, ["id-3"]);
        assert!(revocations.is_too_late("late").await.unwrap());
        assert!(!revocations.is_too_late("away").await.unwrap());
        assert!(revocations.give_up("late").await.unwrap());
        assert!(!revocations.is_too_late("late").await.unwrap());
        assert_eq!(missed(&store, "late").await, [""; 0]);
    }

    async fn who_begins_while_many_are_deleted_misses_none_behind_another(database: Database) {
        let store = database.open().await;
        begin(&store, &["away"]).await;
        for n in 0..12 {
            add(&store, &format!("id-{n}"), &format!("user{n}")).await;
        }
        let deleting: Vec<_> = (0..12)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let name = format!("new{n}");
                    store.revocations().begin(&name).await.unwrap();
                    store.accounts().delete(&format!("id-{n}"), &[], NOW).await.unwrap();
                    (name, format!("id-{n}"))
                })
            })
            .collect();
        for deleted in deleting {
            let (name, id) = deleted.await.unwrap();
            // It had begun before.
            assert!(missed(&store, &name).await.contains(&id));
        }
        assert_eq!(missed(&store, "away").await.len(), 12);
    }

    async fn users_of_other_sources_have_one_account_each(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        let ensure = async |new_id: &str| store.accounts().ensure("ldap", "ada", "Ada", new_id).await;
        let first = ensure("id-2").await.unwrap();
        assert_eq!((first.id.as_str(), first.source.as_str()), ("id-2", "ldap"));
        assert_eq!(ensure("id-3").await.unwrap(), first);
        assert!(store.sessions().sign_in(&sign_in("c1", "id-2")).await.unwrap());
        assert_eq!(store.users().get_by_id("id-2").await.unwrap(), None);
        assert!(delete(&store, "id-2", &["slack"]).await);
        let error = ensure("id-4").await.unwrap_err();
        assert!(matches!(error, IdentityError::Held { .. }), "{error}");
        assert!(store.revocations().answered("id-2", "slack").await.unwrap());
        assert_eq!(ensure("id-4").await.unwrap().id, "id-4");
    }

    async fn of_many_who_meet_a_new_user_all_get_one_account(database: Database) {
        let store = database.open().await;
        let meeting: Vec<_> = (0..20)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    store.accounts().ensure("ldap", "ada", "ada", &format!("id-{n}")).await.unwrap()
                })
            })
            .collect();
        let mut accounts = Vec::new();
        for met in meeting {
            accounts.push(met.await.unwrap());
        }
        accounts.dedup();
        assert_eq!(accounts.len(), 1);
    }

    async fn a_user_who_signs_in_while_being_deleted_is_signed_in_nowhere(database: Database) {
        let store = database.open().await;
        add(&store, "id-other", "other").await;
        for n in 0..40 {
            let (id, name, before) = (format!("id-{n}"), format!("user{n}"), format!("before-{n}"));
            add(&store, &id, &name).await;
            store.sessions().sign_in(&sign_in(&before, "id-other")).await.unwrap();
            // In a new session, or in that of another.
            let is_new = n % 2 == 0;
            let signing = {
                let (store, id, before) = (store.clone(), id.clone(), before.clone());
                tokio::spawn(async move {
                    let previous = (!is_new).then_some(before.as_str());
                    let sign_in = SignIn { previous, ..sign_in(&id, &id) };
                    store.sessions().sign_in(&sign_in).await.unwrap()
                })
            };
            if n % 4 < 2 {
                tokio::task::yield_now().await;
            }
            assert!(delete(&store, &id, &["slack"]).await);
            let was_in = signing.await.unwrap();
            assert_eq!(store.sessions().list_of(&id, NOW).await.unwrap(), []);
            let own = store.sessions().find(&id, NOW).await.unwrap();
            let of_other = store.sessions().find(&before, NOW).await.unwrap();
            if is_new {
                assert_eq!(own, None);
            }
            // The other one is signed in as before, by the cookie that counts.
            let left = own.or(of_other).unwrap();
            assert_eq!((left.users.len(), left.users[0].account.as_str()), (1, "id-other"));
            assert_eq!(left.hash == id, was_in && !is_new);
        }
    }
}
