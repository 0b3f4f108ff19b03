//! What is asked of an auth plugin, how often, and what becomes of a bad answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outboard::auth::counts::{Call, Outcome};
use outboard_proto::plugin::v1::{
    AuthenticateResponse, AuthorizeResponse, RefusalReason, UserDetail,
};
use tokio::sync::Semaphore;
use tonic::Status;

use crate::fixture::{EMAIL, Fixture, PATIENCE, Setup, TOKEN, eventually, publish};
use crate::http::Reply;
use crate::plugin::{Plugin, detail, look_up, refusal, user};

/// Who asks is let in, or turned away with this status and no word why.
#[track_caller]
fn silent(reply: &Reply, status: u16) {
    assert_eq!((reply.status, reply.body.as_str()), (status, ""), "{reply:?}");
}

async fn status_of(plugin: Plugin) -> u16 {
    let reply = Setup::new().start(plugin).await.pass("?groups=a").await;
    assert_eq!(reply.body, "");
    reply.status
}

#[tokio::test]
async fn only_the_right_user_passes() {
    let says = |email: &str, active: bool| {
        let (email, groups) = (email.to_owned(), vec!["a".to_owned()]);
        Plugin::says(detail(UserDetail { name: String::new(), email, active, groups }))
    };
    assert_eq!(status_of(says(EMAIL, true)).await, 200);
    assert_eq!(status_of(says("ADA@example.COM", true)).await, 200, "ASCII case does not matter");
    assert_eq!(status_of(says("", true)).await, 401, "blank");
    assert_eq!(status_of(says("  ", true)).await, 503, "no e-mail at all");
    assert_eq!(status_of(says("bob@example.com", true)).await, 401, "of somebody else: N10");
    assert_eq!(status_of(says(EMAIL, false)).await, 403, "inactive: N12");
    assert_eq!(status_of(Plugin::says(refusal(RefusalReason::Token))).await, 401);
    assert_eq!(status_of(Plugin::says(refusal(RefusalReason::Unspecified))).await, 401);
    assert_eq!(status_of(Plugin::knows(&["b"])).await, 403);
}

#[tokio::test]
async fn n06_a_user_beside_an_error_is_nobody() {
    let good = user(EMAIL, vec!["a".to_owned()]);
    for status in ["2", "13", "14", "16", "99", "nonsense"] {
        let fixture = Setup::new().start(Plugin::raw(&good, Some(status), Some("0"))).await;
        silent(&fixture.pass("").await, 503);
    }
    let fixture = Setup::new().start(Plugin::raw(&good, None, Some("0"))).await;
    silent(&fixture.pass("").await, 503);
    let fixture = Setup::new().start(Plugin::raw(&good, Some("0"), Some("0"))).await;
    silent(&fixture.pass("").await, 200);
}

#[tokio::test]
async fn n07_a_yes_beside_an_error_is_no() {
    let judged = |allowed: bool, error: Option<&'static str>| {
        Plugin::knows(&[]).judging(move |_| async move {
            match error {
                None => Ok(AuthorizeResponse { allowed, reason: String::new() }),
                Some(error) => Err(Status::internal(error)),
            }
        })
    };
    assert_eq!(status_of(judged(true, None)).await, 200);
    assert_eq!(status_of(judged(false, None)).await, 403);
    assert_eq!(status_of(judged(true, Some("down"))).await, 503);
    // Both in one answer: the message says yes, and the status behind it no.
    let good = user(EMAIL, Vec::new());
    for (status, expected) in [(Some("0"), 200), (Some("13"), 503), (Some("7"), 503), (None, 503)] {
        assert_eq!(status_of(Plugin::raw(&good, Some("0"), status)).await, expected, "{status:?}");
    }
}

