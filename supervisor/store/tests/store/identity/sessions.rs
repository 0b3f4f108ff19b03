//! Sessions.

use outboard_core::identity::authentication::Authentication;
use outboard_core::identity::scope::{Group, Scope};
use outboard_store::identity::Session;

use super::*;
use crate::harness::{Database, on_both_databases};

async fn find(store: &Store, hash: &str) -> Option<Session> {
    store.sessions().find(hash, NOW + 1).await.unwrap()
}

fn proof(scheme: Option<&str>, last_login_ms: i64, uses: u32) -> Authentication {
    Authentication { scheme: scheme.map(str::to_owned), last_login_ms, expires_ms: None, uses }
}

/// Each user with whether it is the current one.
fn users(session: &Session) -> Vec<(&str, bool)> {
    session.users.iter().map(|user| (user.account.as_str(), user.is_current)).collect()
}

on_both_databases! {
    async fn a_sign_in_is_found_until_it_ends(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "Ada").await;
        assert!(store.sessions().sign_in(&sign_in("c1", "id-1")).await.unwrap());
        let session = find(&store, "c1").await.unwrap();
        let user = session.current().unwrap();
        assert_eq!((user.account.as_str(), user.source.as_str()), ("id-1", "database"));
        assert_eq!((user.username.as_str(), user.name_key.as_str()), ("Ada", "ada"));
        assert_eq!(user.authentications, [proof(None, NOW, 0)]);
        assert_eq!((session.created_ms, session.expires_ms), (NOW, NOW + HOUR));
        assert_eq!((session.user_agent.as_str(), session.issued_for.as_str()), ("curl", "192.0.2.1"));
        let find_at = async |now_ms| store.sessions().find("c1", now_ms).await.unwrap().is_some();
        assert!(find_at(NOW + HOUR - 1).await);
        assert!(!find_at(NOW + HOUR).await);
        for forged in ["c2", "", "C1", "c1\0", "' OR 1=1 --", "%"] {
            assert_eq!(find(&store, forged).await, None, "{forged:?}");
        }
        let stored = store.users().get("ada").await.unwrap().unwrap();
        assert_eq!((stored.last_login_ms, stored.revision), (Some(NOW), 1));
    }

    async fn nobody_signs_in_who_is_not_known(database: Database) {
        let store = database.open().await;
        assert!(!store.sessions().sign_in(&sign_in("c1", "id-1")).await.unwrap());
        assert_eq!(find(&store, "c1").await, None);
    }

    async fn a_session_goes_on_under_a_new_cookie_with_all_that_was_proved(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        add(&store, "id-2", "bob").await;
        let sessions = store.sessions();
        sessions.sign_in(&sign_in("c1", "id-1")).await.unwrap();
        let scheme = SignIn {
            previous: Some("c1"),
            scheme: Some("otp"),
            now_ms: NOW + 1,
            expires_ms: Some(NOW + 99),
            ..sign_in("c1", "id-1")
        };
        assert!(sessions.sign_in(&scheme).await.unwrap());
        let bob = SignIn { previous: Some("c1"), now_ms: NOW + 2, ..sign_in("c2", "id-2") };
        assert!(sessions.sign_in(&bob).await.unwrap());
        assert_eq!(find(&store, "c1").await, None, "the old cookie is worth nothing");
        let session = sessions.find("c2", NOW + 3).await.unwrap().unwrap();
        assert_eq!(users(&session), [("id-2", true), ("id-1", false)]);
        assert_eq!(session.created_ms, NOW);
        let otp = Authentication { expires_ms: Some(NOW + 99), ..proof(Some("otp"), NOW + 1, 0) };
        assert_eq!(session.users[1].authentications, [proof(None, NOW, 0), otp]);
        assert_eq!(session.users[0].authentications, [proof(None, NOW + 2, 0)]);
    }

    async fn a_user_who_signs_in_alone_is_alone(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        add(&store, "id-2", "bob").await;
        store.sessions().sign_in(&sign_in("c1", "id-1")).await.unwrap();
        let bob = SignIn { previous: Some("c1"), alone: true, ..sign_in("c2", "id-2") };
        store.sessions().sign_in(&bob).await.unwrap();
        assert_eq!(users(&find(&store, "c2").await.unwrap()), [("id-2", true)]);
    }

    async fn an_ended_session_does_not_go_on(database: Database) {
        let store = database.open().await;
        add(&store, "id-1", "ada").await;
        add(&store, "id-2", "bob").await;
        store.sessions().sign_in(&sign_in("c1", "id-1")).await.unwrap();
        let (now_ms, session_expires_ms) = (NOW + HOUR, NOW + 2 * HOUR);
        let later = SignIn { previous: Some("c1"), now_ms, session_expires_ms, ..sign_in("c2", "id-2") };
        assert!(store.sessions().sign_in(&later).await.unwrap());
        let session = store.sessions().find("c2", now_ms).await.unwrap().unwrap();
        assert_eq!(users(&session), [("id-2", true)]);
        // A cookie that is to stay is not brought back to life.
        for (hash, previous) in [("c1", "c1"), ("c9", "c9")] {
            let same = SignIn { previous: Some(previous), scheme: Some("otp"), ..sign_in(hash, "id-1") };
            let same = SignIn { now_ms, session_expires_ms, ..same };
            assert!(!store.sessions().sign_in(&same).await.unwrap(), "{hash}");
            assert_eq!(store.sessions().find(hash, now_ms).await.unwrap(), None);
        }
    }

    async fn a_proof_takes_the_place_of_an_earlier_one_and_counts_its_uses(database: Database) {
        let store = database.open().await;
        let sessions = store.sessions();
        add(&store, "id-1", "ada").await;
        add(&store, "id-2", "bob").await;
        sessions.sign_in(&sign_in("c1", "id-1")).await.unwrap();
        let otp = SignIn { previous: Some("c1"), scheme: Some("otp"), ..sign_in("c1", "id-1") };
        sessions.sign_in(&otp).await.unwrap();
        sessions.count_use("c1", "id-1", &[Some("otp")]).await.unwrap();
        sessions.count_use("c1", "id-1", &[Some("otp"), None, Some("none")]).await.unwrap();
        sessions.count_use("c1", "id-2", &[Some("otp"), None]).await.unwrap();
        sessions.count_use("c1", "id-1", &[]).await.unwrap();
        let proofs = async || find(&store, "c1").await.unwrap().users.remove(0).authentications;
        assert_eq!(proofs().await, [proof(None, NOW, 1), proof(Some("otp"), NOW, 2)]);
        sessions.disable("id-2", Some("otp")).await.unwrap();
        sessions.disable("id-1", Some("otp")).await.unwrap();
        assert_eq!(proofs().await, [proof(None, NOW, 1)]);
        sessions.sign_in(&SignIn { now_ms: NOW + 1, ..otp }).await.unwrap();
        assert_eq!(proofs().await, [proof(None, NOW, 1), proof(Some("otp"), NOW + 1, 0)]);
    }

    async fn of_several_users_one_is_the_current_one_until_the_last_has_signed_out(database: Database) {
        let store = database.open().await;
        let sessions = store.sessions();
        for (n, id) in ["id-1", "id-2", "id-3"].into_iter().enumerate() {
            add(&store, id, &format!("user{n}")).await;
            let hash = format!("c{n}");
            let previous = n.checked_sub(1).map(|n| format!("c{n}"));
            let now_ms = NOW + i64::try_from(n).unwrap();
            let one = SignIn { previous: previous.as_deref(), now_ms, ..sign_in(&hash, id) };
            assert!(sessions.sign_in(&one).await.unwrap());
        }
        let state = async || sessions.find("c2", NOW + 9).await.unwrap();
        assert!(sessions.select("c2", "id-1").await.unwrap());
        assert!(!sessions.select("c2", "nobody").await.unwrap());
        let session = state().await.unwrap();
        assert_eq!(users(&session), [("id-3", false), ("id-2", false), ("id-1", true)]);
        assert!(sessions.sign_out("c2", "nobody").await.unwrap());
        assert!(sessions.sign_out("c2", "id-1").await.unwrap());
        assert_eq!(users(&state().await.unwrap()), [("id-3", true), ("id-2", false)]);
        assert!(sessions.sign_out("c2", "id-2").await.unwrap());
        assert_eq!(users(&state().await.unwrap()), [("id-3", true)]);
        assert!(!sessions.sign_out("c2", "id-3").await.unwrap());
        assert_eq!(state().await, None);
        assert!(!sessions.sign_out("c2", "id-3").await.unwrap());
    }

    async fn a_check_tells_session_user_and_scopes_together(database: Database) {
        let store = database.open().await;
        let sessions = store.sessions();
        add(&store, "id-1", "Ada").await;
        let scope = |name: &str, schemes: &[&str]| Scope {
            groups: vec![Group { name: "g".into(), required: 1, schemes: texts(schemes) }],
            ..Scope::by_password(name, "shown", "it's said")
        };
        let (plain, twofold) = (Scope::by_password("a", "A", ""), scope("b", &["otp", "mail"]));
        for scope in [&plain, &twofold, &scope("c", &[])] {
            store.scopes().insert(scope).await.unwrap();
        }
        store.accounts().ensure("ldap", "bob", "Bob", "id-2").await.unwrap();
        sessions.sign_in(&sign_in("c1", "id-2")).await.unwrap();
        let then = |scheme, now_ms| SignIn { previous: Some("c1"), scheme, now_ms, ..sign_in("c1", "id-1") };
        sessions.sign_in(&then(None, NOW + 1)).await.unwrap();
        sessions.sign_in(&then(Some("otp"), NOW + 2)).await.unwrap();

        let check = async |names: &[&str]| sessions.check("c1", NOW + 3, &texts(names)).await.unwrap().unwrap();
        let ada = store.users().get("ada").await.unwrap().unwrap();
        for (names, scopes) in [
            (&[][..], vec![]),
            (&["none", "'"], vec![]),
            (&["b", "none", "a", "b"], vec![plain.clone(), twofold.clone()]),
        ] {
            let checked = check(names).await;
            assert_eq!(Some(&checked.session), find(&store, "c1").await.as_ref(), "{names:?}");
            assert_eq!(users(&checked.session), [("id-1", true), ("id-2", false)]);
            assert_eq!(checked.session.users[0].authentications.len(), 2);
            assert_eq!((checked.user.as_ref(), &checked.scopes), (Some(&ada), &scopes));
        }
        sessions.select("c1", "id-2").await.unwrap();
        let checked = check(&["a"]).await;
        assert_eq!((checked.user, checked.scopes), (None, vec![plain]), "kept elsewhere");
        assert_eq!(sessions.check("c1", NOW + HOUR + 9, &[]).await.unwrap(), None);
        assert_eq!(sessions.check("c2", NOW, &[]).await.unwrap(), None);
        store.scopes().delete("a").await.unwrap();
        assert_eq!(check(&["a"]).await.scopes, []);
        store.accounts().delete("id-2", &texts(&["slack"]), NOW).await.unwrap();
        let checked = check(&["b"]).await;
        assert_eq!((checked.session.current(), checked.user), (None, None));
    }

    async fn a_user_sees_and_ends_the_own_sessions_only(database: Database) {
        let store = database.open().await;
        let sessions = store.sessions();
        add(&store, "id-1", "ada").await;
        add(&store, "id-2", "bob").await;
        for (hash, account, now_ms) in
            [("a1", "id-1", NOW), ("a2", "id-1", NOW + 2), ("a3", "id-1", NOW + 1), ("b1", "id-2", NOW)]
        {
            sessions.sign_in(&SignIn { now_ms, ..sign_in(hash, account) }).await.unwrap();
        }
        let both = SignIn { previous: Some("a1"), ..sign_in("a1", "id-2") };
        sessions.sign_in(&both).await.unwrap();
        let hashes = async |account: &str| -> Vec<String> {
            let sessions = sessions.list_of(account, NOW + 5).await.unwrap();
            assert!(sessions.iter().all(|it| it.users.len() == 1 && it.users[0].account == account));
            sessions.into_iter().map(|session| session.hash).collect()
        };
        assert_eq!(hashes("id-1").await, ["a2", "a3", "a1"]);
        assert_eq!(sessions.list_of("id-1", NOW + HOUR).await.unwrap(), []);
        assert_eq!(sessions.end_all_of("id-1", Some("a3")).await.unwrap(), 2);
        assert_eq!(hashes("id-1").await, ["a3"]);
        assert_eq!(hashes("id-2").await, ["a1", "b1"]);
        assert!(sessions.end("b1").await.unwrap());
        assert!(!sessions.end("b1").await.unwrap());
        assert_eq!(sessions.end_all_of("id-1", None).await.unwrap(), 1);
        assert_eq!(hashes("id-1").await, [""; 0]);
    }

    async fn sessions_that_have_ended_are_purged_and_others_stay(database: Database) {
        let store = database.open().await;
        let sessions = store.sessions();
        add(&store, "id-1", "ada").await;
        let longer = SignIn { session_expires_ms: NOW + 2 * HOUR, ..sign_in("c1", "id-1") };
        sessions.sign_in(&longer).await.unwrap();
        sessions.sign_in(&sign_in("c2", "id-1")).await.unwrap();
        assert_eq!(sessions.purge(NOW + HOUR).await.unwrap(), 1);
        assert_eq!(sessions.purge(NOW + HOUR).await.unwrap(), 0);
        let session = sessions.find("c1", NOW + HOUR).await.unwrap().unwrap();
        assert_eq!((session.last_seen_ms, session.expires_ms), (NOW, NOW + 2 * HOUR));
    }
}
