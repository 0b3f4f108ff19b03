//! Endpoints that are not for everybody: who may not pass is answered before the plugin sees anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, FutureExt as _};
use outboard::gateway::gatekeeper::{Asker, Gatekeeper, Identity, Judgement};
use outboard_core::route::Requirement;
use outboard_proto::plugin::v1 as wire;

use crate::client::{Reply, raw, request};
use crate::fixture::{Fixture, decode, echo};

/// Judges by the session's name.
#[derive(Debug)]
struct Doorman;

impl Gatekeeper for Doorman {
    fn judge(&self, asker: Asker, required: Requirement) -> BoxFuture<'static, Judgement> {
        let session = asker.handle.cookie.unwrap_or_default();
        let scopes = required.scopes;
        let judgement = match (asker.api_key, &*session) {
            (Some(key), _) if key.0 == "key" => {
                Judgement::Admitted(Identity::ApiKey { scopes })
            }
            (None, "ann") => Judgement::Admitted(Identity::User {
                id: "1".to_owned(),
                username: "ann".to_owned(),
                scopes,
            }),
            (None, "other") => Judgement::Forbidden,
            (None, "down") => Judgement::Unavailable,
            (None, "panic") => return async { panic!("this is what the test is about") }.boxed(),
            (Some(_) | None, _) => Judgement::SignIn,
        };
        async { judgement }.boxed()
    }

    fn login_url(&self, target: &str, scopes: &[String]) -> String {
        format!("https://id.example/login?scope={}&back={target}", scopes.join("+"))
    }

    fn origins(&self) -> &[String] {
        static ORIGINS: std::sync::LazyLock<Vec<String>> =
            std::sync::LazyLock::new(|| vec!["https://id.example".to_owned()]);
        &ORIGINS
    }
}

/// What each of `endpoints` requires, by its place in the list.
async fn guarded(endpoints: &[&str], required: &[Requirement]) -> (Fixture, Arc<AtomicUsize>) {
    let mut setup = super::setup(endpoints);
    for (endpoint, required) in setup.endpoints.iter_mut().zip(required) {
        endpoint.requires = required.clone();
    }
    setup.gatekeeper = Some(Arc::new(Doorman));
    let asked = Arc::new(AtomicUsize::new(0));
    let asks = asked.clone();
    let fixture = setup
        .start(move |request| {
            asks.fetch_add(1, Ordering::SeqCst);
            echo(request)
        })
        .await;
    (fixture, asked)
}

fn scope(name: &str, api_key: bool) -> Requirement {
    Requirement { scopes: vec![name.to_owned()], api_key, ..Requirement::default() }
}

async fn ask(fixture: &Fixture, method: &str, headers: &str) -> Reply {
    raw(fixture.address, request(method, "/api/shop/x?a=b", headers, "")).await
}

fn identity(reply: &Reply) -> wire::Identity {
    assert_eq!(reply.status, 200, "{}", reply.text());
    decode(&reply.body).request.unwrap().identity.unwrap()
}

const ANN: &str = "cookie: GLEWLWYD2_SESSION_ID=ann\r\n";
const BROWSER: &str = "accept: text/html,*/*\r\nsec-fetch-mode: navigate\r\n";

#[tokio::test]
async fn who_may_pass_is_told_to_the_plugin_and_nobody_can_forge_it() {
    let (fixture, _) = guarded(&["* x"], &[scope("g_admin", true)]).await;
    let forged = "outboard-user: root\r\noutboard_identity: root\r\nx-user: root\r\n";
    let reply = ask(&fixture, "GET", &format!("{ANN}{forged}")).await;
    let scopes = vec!["g_admin".to_owned()];
    let ann = wire::Identity {
        user_id: "1".to_owned(),
        username: "ann".to_owned(),
        scopes: scopes.clone(),
        api_key: false,
    };
    assert_eq!(identity(&reply), ann);
    let headers = decode(&reply.body).request.unwrap().headers;
    assert!(headers.iter().all(|header| !header.name.starts_with("outboard")), "{headers:?}");
    let reply = ask(&fixture, "POST", "authorization: token key\r\n").await;
    let key = wire::Identity { scopes, api_key: true, ..wire::Identity::default() };
    assert_eq!(identity(&reply), key);
}