#[tokio::test]
async fn n08_nobody_who_can_say_is_not_a_wrong_password() {
    let down = || Plugin::new(|_| async { Err(Status::unavailable("the directory is down")) });
    let fixture = Setup::new().start(down()).await;
    let reply = fixture.pass("").await;
    silent(&reply, 503);
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.header("www-authenticate"), "(none)");

    assert_eq!(status_of(Plugin::says(AuthenticateResponse::default())).await, 503, "neither");

    let mut setup = Setup::new();
    setup.auth.timeout = Duration::from_millis(100);
    let fixture = setup.start(Plugin::new(|_| std::future::pending())).await;
    silent(&fixture.pass("").await, 503);
    assert_eq!(fixture.auth.counts().calls_now(Call::TimedOut), 1);

    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    fixture.routes.suspend("activation-of-gate").unwrap();
    silent(&fixture.pass("").await, 503);
    fixture.routes.withdraw("activation-of-gate").unwrap();
    silent(&fixture.pass("").await, 503);
    assert_eq!(fixture.auth.counts().calls_now(Call::Away), 2);
    assert_eq!(fixture.times(), 0);
}

#[tokio::test]
async fn a_plugin_that_can_not_know_people_is_not_asked() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    let mut settings = Setup::new().auth;
    settings.instances = vec!["other".to_owned()];
    fixture.auth.reload(settings);
    silent(&fixture.pass("").await, 503);
    assert_eq!(fixture.times(), 0);
}

#[tokio::test]
async fn one_is_asked_if_nobody_says_which_and_of_several_none() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    silent(&fixture.pass("").await, 200);
    let know = |names: Option<&[&str]>| {
        let names = names.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        fixture.known.store(Arc::new(names));
    };
    know(Some(&["gate", "other"]));
    let body = format!(r#"{{"email":"{EMAIL}","token":"{TOKEN}"}}"#);
    let reply = fixture.post("/v1/authenticate", &body).await;
    assert_eq!(reply.status, 503);
    assert!(reply.error().contains("gate, other") && reply.error().contains("auth.instances"));
    know(Some(&[]));
    assert!(fixture.post("/v1/authenticate", &body).await.error().contains("no auth plugin"));
    know(None);
    silent(&fixture.pass("").await, 503);
    assert_eq!(fixture.times(), 1);
}

/// The statuses for Ada, whom the first plugin answers so and the second knows; and how often each was asked.
async fn chained(first: Plugin) -> (u16, [usize; 2]) {
    let mut setup = Setup::new();
    setup.auth.instances = vec!["first".to_owned(), "second".to_owned()];
    let plugins = [("first", first), ("second", Plugin::knows(&["a"]))];
    let fixture = setup.start_all(plugins).await;
    let status = fixture.pass("?groups=a").await.status;
    (status, [fixture.asked[0].authenticated(), fixture.asked[1].authenticated()])
}

#[tokio::test]
async fn the_next_of_a_chain_is_asked_only_about_those_whom_nobody_before_knows() {
    let says = |reason| Plugin::says(refusal(reason));
    assert_eq!(chained(says(RefusalReason::User)).await, (200, [1, 1]));
    assert_eq!(chained(Plugin::knows(&["a"])).await, (200, [1, 0]));
    assert_eq!(chained(says(RefusalReason::Inactive)).await, (403, [1, 0]));
    for reason in [RefusalReason::Token, RefusalReason::Owner, RefusalReason::Unspecified] {
        assert_eq!(chained(says(reason)).await, (401, [1, 0]), "{reason:?}");
    }
    let down = Plugin::new(|_| async { Err(Status::unavailable("down")) });
    assert_eq!(chained(down).await, (503, [1, 0]), "the first may know better");
    assert_eq!(chained(Plugin::says(user("bob@example.com", vec![]))).await, (401, [1, 0]));
}

#[tokio::test]
async fn groups_are_asked_of_whoever_named_the_user_with_the_rule_that_holds() {
    let plugin = Plugin::knows(&["own"]).judging(|request| async move {
        let asked = request.required_groups == ["a", "b"] && request.r#match == 2;
        let told = request.user.is_some_and(|user| user.active && user.groups == ["own"]);
        Ok(AuthorizeResponse { allowed: asked && told, reason: "of its own".into() })
    });
    let mut setup = Setup::new();
    setup.auth.instances = vec!["first".to_owned(), "second".to_owned()];
    let first = Plugin::says(refusal(RefusalReason::User));
    let fixture = setup.start_all([("first", first), ("second", plugin)]).await;
    silent(&fixture.pass("?groups=a,b&match=any").await, 200);
    silent(&fixture.pass("?groups=a,b").await, 403);
    silent(&fixture.pass("").await, 200);
    assert_eq!((fixture.asked[0].authorized(), fixture.asked[1].authorized()), (0, 2));
}

