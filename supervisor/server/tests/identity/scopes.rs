//! Scopes as they are kept, and how far a session comes with them.

use outboard::identity::Failure;
use outboard::identity::scopes::Checked;
use outboard::identity::sessions::Method;
use outboard_core::identity::evaluate::ScopeState;
use outboard_core::identity::scheme::SchemeSettings;
use serde_json::json;

use crate::fixture::{Act, Host, on_both_databases, texts};

async fn states(host: &Host, cookie: &str, names: &[&str]) -> Vec<ScopeState> {
    let checked = host.identity.scopes().check(Some(cookie), &texts(names), &host.origin).await;
    match checked.unwrap() {
        Checked::User(signed_in) => signed_in.states,
        nobody => panic!("{nobody:?}"),
    }
}

async fn satisfied(host: &Host, cookie: &str, names: &[&str]) -> bool {
    host.identity.scopes().satisfied(Some(cookie), &texts(names), &host.origin).await.unwrap()
}

fn invalid(failure: Failure) -> Vec<String> {
    match failure {
        Failure::Invalid(errors) => errors,
        other => panic!("{other:?}"),
    }
}

on_both_databases! {
    async fn scopes_are_kept_changed_and_forgotten(host: Host) {
        host.known("otp", SchemeSettings::default());
        let scopes = host.identity.scopes();
        let object = json!({
            "name": "mail", "display_name": "Mail", "description": "it's \"mail\"; --",
            "password_required": false, "password_max_age": 60,
            "scheme": { "g": [{ "scheme_type": "mock", "scheme_name": "otp",
                                "scheme_display_name": "Scheme otp" }] },
            "scheme_required": { "g": 1 },
        });
        let added = scopes.add(&object).await.unwrap();
        assert_eq!(scopes.show(&added), object);
        assert_eq!(scopes.get("mail").await.unwrap(), added);
        assert!(matches!(scopes.add(&object).await, Err(Failure::Conflict(_))));
        let changed = scopes.set("mail", &json!({ "name": "other", "description": "d" })).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.groups.len()), ("mail", 0));
        assert_eq!(scopes.get("mail").await.unwrap(), changed);
        assert_eq!(scopes.set("gone", &json!({})).await, Err(Failure::NotFound));
        host.scope(json!({ "name": "b_50%" })).await;
        let list = async |pattern: &str| {
            let listed = scopes.list(pattern, 0, 10).await.unwrap();
            listed.into_iter().map(|scope| scope.name).collect::<Vec<_>>()
        };
        assert_eq!(list("").await, ["b_50%", "mail"]);
        assert_eq!(list("MAI").await, ["mail"]);
        assert_eq!(list("%").await, ["b_50%"]);
        scopes.delete("mail").await.unwrap();
        assert_eq!(scopes.delete("mail").await, Err(Failure::NotFound));
        assert_eq!(scopes.get("mail").await, Err(Failure::NotFound));
        assert_eq!(scopes.get("'; DROP TABLE scope; --\0").await, Err(Failure::NotFound));
    }

    async fn a_scope_names_only_schemes_that_there_are(host: Host) {
        host.known("otp", SchemeSettings::default());
        let scheme = |name: &str| json!([{ "scheme_name": name }]);
        let object = json!({ "name": "s", "scheme": { "1": scheme("otp"), "2": scheme("gone") } });
        let errors = invalid(host.identity.scopes().add(&object).await.unwrap_err());
        assert!(errors.len() == 1 && errors[0].contains("\"gone\""), "{errors:?}");
        assert_eq!(host.identity.scopes().get("s").await, Err(Failure::NotFound));
    }

    async fn what_a_password_satisfies(host: Host) {
        let ann = host.user("ann", &["plain", "twofold"]).await;
        let otp = host.scheme("otp", SchemeSettings::default(), Act::Good);
        for name in ["plain", "foreign"] {
            host.scope(json!({ "name": name })).await;
        }
        host.scope_with("twofold", &["otp"]).await;
        let cookie = host.by_password(None, &ann).await;
        assert!(satisfied(&host, &cookie, &["plain"]).await);
        for not in [&["twofold"][..], &["plain", "twofold"], &["foreign"], &["unknown"], &["plain", "unknown"], &[]] {
            assert!(!satisfied(&host, &cookie, not).await, "{not:?}");
        }
        let told = states(&host, &cookie, &["twofold", "unknown", "plain", "foreign"]).await;
        let names: Vec<_> = told.iter().map(|state| state.name.as_str()).collect();
        assert_eq!(names, ["twofold", "plain", "foreign"], "in order, without what there is not");
        assert!(told[0].is_available && !told[0].groups[0].schemes[0].is_registered);
        assert!(!told[2].is_available);
        otp.registers(&ann);
        assert!(states(&host, &cookie, &["twofold"]).await[0].groups[0].schemes[0].is_registered);
        let alone = host.identity.scopes().by_password_alone(&ann, &texts(&["twofold", "plain", "foreign"])).await;
        assert_eq!(alone, Ok(texts(&["plain"])));
    }

    async fn a_second_user_s_proofs_are_their_own(host: Host) {
        let (ann, bob) = (host.user("ann", &["s"]).await, host.user("bob", &["s"]).await);
        let otp = host.scheme("otp", SchemeSettings::default(), Act::Good);
        host.scope_with("s", &["otp"]).await;
        otp.registers(&ann);
        otp.registers(&bob);
        let by = Method::Scheme { instance: "otp", expires_ms: None };
        let cookie = host.by_password(None, &ann).await;
        host.sign_in(Some(&cookie), &ann, by).await;
        assert!(satisfied(&host, &cookie, &["s"]).await);
        let cookie = host.by_password(Some(&cookie), &bob).await;
        assert!(!satisfied(&host, &cookie, &["s"]).await);
        host.identity.sessions().select(&cookie, "ann").await.unwrap();
        assert!(satisfied(&host, &cookie, &["s"]).await);
    }

    async fn an_authentication_wears_out_and_begins_anew(host: Host) {
        let ann = host.user("ann", &["s", "plain"]).await;
        let settings = SchemeSettings { max_use: 2, ..SchemeSettings::default() };
        let otp = host.scheme("otp", settings, Act::Good);
        host.scope_with("s", &["otp"]).await;
        host.scope(json!({ "name": "plain" })).await;
        otp.registers(&ann);
        let by = Method::Scheme { instance: "otp", expires_ms: None };
        let cookie = host.by_password(None, &ann).await;
        host.sign_in(Some(&cookie), &ann, by).await;
        let scopes = host.identity.scopes();
        let count = |names: &'static [&'static str]| {
            let (cookie, origin) = (cookie.clone(), host.origin.clone());
            async move { scopes.count_use(Some(&cookie), &texts(names), &origin).await.unwrap() }
        };
        assert!(count(&["s"]).await);
        assert!(count(&["plain"]).await && count(&[]).await && count(&["unknown"]).await);
        assert!(satisfied(&host, &cookie, &["s"]).await, "used once of twice");
        assert!(count(&["s", "plain", "s"]).await);
        assert!(!satisfied(&host, &cookie, &["s"]).await, "used up");
        assert!(satisfied(&host, &cookie, &["plain"]).await, "passwords are not");
        host.sign_in(Some(&cookie), &ann, by).await;
        assert!(satisfied(&host, &cookie, &["s"]).await, "a new proof takes its place");
        let uses = async |at: usize| {
            let found = host.identity.sessions().find(&cookie).await.unwrap().unwrap();
            found.authentications_of(&ann.id)[at].uses
        };
        assert_eq!(uses(0).await, 0, "nobody counts what does not wear out");
        assert!(count(&["s", "plain"]).await);
        assert_eq!(uses(1).await, 1);
        assert_eq!(scopes.count_use(None, &texts(&["s"]), &host.origin).await, Ok(false));
        assert_eq!(scopes.count_use(Some("x"), &texts(&["s"]), &host.origin).await, Ok(false));
    }

    async fn the_last_login_counts_what_the_scopes_are_about(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        host.known("otp", SchemeSettings::default());
        host.scope_with("s", &["otp"]).await;
        host.scope(json!({ "name": "plain" })).await;
        let scopes = host.identity.scopes();
        let cookie = host.by_password(None, &ann).await;
        let last = async |names: &[&str]| scopes.last_login(Some(&cookie), &texts(names)).await.unwrap();
        let first = last(&["plain"]).await.unwrap();
        assert_eq!(last(&["s"]).await, Some(first));
        while outboard_now() <= first {
            tokio::task::yield_now().await;
        }
        let by = Method::Scheme { instance: "otp", expires_ms: None };
        host.sign_in(Some(&cookie), &ann, by).await;
        assert!(last(&["s"]).await > Some(first));
        assert_eq!(last(&["plain"]).await, Some(first));
        assert_eq!(last(&[]).await, None);
        assert_eq!(scopes.last_login(None, &texts(&["s"])).await, Ok(None));
        assert_eq!(scopes.last_login(Some("x"), &texts(&["s"])).await, Ok(None));
    }

    async fn an_authentication_expires(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let otp = host.scheme("otp", SchemeSettings::default(), Act::Good);
        host.scope_with("s", &["otp"]).await;
        otp.registers(&ann);
        let cookie = host.by_password(None, &ann).await;
        let until = |expires_ms| Method::Scheme { instance: "otp", expires_ms: Some(expires_ms) };
        host.sign_in(Some(&cookie), &ann, until(outboard_now())).await;
        assert!(!satisfied(&host, &cookie, &["s"]).await);
        host.sign_in(Some(&cookie), &ann, until(outboard_now() + 3_600_000)).await;
        assert!(satisfied(&host, &cookie, &["s"]).await);
    }
}

fn outboard_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