#[tokio::test]
async fn nobody_else_reaches_the_plugin() {
    let (fixture, asked) = guarded(&["* x"], &[scope("g_admin", false)]).await;
    let session = |name| format!("cookie: GLEWLWYD2_SESSION_ID={name}\r\n");
    for (headers, status, error) in [
        (String::new(), 401, "unauthorized"),
        (session("stranger"), 401, "unauthorized"),
        (format!("{}cookie: GLEWLWYD2_SESSION_ID=ann\r\n", session("other")), 401, "unauthorized"),
        ("authorization: token key\r\n".to_owned(), 401, "unauthorized"),
        (session("other"), 403, "forbidden"),
        (session("down"), 503, "unavailable"),
        (session("panic"), 500, "internal error"),
    ] {
        for method in ["GET", "POST"] {
            let reply = ask(&fixture, method, &headers).await;
            assert_eq!((reply.status, &*reply.error()), (status, error), "{method} {headers}");
            let is_kept = matches!(status, 401 | 403);
            assert_eq!(reply.header("cache-control").is_some(), is_kept, "{headers}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // A body that comes with it is not waited for either.
    let text = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\n";
    assert_eq!(raw(fixture.address, text).await.status, 401);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_browser_is_sent_to_log_in_and_comes_back() {
    let (fixture, asked) = guarded(&["* x"], &[scope("g_admin", false)]).await;
    let reply = ask(&fixture, "GET", BROWSER).await;
    let location = "https://id.example/login?scope=g_admin&back=/api/shop/x?a=b";
    assert_eq!((reply.status, reply.header("location")), (302, Some(location)));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    for (method, headers) in [
        ("POST", BROWSER),
        ("GET", "accept: text/html\r\nsec-fetch-mode: cors\r\n"),
        ("GET", "accept: application/json\r\n"),
    ] {
        assert_eq!(ask(&fixture, method, headers).await.status, 401, "{method} {headers}");
    }
    let back = request("GET", "/api/shop/x?a=b&g_continue", BROWSER, "");
    assert_eq!(raw(fixture.address, back).await.status, 401, "not round in circles");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_session_changes_nothing_for_pages_of_others() {
    let (fixture, asked) = guarded(&["* x"], &[scope("g_admin", true)]).await;
    for other in [
        "origin: null\r\n",
        "origin: https://evil.example\r\n",
        "origin: null\r\nsec-fetch-site: same-origin\r\n",
        "sec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\norigin: https://www.id.example\r\n",
    ] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let reply = ask(&fixture, method, &format!("{ANN}{other}")).await;
            assert_eq!((reply.status, &*reply.error()), (403, "forbidden"), "{method} {other}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    for fine in [
        "",
        "origin: https://id.example\r\n",
        "origin: http://shop.example:8080\r\n",
        "sec-fetch-site: same-origin\r\n",
    ] {
        assert_eq!(ask(&fixture, "POST", &format!("{ANN}{fine}")).await.status, 200, "{fine}");
    }
    // Looking is what the browser itself keeps pages from.
    assert_eq!(ask(&fixture, "GET", &format!("{ANN}origin: null\r\n")).await.status, 200);
    // A key is nothing that a browser would add.
    let key = "authorization: token key\r\norigin: null\r\n";
    assert_eq!(ask(&fixture, "POST", key).await.status, 200);
}

#[tokio::test]
async fn in_a_chain_the_requirements_of_all_count() {
    let signed_in = Requirement { signed_in: true, ..Requirement::default() };
    let (fixture, asked) =
        guarded(&["* *", "* x", "* y"], &[scope("a", true), scope("b", true), signed_in]).await;
    assert_eq!(identity(&ask(&fixture, "GET", ANN).await).scopes, ["a", "b"]);
    let with_key = "authorization: token key\r\n";
    assert_eq!(identity(&ask(&fixture, "GET", with_key).await).scopes, ["a", "b"]);
    let asked_before = asked.load(Ordering::SeqCst);
    let reply = raw(fixture.address, request("GET", "/api/shop/y", with_key, "")).await;
    assert_eq!(reply.status, 401, "one of them takes no key");
    assert_eq!(asked.load(Ordering::SeqCst), asked_before);
}

#[tokio::test]
async fn endpoints_for_everybody_ask_nobody() {
    let (fixture, _) = guarded(&["* x", "* y"], &[Requirement::default(), scope("a", false)]).await;
    let reply = ask(&fixture, "GET", "cookie: GLEWLWYD2_SESSION_ID=panic\r\n").await;
    assert_eq!(reply.status, 200);
    assert_eq!(decode(&reply.body).request.unwrap().identity, None);
}

#[tokio::test]
async fn without_anybody_to_ask_nobody_passes() {
    let mut setup = super::setup(&["* x"]);
    setup.endpoints[0].requires = scope("a", true);
    let fixture = setup.start(echo).await;
    let reply = ask(&fixture, "GET", ANN).await;
    assert_eq!((reply.status, &*reply.error()), (503, "unavailable"));
}