/// A plugin whose answers wait for permits.
fn slow() -> (Plugin, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let plugin = Plugin::new(move |request| {
        let held = held.clone();
        async move {
            held.acquire().await.unwrap().forget();
            Ok(look_up(&request, vec!["a".to_owned()]))
        }
    });
    (plugin, gate)
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_are_one_question_and_who_leaves_takes_no_answer_away() {
    let (plugin, gate) = slow();
    let fixture = Arc::new(Setup::new().start(plugin).await);
    let waits = |fixture: &Arc<Fixture>| {
        let fixture = fixture.clone();
        tokio::spawn(async move { fixture.pass("").await })
    };
    let first = waits(&fixture);
    eventually(|| fixture.times() == 1).await;
    let others: Vec<_> = (0..100).map(|_| waits(&fixture)).collect();
    eventually(|| fixture.auth.counts().joined_now() == 100).await;
    // Its connection ends, and with it the request that began the question.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    for other in others {
        silent(&other.await.unwrap(), 200);
    }
    assert_eq!(fixture.times(), 1);
}

#[tokio::test]
async fn other_questions_do_not_wait_for_a_slow_one() {
    let (plugin, gate) = slow();
    let fixture = Arc::new(Setup::new().start(plugin).await);
    let waiting = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.pass("").await }
    });
    eventually(|| fixture.times() == 1).await;
    gate.add_permits(1);
    waiting.await.unwrap();
    gate.add_permits(1);
    let other = [("Email-Id", "bob@example.com"), ("Access-Token", TOKEN)];
    silent(&fixture.forward("", &other).await, 401);
    assert_eq!(fixture.times(), 2);
}

#[tokio::test]
async fn an_answer_counts_for_its_time_and_no_longer_and_outlives_its_plugin() {
    let mut setup = Setup::new();
    setup.auth.cache_ttl = Duration::from_millis(1500);
    let fixture = setup.start(Plugin::knows(&["a"])).await;
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        silent(&fixture.pass("?groups=a").await, 200);
    }
    assert_eq!(fixture.times(), 1);
    assert!(fixture.auth.counts().cache_hits_now() >= 9);
    fixture.routes.suspend("activation-of-gate").unwrap();
    silent(&fixture.pass("?groups=a").await, 200);
    tokio::time::sleep_until(began + Duration::from_millis(1600)).await;
    silent(&fixture.pass("?groups=a").await, 503);
}

#[tokio::test]
async fn another_token_or_case_is_another_question_and_a_refusal_is_remembered_apart() {
    let mut setup = Setup::new();
    setup.auth.cache_ttl = PATIENCE;
    setup.auth.cache_entries = 1;
    let fixture = setup.start(Plugin::knows(&[])).await;
    silent(&fixture.pass("").await, 200);
    for guess in ["S3CRET-t0ken", "s3cret-t0ke", "s3cret-t0kenn"] {
        let reply = fixture.forward("", &[("Email-Id", EMAIL), ("Access-Token", guess)]).await;
        silent(&reply, 401);
    }
    assert_eq!(fixture.times(), 4);
    silent(&fixture.pass("").await, 200);
    assert_eq!(fixture.times(), 4, "guesses push nobody out");
    let again = [("Email-Id", EMAIL), ("Access-Token", "s3cret-t0kenn")];
    silent(&fixture.forward("", &again).await, 401);
    assert_eq!(fixture.times(), 4, "who tries again at once is known");
}

#[tokio::test]
async fn a_reload_forgets_what_was_answered() {
    let mut setup = Setup::new();
    setup.auth.cache_ttl = PATIENCE;
    let settings = setup.auth.clone();
    let fixture = setup.start(Plugin::knows(&[])).await;
    silent(&fixture.pass("").await, 200);
    fixture.auth.reload(settings);
    silent(&fixture.pass("").await, 200);
    assert_eq!(fixture.times(), 2);
}

