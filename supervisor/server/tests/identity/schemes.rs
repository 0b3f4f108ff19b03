//! Schemes are asked in time, told the right things, and believed only when they say a clear yes.

use std::time::{Duration, Instant};

use outboard::identity::schemes::At;
use outboard::identity::{Failure, Origin, Settings};
use outboard_core::identity::scheme::{Availability, SchemeSettings};
use outboard_proto::plugin::v1::Capability;
use serde_json::json;

use crate::fixture::{Act, Host, on_both_databases, settings, texts};

fn plain() -> SchemeSettings {
    SchemeSettings { allow_user_register: true, ..SchemeSettings::default() }
}

fn at(host: &Host) -> At<'_> {
    At { session: None, origin: &host.origin }
}

async fn satisfied(host: &Host, cookie: &str, scope: &str) -> bool {
    host.identity.scopes().satisfied(Some(cookie), &texts(&[scope]), &host.origin).await.unwrap()
}

on_both_databases! {
    async fn a_user_registers_proves_and_takes_back(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let otp = host.scheme("otp", plain(), Act::Good);
        host.scope_with("s", &["otp"]).await;
        let schemes = host.identity.schemes();
        let cookie = host.by_password(None, &ann).await;
        let (code, wrong) = (json!({ "code": "1" }), json!({ "code": "wrong" }));
        let prove = async |value: &serde_json::Value| schemes.authenticate(Some(&cookie), &ann, "otp", value, &host.origin).await;
        assert_eq!(prove(&code).await.unwrap_err(), Failure::Unauthorized, "nothing is registered");
        assert_eq!(schemes.can_use("otp", &ann, at(&host)).await, Ok(Availability::Available));
        assert_eq!(schemes.registration("otp", &ann, at(&host)).await, Err(Failure::NotFound));
        let refused = schemes.register("otp", &ann, at(&host), &json!({ "register": 1 })).await;
        assert_eq!(refused, Err(Failure::Invalid(texts(&["register must be true"]))));
        let registered = schemes.register("otp", &ann, at(&host), &json!({ "register": true })).await;
        assert_eq!(registered, Ok(Some(json!({ "registered": true }))));
        assert_eq!(schemes.can_use("otp", &ann, at(&host)).await, Ok(Availability::Registered));
        assert_eq!(schemes.registration("otp", &ann, at(&host)).await, Ok(Some(json!({}))));
        let triggered = schemes.trigger("otp", &ann, at(&host), &json!({})).await;
        assert_eq!(triggered, Ok(Some(json!({ "challenge": 1 }))));

        assert!(!satisfied(&host, &cookie, "s").await);
        assert_eq!(prove(&wrong).await.unwrap_err(), Failure::Unauthorized);
        assert!(!satisfied(&host, &cookie, "s").await);
        assert_eq!(prove(&code).await.unwrap().cookie, None);
        assert!(satisfied(&host, &cookie, "s").await);
        assert_eq!(prove(&code).await.unwrap_err(), Failure::Unauthorized, "a replay");

        schemes.deregister("otp", &ann, at(&host)).await.unwrap();
        assert!(!satisfied(&host, &cookie, "s").await);
        schemes.deregister("otp", &ann, at(&host)).await.unwrap();
        otp.registers(&ann);
        assert!(!satisfied(&host, &cookie, "s").await, "what was proved before counts no more");
    }

    async fn wrong_codes_are_few(host: Host) {
        let (ann, bob) = (host.user("ann", &["s"]).await, host.user("bob", &["s"]).await);
        let otp = host.scheme("otp", plain(), Act::Good);
        otp.registers(&ann);
        otp.registers(&bob);
        host.scope_with("s", &["otp"]).await;
        let strict = host.with(Settings { attempts: 1, ..settings() });
        let schemes = strict.schemes();
        let (wrong, right) = (json!({ "code": "wrong" }), json!({ "code": "1" }));
        let mut looked_at = 0;
        for at in 0..1000 {
            let origin = Origin { address: format!("192.0.2.{}", at % 200), ..host.origin.clone() };
            match schemes.authenticate(None, &ann, "otp", &wrong, &origin).await.unwrap_err() {
                Failure::Unauthorized => looked_at += 1,
                Failure::Limited { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert!((3..10).contains(&looked_at), "{looked_at}");
        assert_eq!(otp.calls(), looked_at, "the others are not even asked about");
        let late = schemes.authenticate(None, &ann, "otp", &right, &host.origin).await.unwrap_err();
        assert!(matches!(late, Failure::Limited { .. }), "{late:?}");
        schemes.authenticate(None, &bob, "otp", &right, &host.origin).await.unwrap();
    }

    async fn a_scheme_is_told_who_and_where_and_no_secret(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let bob = host.user("bob", &["s"]).await;
        let otp = host.scheme("otp", plain(), Act::Good);
        host.scope_with("s", &["otp"]).await;
        let cookie = host.by_password(None, &ann).await;
        otp.registers(&ann);
        let schemes = host.identity.schemes();
        schemes.authenticate(Some(&cookie), &ann, "otp", &json!({ "code": "1" }), &host.origin).await.unwrap();
        let session = host.identity.sessions().find(&cookie).await.unwrap().unwrap();
        let here = At { session: Some(&session), origin: &host.origin };
        schemes.trigger("otp", &ann, here, &json!(null)).await.unwrap();
        schemes.trigger("otp", &bob, here, &json!(null)).await.unwrap();
        schemes.trigger("otp", &bob, at(&host), &json!(null)).await.unwrap();
        let validated = otp.subjects("validate").remove(0);
        let triggered = otp.subjects("trigger");
        assert_eq!(validated.user_id, ann.id.as_str());
        assert_eq!((validated.username.as_str(), validated.email.as_str()), ("ann", "ann@example.org"));
        assert_eq!((validated.client_address.as_str(), validated.user_agent.as_str()), ("192.0.2.1", "Browser/1"));
        assert_eq!(validated.origin, "https://example.org");
        assert_eq!(validated.session, triggered[0].session, "the same through all steps");
        assert!(!validated.session.is_empty() && validated.session != triggered[1].session);
        assert_eq!(triggered[2].session, "");
        let told = format!("{validated:?}{triggered:?}");
        assert!(!told.contains(&cookie) && !told.contains(session.hash()));
    }

    async fn a_silent_scheme_costs_its_deadline_and_lets_nobody_in(host: Host) {
        let ann = host.user("ann", &["s", "plain"]).await;
        let silent = host.scheme("silent", plain(), Act::Silent);
        host.scope_with("s", &["silent"]).await;
        host.scope(json!({ "name": "plain" })).await;
        let cookie = host.by_password(None, &ann).await;
        assert!(satisfied(&host, &cookie, "plain").await);
        assert_eq!(silent.calls(), 0, "a scope without schemes asks none");
        let begin = Instant::now();
        assert!(!satisfied(&host, &cookie, "s").await);
        let value = json!({ "code": "1" });
        let proved = host.identity.schemes().authenticate(Some(&cookie), &ann, "silent", &value, &host.origin).await;
        assert!(matches!(proved, Err(Failure::Unavailable(_))), "{proved:?}");
        let took = begin.elapsed();
        assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(20), "{took:?}");
        assert!(!satisfied(&host, &cookie, "s").await);
        let end = Instant::now() + Duration::from_secs(20);
        let calls = silent.calls();
        while silent.state.lock().unwrap().given_up < calls {
            assert!(Instant::now() < end, "the plugin is not told that nobody waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn silent_schemes_are_asked_at_the_same_time(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let names = ["a", "b", "c", "d", "e"];
        let _running = names.map(|name| host.scheme(name, plain(), Act::Silent));
        host.scope_with("s", &names).await;
        let cookie = host.by_password(None, &ann).await;
        let begin = Instant::now();
        assert!(!satisfied(&host, &cookie, "s").await);
        assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    }

    async fn what_is_no_clear_yes_lets_nobody_in(host: Host) {
        let ann = host.user("ann", &["odd", "failing", "away", "lost"]).await;
        let odd = host.scheme("odd", plain(), Act::Odd);
        odd.registers(&ann);
        let _failing = host.scheme("failing", plain(), Act::Failing);
        host.known("away", plain());
        host.known("lost", plain());
        host.publish("lost", std::path::Path::new("/nonexistent"), Capability::Scheme);
        let schemes = host.identity.schemes();
        let cookie = host.by_password(None, &ann).await;
        for name in ["odd", "failing", "away", "lost"] {
            host.scope_with(name, &[name]).await;
            let state = host.identity.scopes().check(Some(&cookie), &texts(&[name]), &host.origin).await.unwrap();
            assert!(format!("{state:?}").contains("is_available: false"), "{name}: {state:?}");
            let value = json!({ "code": "1" });
            let proved = schemes.authenticate(Some(&cookie), &ann, name, &value, &host.origin).await.unwrap_err();
            assert!(matches!(proved, Failure::Unavailable(_)), "{name}: {proved:?}");
            assert!(!proved.to_string().contains("secret"), "{proved}");
        }
        let broken = schemes.trigger("odd", &ann, at(&host), &json!({})).await.unwrap_err();
        assert!(matches!(broken, Failure::Unavailable(_)), "what it answers is not JSON");
        let session = host.identity.sessions().find(&cookie).await.unwrap().unwrap();
        assert_eq!(session.authentications_of(&ann.id).len(), 1, "the password and nothing else");
    }

    async fn a_scheme_that_is_not_the_user_s_proves_nothing(host: Host) {
        let ann = host.user("ann", &["plain"]).await;
        let otp = host.scheme("otp", plain(), Act::Good);
        otp.registers(&ann);
        host.scope(json!({ "name": "plain" })).await;
        host.scope_with("s", &["otp"]).await;
        let schemes = host.identity.schemes();
        let value = json!({ "code": "1" });
        let proved = schemes.authenticate(None, &ann, "otp", &value, &host.origin).await;
        assert_eq!(proved.unwrap_err(), Failure::Unauthorized);
        let proved = schemes.authenticate(None, &ann, "gone", &value, &host.origin).await;
        assert_eq!(proved.unwrap_err(), Failure::NotFound);
        assert_eq!(otp.calls(), 0);
        let of_user = schemes.of_user(&ann, at(&host)).await.unwrap();
        assert!(of_user.is_empty());
    }

    async fn a_user_may_sign_in_by_a_scheme_alone(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let otp = host.scheme("otp", plain(), Act::Good);
        otp.registers(&ann);
        host.scope(json!({ "name": "s", "password_required": false,
                           "scheme": { "1": [{ "scheme_name": "otp" }] } })).await;
        let value = json!({ "code": "1" });
        let schemes = host.identity.schemes();
        let signed_in = schemes.authenticate(None, &ann, "otp", &value, &host.origin).await.unwrap();
        let cookie = signed_in.cookie.unwrap();
        assert!(satisfied(&host, &cookie, "s").await);
        let mut disabled = host.identity.people().get("ann").await.unwrap();
        disabled.enabled = false;
        let refused = schemes.authenticate(None, &disabled, "otp", &json!({ "code": "2" }), &host.origin).await;
        assert_eq!(refused.unwrap_err(), Failure::Unauthorized);
    }

    async fn what_is_too_large_is_not_sent(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let otp = host.scheme("otp", plain(), Act::Good);
        host.scope_with("s", &["otp"]).await;
        let large = json!({ "code": "x".repeat(64 << 10) });
        let schemes = host.identity.schemes();
        let register = schemes.register("otp", &ann, at(&host), &large).await;
        let trigger = schemes.trigger("otp", &ann, at(&host), &large).await;
        let proved = schemes.authenticate(None, &ann, "otp", &large, &host.origin).await.map(drop);
        for failure in [register.unwrap_err(), trigger.unwrap_err(), proved.unwrap_err()] {
            assert!(matches!(failure, Failure::Invalid(_)), "{failure:?}");
        }
        assert_eq!(otp.calls(), 0);
    }

    async fn settings_are_the_operator_s(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let otp = host.scheme("otp", SchemeSettings { expiration_s: 60, ..plain() }, Act::Good);
        otp.registers(&ann);
        host.scope_with("s", &["otp"]).await;
        let schemes = host.identity.schemes();
        assert_eq!(schemes.get("otp").await.unwrap().settings.expiration_s, 60);
        assert_eq!(schemes.get("gone").await, Err(Failure::NotFound));
        let stricter = SchemeSettings { max_use: 1, allow_user_register: false, ..plain() };
        schemes.set("otp", &stricter).await.unwrap();
        assert_eq!(schemes.get("otp").await.unwrap().settings, stricter);
        assert_eq!(schemes.list().await.unwrap()[0].settings, stricter);
        let endless = SchemeSettings { expiration_s: u64::MAX, ..plain() };
        assert!(matches!(schemes.set("otp", &endless).await, Err(Failure::Invalid(_))));
        let cookie = host.by_password(None, &ann).await;
        let value = json!({ "code": "1" });
        schemes.authenticate(Some(&cookie), &ann, "otp", &value, &host.origin).await.unwrap();
        assert!(satisfied(&host, &cookie, "s").await);
        host.identity.scopes().count_use(Some(&cookie), &texts(&["s"]), &host.origin).await.unwrap();
        assert!(!satisfied(&host, &cookie, "s").await);
    }

    async fn a_scheme_that_is_taken_away_is_asked_no_more(host: Host) {
        let ann = host.user("ann", &["s"]).await;
        let otp = host.scheme("otp", plain(), Act::Good);
        otp.registers(&ann);
        host.scope_with("s", &["otp"]).await;
        let cookie = host.by_password(None, &ann).await;
        let value = json!({ "code": "1" });
        let schemes = host.identity.schemes();
        schemes.authenticate(Some(&cookie), &ann, "otp", &value, &host.origin).await.unwrap();
        assert!(satisfied(&host, &cookie, "s").await);
        host.unknown("otp");
        let calls = otp.calls();
        assert!(!satisfied(&host, &cookie, "s").await);
        assert_eq!(schemes.can_use("otp", &ann, at(&host)).await, Err(Failure::NotFound));
        assert_eq!(otp.calls(), calls);
    }
}
