//! What the host itself serves, beside the instances.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get as on_get, post as on_post};
use axum::{Extension, Router};
use bytes::Bytes;
use outboard::gateway::own::Client as Asker;
use tokio::sync::Semaphore;

use crate::client::{Client, get, post, raw, request};
use crate::fixture::{Dropped, Fixture, Setup, echo, eventually};

async fn start(own: Router) -> Fixture {
    let mut setup = Setup::framed(&["* *"]);
    setup.own = Some(own);
    setup.start(echo).await
}

fn told() -> Router {
    let told = |Path(name): Path<String>, RawQuery(query): RawQuery, body: Bytes| async move {
        format!("{name} {} {}", query.unwrap_or_default(), String::from_utf8_lossy(&body))
    };
    Router::new()
        .route("/api/user/{name}", on_get(told).put(told))
        .route("/api/user", on_get(async || "all"))
        .route("/login.html", on_get(async || "log in"))
}

#[tokio::test]
async fn every_address_that_is_no_instances_is_the_hosts() {
    let fixture = start(told()).await;
    for (target, text) in [
        ("/api/user/ann", "ann  "),
        ("/api//user/ann/", "ann  "),
        ("//%61pi/us%65r/a%20b%C3%A9?x=%20", "a bé x=%20 "),
        ("/api/user/", "all"),
        ("/login.html", "log in"),
    ] {
        let reply = get(fixture.address, target).await;
        assert_eq!((reply.status, &*reply.text()), (200, text), "{target}");
        assert!(reply.header("x-request-id").is_some());
    }
    let put = request("PUT", "/api/user/ann", "content-length: 3\r\n", "abc");
    assert_eq!(raw(fixture.address, put).await.text(), "ann  abc");
    for target in ["/", "/api", "/api/none", "/api/session/x", "/login", "/api/user/a/b", "/shop/x"]
    {
        let reply = get(fixture.address, target).await;
        assert_eq!((reply.status, &*reply.error()), (404, "resource not found"), "{target}");
    }
    assert_eq!(get(fixture.address, "/api/user/..").await.status, 400);
    assert_eq!(get(fixture.address, "/api/shop/user").await.status, 200, "the instance's");
}

#[tokio::test]
async fn head_and_options_are_right_without_the_router_knowing() {
    let fixture = start(told()).await;
    let head = raw(fixture.address, request("HEAD", "/login.html", "", "")).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("6"), 0));
    let options = raw(fixture.address, request("OPTIONS", "/api/user/ann", "", "")).await;
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS, PUT")));
    let none = raw(fixture.address, request("OPTIONS", "/api/none", "", "")).await;
    assert_eq!(none.status, 404);
    let post = post(fixture.address, "/api/user/ann", "").await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET,HEAD,PUT")));
}

#[tokio::test]
async fn the_host_knows_who_asks() {
    let who = |Extension(asker): Extension<Asker>, headers: HeaderMap| async move {
        let cookies: Vec<_> = headers.get_all("cookie").iter().collect();
        assert!(!headers.contains_key("connection") && cookies.len() == 1);
        let Asker { address, scheme, authority, request_id } = asker;
        format!("{address} {scheme} {authority} {request_id} {:?}", cookies[0])
    };
    let mut setup = Setup::framed(&[]);
    setup.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    setup.own = Some(Router::new().route("/who", on_get(who)));
    let fixture = setup.start(echo).await;
    let headers = "x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: https\r\nx-request-id: 7\r\ncookie: a=b\r\n\
                   cookie: c=d\r\n";
    let reply = raw(fixture.address, request("GET", "/who", headers, "")).await;
    assert_eq!(reply.text(), "192.0.2.7 https shop.example:8080 7 \"a=b; c=d\"");
}

#[tokio::test]
async fn what_goes_wrong_in_the_host_costs_that_request() {
    let fail = async || -> String { panic!("this is what the test is about") };
    let own = Router::new().route("/fail", on_get(fail)).route("/x", on_post(async || "x"));
    let fixture = start(own).await;
    let reply = get(fixture.address, "/fail").await;
    assert_eq!((reply.status, &*reply.error()), (500, "internal error"));
    assert_eq!(post(fixture.address, "/x", "").await.text(), "x");
    let large = "x".repeat((4 << 20) + 1);
    assert_eq!(post(fixture.address, "/x", &large).await.status, 413);
    assert_eq!(post(fixture.address, "/x", &large[1..]).await.status, 200);
}

#[tokio::test]
async fn a_change_is_made_to_its_end_and_a_question_is_not() {
    let semaphore = || Arc::new(Semaphore::new(0));
    let (begun, go, over, done) = (semaphore(), semaphore(), semaphore(), semaphore());
    let steps = (begun.clone(), go.clone(), over.clone(), done.clone());
    let work = move || {
        let (begun, go, over, done) = steps.clone();
        async move {
            let _over = Dropped(over);
            begun.add_permits(1);
            go.acquire().await.unwrap().forget();
            done.add_permits(1);
            StatusCode::NO_CONTENT
        }
    };
    let fixture = start(Router::new().route("/x", on_get(work.clone()).post(work))).await;
    for method in ["GET", "POST"] {
        let mut client = Client::connect(fixture.address).await;
        client.send(request(method, "/x", "", "")).await;
        soon(begun.acquire()).await.unwrap().forget();
        drop(client);
        eventually(|| fixture.routes.observer().connections() == 0).await;
        if method == "GET" {
            soon(over.acquire()).await.unwrap().forget();
        }
    }
    assert_eq!((over.available_permits(), done.available_permits()), (0, 0));
    go.add_permits(1);
    soon(done.acquire()).await.unwrap().forget();
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it comes about in time")
}