#[tokio::test]
async fn a_plugin_that_fails_is_left_alone_and_then_tried_again() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = is_down.clone();
    let plugin = Plugin::new(move |request| {
        let is_down = down.load(Ordering::SeqCst);
        async move {
            if is_down { Err(Status::unavailable("down")) } else { Ok(look_up(&request, vec![])) }
        }
    });
    let fixture = Setup::new().start(plugin).await;
    let mut asked = 0;
    while fixture.auth.counts().calls_now(Call::HeldBack) == 0 {
        silent(&fixture.pass("").await, 503);
        asked += 1;
        assert!(asked < 1000, "the breaker never opens");
    }
    let before = fixture.times();
    assert!(before < asked);
    let reply = fixture.pass("").await;
    silent(&reply, 503);
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!((fixture.times(), fixture.auth.held_back()), (before, vec!["gate".to_owned()]));
    is_down.store(false, Ordering::SeqCst);
    let back = async {
        while fixture.pass("").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), back).await.expect("it is tried again");
    assert!(fixture.auth.held_back().is_empty());
    assert_eq!(fixture.times(), before + 1, "the first try was enough");
}

#[tokio::test]
async fn a_client_with_an_odd_name_opens_no_breaker_for_the_others() {
    let plugin = Plugin::new(|request| async move {
        if request.email == EMAIL {
            Ok(look_up(&request, vec![]))
        } else {
            Err(Status::invalid_argument("no such name"))
        }
    });
    let fixture = Setup::new().start(plugin).await;
    for number in 0..50 {
        let email = format!("odd{number}@example.com");
        let odd = [("Email-Id", email.as_str()), ("Access-Token", TOKEN)];
        silent(&fixture.forward("", &odd).await, 503);
    }
    silent(&fixture.pass("").await, 200);
}

#[tokio::test]
async fn a_question_ends_with_its_activation_and_the_next_goes_to_the_new_one() {
    let (plugin, _gate) = slow();
    let fixture = Arc::new(Setup::new().start(plugin).await);
    let waiting = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.pass("").await }
    });
    eventually(|| fixture.times() == 1).await;
    let old = fixture.routes.suspend("activation-of-gate").unwrap();
    assert_eq!(old.in_flight(), 1, "Close waits for it");
    old.cut_off();
    silent(&waiting.await.unwrap(), 503);
    tokio::time::timeout(PATIENCE, old.drained()).await.unwrap();
    let new = Plugin::knows(&[]);
    let dir = tempfile::tempdir().unwrap();
    publish(&fixture.routes, "gate", &new.listen(dir.path())).await;
    silent(&fixture.pass("").await, 200);
}

#[tokio::test]
async fn switched_off_everybody_passes_and_nobody_is_asked() {
    let mut setup = Setup::new();
    setup.auth.is_enabled = false;
    let fixture = setup.start(Plugin::knows(&[])).await;
    for headers in [&[("Email-Id", "bob@example.com"), ("Access-Token", "x")][..], &[]] {
        let reply = fixture.forward("?admin=1", headers).await;
        silent(&reply, 200);
        assert_eq!(reply.header("outboard-user-email"), "", "nobody in particular");
    }
    let reply = fixture.post("/v1/authorize", r#"{"email":"","token":""}"#).await;
    assert_eq!(reply.json(), serde_json::json!({ "allowed": true, "user": null }));
    let reply = fixture.post("/v1/authenticate", r#"{"email":"","token":""}"#).await;
    assert_eq!(reply.json(), serde_json::json!({ "user": null }));
    assert_eq!((fixture.times(), fixture.auth.counts().outcome_now(Outcome::Unchecked)), (0, 4));
}

#[tokio::test]
async fn each_end_of_a_question_is_counted() {
    let fixture = Setup::new().start(Plugin::knows(&["a"])).await;
    fixture.pass("?groups=a").await;
    fixture.pass("?groups=b").await;
    fixture.forward("", &[("Email-Id", EMAIL), ("Access-Token", "x")]).await;
    fixture.forward("", &[]).await;
    fixture.routes.suspend("activation-of-gate").unwrap();
    fixture.pass("").await;
    let count = |outcome| fixture.auth.counts().outcome_now(outcome);
    assert_eq!(count(Outcome::Allowed), 1);
    assert_eq!(count(Outcome::Denied), 1);
    assert_eq!(count(Outcome::Refused), 2);
    assert_eq!(count(Outcome::Unavailable), 1);
}
