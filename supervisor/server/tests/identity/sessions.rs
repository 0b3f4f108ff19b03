//! The rules of sessions.

use std::time::{Duration, SystemTime};

use outboard::identity::scopes::Checked;
use outboard::identity::sessions::{Method, Session};
use outboard::identity::{Failure, Settings};
use outboard_core::identity::user::{MUST_CHANGE_PASSWORD, User};

use crate::fixture::{Host, on_both_databases, settings, texts};

/// Users of a cookie's session by name, the current one first, marked.
fn names(session: &Session) -> Vec<String> {
    let mut names: Vec<_> = session
        .users()
        .map(|user| format!("{}{}", if user.is_current { "*" } else { "" }, user.username))
        .collect();
    names.sort();
    names
}

async fn session(host: &Host, cookie: &str) -> Option<Session> {
    host.identity.sessions().find(cookie).await.unwrap()
}

on_both_databases! {
    async fn a_cookie_is_long_random_and_never_stored(host: Host) {
        let ann = host.user("ann", &[]).await;
        let before = SystemTime::now();
        let signed_in = host.sign_in(None, &ann, Method::Password).await;
        let cookie = signed_in.cookie.clone().unwrap();
        assert_eq!(cookie.len(), 128);
        assert!(cookie.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let month = Duration::from_hours(4 * 7 * 24);
        assert!(signed_in.expires >= before + month - Duration::from_secs(1));
        assert!(signed_in.expires <= SystemTime::now() + month);
        let found = session(&host, &cookie).await.unwrap();
        assert_ne!(found.hash(), cookie);
        assert_eq!(names(&found), ["*ann"]);
        assert_eq!(found.issued_for(), "192.0.2.1");
        assert!(!format!("{signed_in:?} {found:?}").contains(&cookie));
        assert!(session(&host, found.hash()).await.is_none(), "the digest is no cookie");
        let user = host.identity.people().get_by_id(&ann.id).await.unwrap();
        assert!(user.last_login_ms.is_some());
    }

    async fn what_nobody_was_given_opens_nothing(host: Host) {
        let ann = host.user("ann", &[]).await;
        let cookie = host.by_password(None, &ann).await;
        let forged = format!("{}{}", &cookie[..127], if cookie.ends_with('a') { 'b' } else { 'a' });
        for wrong in
            ["", "x", &cookie[..127], &format!("{cookie}a"), &forged, &"'".repeat(128), &"\0".repeat(128)]
        {
            assert!(session(&host, wrong).await.is_none(), "{wrong:?}");
            let checked = host.identity.scopes().check(Some(wrong), &[], &host.origin).await;
            assert!(matches!(checked, Ok(Checked::NoSession)));
        }
        let checked = host.identity.scopes().check(None, &[], &host.origin).await;
        assert!(matches!(checked, Ok(Checked::NoCookie)));
    }

    async fn a_password_gives_a_new_cookie_and_the_planted_one_is_worth_nothing(host: Host) {
        let (ann, bob) = (host.user("ann", &[]).await, host.user("bob", &[]).await);
        let planted = "a".repeat(128);
        let first = host.by_password(Some(&planted), &ann).await;
        assert_ne!(first, planted);
        assert!(session(&host, &planted).await.is_none());
        let second = host.by_password(Some(&first), &bob).await;
        assert!(session(&host, &first).await.is_none(), "whoever knew it is out");
        assert_eq!(names(&session(&host, &second).await.unwrap()), ["*bob", "ann"]);
        let third = host.by_password(Some(&second), &bob).await;
        assert!(session(&host, &second).await.is_none(), "again by the same user");
        assert_eq!(names(&session(&host, &third).await.unwrap()), ["*bob", "ann"]);
    }

    async fn a_scheme_keeps_the_cookie_only_of_who_has_proved_something_before(host: Host) {
        let (ann, bob) = (host.user("ann", &[]).await, host.user("bob", &[]).await);
        let by = Method::Scheme { instance: "otp", expires_ms: None };
        let first = host.by_password(None, &ann).await;
        assert_eq!(host.sign_in(Some(&first), &ann, by).await.cookie, None);
        let second = host.sign_in(Some(&first), &bob, by).await.cookie.unwrap();
        assert!(session(&host, &first).await.is_none());
        let found = session(&host, &second).await.unwrap();
        assert_eq!(names(&found), ["*bob", "ann"]);
        let proofs = |user| found.authentications_of(user).iter().map(|it| it.scheme.clone());
        assert_eq!(proofs(&ann.id).collect::<Vec<_>>(), [None, Some("otp".into())]);
        assert_eq!(proofs(&bob.id).collect::<Vec<_>>(), [Some("otp".to_owned())]);
    }

    async fn one_of_several_users_is_the_current_one(host: Host) {
        let (ann, bob) = (host.user("Ann", &[]).await, host.user("bob", &[]).await);
        host.user("eve", &[]).await;
        let cookie = host.by_password(None, &ann).await;
        let cookie = host.by_password(Some(&cookie), &bob).await;
        let sessions = host.identity.sessions();
        sessions.select(&cookie, "ANN").await.unwrap();
        assert_eq!(names(&session(&host, &cookie).await.unwrap()), ["*Ann", "bob"]);
        for stranger in ["eve", "nobody", "", "a b", "'"] {
            assert_eq!(sessions.select(&cookie, stranger).await, Err(Failure::NotFound));
        }
        assert_eq!(sessions.select(&"x".repeat(128), "ann").await, Err(Failure::Unauthorized));
        assert_eq!(names(&session(&host, &cookie).await.unwrap()), ["*Ann", "bob"]);
        assert_eq!(sessions.sign_out(&cookie, Some("eve")).await, Err(Failure::NotFound));
        assert_eq!(sessions.sign_out(&cookie, Some("ann")).await, Ok(false));
        assert_eq!(names(&session(&host, &cookie).await.unwrap()), ["*bob"]);
        assert_eq!(sessions.sign_out(&cookie, Some("bob")).await, Ok(true));
        assert!(session(&host, &cookie).await.is_none());
        assert_eq!(sessions.sign_out(&cookie, None).await, Err(Failure::Unauthorized));
    }

    async fn whoever_signs_out_altogether_is_out(host: Host) {
        let (ann, bob) = (host.user("ann", &[]).await, host.user("bob", &[]).await);
        let cookie = host.by_password(None, &ann).await;
        let cookie = host.by_password(Some(&cookie), &bob).await;
        let other = host.by_password(None, &ann).await;
        assert_eq!(host.identity.sessions().sign_out(&cookie, None).await, Ok(true));
        assert!(session(&host, &cookie).await.is_none());
        assert_eq!(names(&session(&host, &other).await.unwrap()), ["*ann"], "another browser");
        let by = Method::Scheme { instance: "otp", expires_ms: None };
        let signed_in = host.sign_in(Some(&cookie), &ann, by).await;
        assert!(signed_in.cookie.is_some(), "an old cookie is not brought back to life");
        assert!(session(&host, &cookie).await.is_none());
    }

    async fn only_one_user_where_the_operator_wants_so(host: Host) {
        let (ann, bob) = (host.user("ann", &[]).await, host.user("bob", &[]).await);
        let alone = host.with(Settings { session_multiple: false, ..settings() });
        let cookie = host.by_password(None, &ann).await;
        let sign_in = alone.sessions().sign_in(Some(&cookie), &bob, Method::Password, &host.origin);
        let cookie = sign_in.await.unwrap().cookie.unwrap();
        assert_eq!(names(&session(&host, &cookie).await.unwrap()), ["*bob"]);
    }

    async fn a_session_ends(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let short = host.with(Settings { session_expires: Duration::ZERO, ..settings() });
        let sign_in = short.sessions().sign_in(None, &ann, Method::Password, &host.origin);
        let cookie = sign_in.await.unwrap().cookie.unwrap();
        assert!(session(&host, &cookie).await.is_none());
        assert!(host.identity.sessions().list_of(&ann.id).await.unwrap().is_empty());
        let checked = host.identity.scopes().check(Some(&cookie), &[], &host.origin).await;
        assert!(matches!(checked, Ok(Checked::NoSession)));
        let next = host.by_password(Some(&cookie), &ann).await;
        assert_ne!(next, cookie);
        assert_eq!(names(&session(&host, &next).await.unwrap()), ["*ann"]);
    }

    async fn who_is_disabled_or_deleted_is_nobody(host: Host) {
        let (ann, bob) = (host.user("ann", &["s"]).await, host.user("bob", &["s"]).await);
        host.scope(serde_json::json!({ "name": "s" })).await;
        let cookies = [host.by_password(None, &ann).await, host.by_password(None, &bob).await];
        let ann = host.identity.people().get("ann").await.unwrap();
        let mut disabled = ann.clone();
        disabled.enabled = false;
        host.store.users().update(&disabled, None).await.unwrap();
        host.store.accounts().delete(bob.id.as_str(), &[], 1).await.unwrap();
        for cookie in &cookies {
            let checked = host.identity.scopes().check(Some(cookie), &[], &host.origin).await;
            assert!(matches!(checked, Ok(Checked::NoSession)), "{checked:?}");
            let satisfied =
                host.identity.scopes().satisfied(Some(cookie), &texts(&["s"]), &host.origin).await;
            assert_eq!(satisfied, Ok(false));
        }
        for user in [disabled, bob] {
            let sign_in =
                host.identity.sessions().sign_in(None, &user, Method::Password, &host.origin).await;
            assert_eq!(sign_in.unwrap_err(), Failure::Unauthorized);
        }
    }

    async fn a_password_that_must_be_changed_lets_nobody_in(host: Host) {
        host.scope(serde_json::json!({ "name": "s" })).await;
        host.scope(serde_json::json!({ "name": "free", "password_required": false })).await;
        let mut ann = host.user("ann", &["s", "free"]).await;
        let cookie = host.by_password(None, &ann).await;
        let scopes = host.identity.scopes();
        let both = texts(&["s", "free"]);
        let satisfied = async || scopes.satisfied(Some(&cookie), &both, &host.origin).await.unwrap();
        assert!(satisfied().await);
        ann.properties.insert(MUST_CHANGE_PASSWORD.into(), "yes".into());
        ann = host.identity.people().get("ann").await.map(|it| User { properties: ann.properties, ..it }).unwrap();
        let hash = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$";
        host.store.users().update(&ann, Some(&texts(&[hash]))).await.unwrap();
        assert!(!satisfied().await);
        for one in &both {
            let one = std::slice::from_ref(one);
            assert_eq!(scopes.satisfied(Some(&cookie), one, &host.origin).await, Ok(false));
        }
        assert_eq!(scopes.last_login(Some(&cookie), &both).await, Ok(None));
        assert_eq!(scopes.count_use(Some(&cookie), &both, &host.origin).await, Ok(false));
        host.identity.people().choose_password(&ann, "a word of her own").await.unwrap();
        assert!(satisfied().await);
        assert!(scopes.last_login(Some(&cookie), &both).await.unwrap().is_some());
        let ann = host.identity.people().check_password("ann", "a word of her own", &host.origin).await.unwrap();
        assert!(!ann.must_change_password());
    }

    async fn a_user_sees_and_ends_their_own_sessions(host: Host) {
        let (ann, bob) = (host.user("ann", &[]).await, host.user("bob", &[]).await);
        let shared = host.by_password(None, &bob).await;
        let shared = host.by_password(Some(&shared), &ann).await;
        let others = [host.by_password(None, &ann).await, host.by_password(None, &ann).await];
        let sessions = host.identity.sessions();
        let listed = sessions.list_of(&ann.id).await.unwrap();
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|it| it.users().all(|user| user.username == "ann")));
        let shared_hash = session(&host, &shared).await.unwrap().hash().to_owned();
        sessions.end(&ann.id, &shared_hash).await.unwrap();
        assert_eq!(names(&session(&host, &shared).await.unwrap()), ["*bob"]);
        assert_eq!(sessions.end(&ann.id, &shared_hash).await, Err(Failure::NotFound));
        assert_eq!(sessions.end(&ann.id, "' OR '1'='1").await, Err(Failure::NotFound));
        let kept = session(&host, &others[0]).await.unwrap();
        assert_eq!(sessions.end_all(&ann.id, Some(&kept)).await, Ok(1));
        assert!(session(&host, &others[1]).await.is_none());
        assert!(session(&host, &others[0]).await.is_some());
    }

    async fn what_clients_call_themselves_is_kept_short_and_harmless(host: Host) {
        let ann = host.user("ann", &[]).await;
        let mut odd = host.origin.clone();
        odd.user_agent = format!("a\0b\r\n{}", "é".repeat(5000));
        let signed_in = host.identity.sessions().sign_in(None, &ann, Method::Password, &odd).await;
        let found = session(&host, &signed_in.unwrap().cookie.unwrap()).await.unwrap();
        assert_eq!(found.user_agent().chars().count(), 256);
        assert!(found.user_agent().starts_with("abé"));
    }

    async fn many_sign_ins_with_one_cookie_leave_one_session_each(host: Host) {
        let ann = host.user("ann", &[]).await;
        let cookie = host.by_password(None, &ann).await;
        let sessions = host.identity.sessions();
        let tries = (0..8).map(|_| sessions.sign_in(Some(&cookie), &ann, Method::Password, &host.origin));
        let done = futures_util::future::join_all(tries).await;
        let cookies = done.into_iter().filter_map(|done| done.ok()?.cookie);
        let mut open = 0;
        for cookie in cookies {
            open += usize::from(session(&host, &cookie).await.is_some());
        }
        assert!(open >= 1);
        assert!(session(&host, &cookie).await.is_none());
        assert_eq!(sessions.list_of(&ann.id).await.unwrap().len(), open);
    }
}
