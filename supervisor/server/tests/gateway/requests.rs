//! What of a request reaches the plugin, and what it finds.

use outboard_proto::plugin::v1::{HandleRequest, Outcome};

use crate::client::{Reply, get, post, raw, request};
use crate::fixture::{Fixture, answer, decode, echo, endpoint};

async fn sent(fixture: &Fixture, text: String) -> HandleRequest {
    let reply = raw(fixture.address, text).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    decode(&reply.body)
}

fn values(request: &HandleRequest, name: &str) -> Vec<String> {
    let headers = &request.request.as_ref().unwrap().headers;
    let values = headers.iter().filter(|header| header.name == name);
    values.map(|header| String::from_utf8_lossy(&header.value).into_owned()).collect()
}

#[tokio::test]
async fn a_request_reaches_the_plugin_byte_for_byte() {
    let fixture = super::echoing(&["POST user/:name/@key/*"]).await;
    let headers =
        "X-One: a\r\nx-empty:\r\nX-One: b, c\r\nx-latin: caf\u{e9}\r\ncontent-length: 5\r\n";
    let target = "/api/shop//user/J%C3%BCrgen/a%26b/more?x=1&x=2&y=&z&q=%zz";
    let handled = sent(&fixture, request("POST", target, headers, "a\0b\r\n")).await;
    assert_eq!(handled.activation, "activation-1");
    let found = handled.r#match.clone().unwrap();
    assert_eq!(found.endpoint_id, 1);
    let variables: Vec<_> = found.variables.iter().map(|v| (&*v.name, &*v.value)).collect();
    assert_eq!(variables, [("name", "Jürgen".as_bytes()), ("key", b"a&b")]);
    let seen = handled.request.as_ref().unwrap();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.path, target.split('?').next().unwrap());
    assert_eq!(seen.query.as_deref(), Some(&b"x=1&x=2&y=&z&q=%zz"[..]));
    assert_eq!(
        (&*seen.scheme, &*seen.authority, &*seen.protocol),
        ("http", "shop.example:8080", "HTTP/1.1")
    );
    assert_eq!(seen.client_address, "127.0.0.1");
    assert_eq!(values(&handled, "x-one"), ["a", "b, c"]);
    assert_eq!(values(&handled, "x-empty"), [""]);
    assert_eq!(values(&handled, "x-latin"), ["caf\u{e9}"]);
    assert_eq!(handled.body, &b"a\0b\r\n"[..]);
    assert!(handled.response.is_none() && handled.context.is_empty());
}

#[tokio::test]
async fn an_empty_query_is_not_the_same_as_none() {
    let fixture = super::echoing(&["GET x"]).await;
    let query = async |target: &str| {
        let handled = sent(&fixture, request("GET", target, "", "")).await;
        handled.request.unwrap().query.map(|query| String::from_utf8_lossy(&query).into_owned())
    };
    assert_eq!(query("/api/shop/x").await, None);
    assert_eq!(query("/api/shop/x?").await.as_deref(), Some(""));
    assert_eq!(query("/api/shop/x?a=b?c").await.as_deref(), Some("a=b?c"));
}

#[tokio::test]
async fn a_chunked_body_arrives_whole() {
    let fixture = super::echoing(&["PUT x"]).await;
    let chunks = "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\n";
    let handled =
        sent(&fixture, request("PUT", "/api/shop/x", "transfer-encoding: chunked\r\n", chunks))
            .await;
    assert_eq!(handled.body, "abc0123456789");
    assert!(values(&handled, "transfer-encoding").is_empty());
}

#[tokio::test]
async fn fields_of_the_connection_and_of_the_host_stay_behind() {
    let fixture = super::echoing(&["GET x"]).await;
    let text = "GET /api/shop/x HTTP/1.1\r\nhost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\n\
                Keep-Alive: 5\r\nUpgrade: websocket\r\nProxy-Authorization: x\r\nOutboard-User: root\r\n\
                outboard_user: root\r\nx-kept: 1\r\n\r\n";
    let handled = sent(&fixture, text.to_owned()).await;
    let headers = &handled.request.as_ref().unwrap().headers;
    let names: Vec<_> = headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!(names, ["host", "x-kept", "te"]);
    assert_eq!(values(&handled, "te"), ["trailers"]);
}

#[tokio::test]
async fn a_request_has_an_id_and_a_span() {
    let fixture = super::echoing(&["GET x"]).await;
    let given = "x-request-id: abc-1\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let reply = raw(fixture.address, request("GET", "/api/shop/x", given, "")).await;
    assert_eq!(reply.headers("x-request-id"), ["abc-1"]);
    let seen = decode(&reply.body).request.unwrap();
    assert_eq!(seen.request_id, "abc-1");
    assert!(
        seen.traceparent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{}",
        seen.traceparent
    );
    assert!(seen.traceparent.ends_with("-01") && !seen.traceparent.contains("00f067aa0ba902b7"));

    for given in [
        "",
        "x-request-id: a b\r\n",
        "x-request-id: a\r\nx-request-id: b\r\ntraceparent: nonsense\r\n",
    ] {
        let reply = raw(fixture.address, request("GET", "/api/shop/x", given, "")).await;
        let seen = decode(&reply.body).request.unwrap();
        assert_eq!(reply.headers("x-request-id"), [&*seen.request_id]);
        assert_eq!(seen.request_id.len(), 32, "{given}");
        assert_eq!(seen.traceparent.len(), 55, "{given}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_nobody_else() {
    let mut setup = super::setup(&["GET x"]);
    let forwarded = "x-forwarded-for: 6.6.6.6, 198.51.100.7\r\nx-forwarded-proto: https\r\n";
    let text = request("GET", "/api/shop/x", forwarded, "");
    let stranger = super::setup(&["GET x"]).start(echo).await;
    let seen = sent(&stranger, text.clone()).await.request.unwrap();
    assert_eq!((&*seen.client_address, &*seen.scheme), ("127.0.0.1", "http"));
    setup.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let trusting = setup.start(echo).await;
    let seen = sent(&trusting, text).await.request.unwrap();
    assert_eq!((&*seen.client_address, &*seen.scheme), ("198.51.100.7", "https"));
}

#[tokio::test]
async fn nothing_matched_is_404_with_the_known_body() {
    let setup = super::setup(&["GET x/:y", "* only/*"]);
    let mut setup = setup;
    setup.endpoints[1].filter = true;
    let fixture = setup.start(echo).await;
    let check = |reply: &Reply| {
        assert_eq!(reply.status, 404);
        assert_eq!(
            reply.text(),
            r#"{"error":"resource not found","message":"no resource available at this address"}"#
        );
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert!(reply.header("x-request-id").is_some());
    };
    for target in [
        "/",
        "/api",
        "/api/shop",
        "/api/shop/x",
        "/api/shop/X/y",
        "/api/shop/x/y/z",
        "/api/Shop/x/y",
        "/api/other/x/y",
        "/API/shop/x/y",
        "/shop/x/y",
        "/api/shop/only/filters",
        "/api/%FF/x/y",
    ] {
        check(&get(fixture.address, target).await);
    }
    check(&post(fixture.address, "/api/shop/x/y", "").await);
    check(&raw(fixture.address, request("get", "/api/shop/x/y", "", "")).await);
    check(&raw(fixture.address, request("OPTIONS", "/api/shop/nothing", "", "")).await);
    assert_eq!(get(fixture.address, "/api/shop/x/y").await.status, 200);
}

#[tokio::test]
async fn spellings_of_one_path_are_one_path() {
    let fixture = super::echoing(&["GET caf\u{e9}/a b"]).await;
    for target in [
        "/api/shop/caf%C3%A9/a%20b",
        "//api///shop/caf%c3%a9/a%20b//",
        "/%61pi/sh%6Fp/caf%C3%A9/%61%20b",
    ] {
        assert_eq!(get(fixture.address, target).await.status, 200, "{target}");
    }
    let absolute = "http://shop.example/api/shop/caf%C3%A9/a%20b";
    let handled = sent(&fixture, request("GET", absolute, "", "")).await;
    assert_eq!(handled.request.unwrap().authority, "shop.example");
}

#[tokio::test]
async fn the_host_is_that_of_the_target_where_it_names_one() {
    let fixture = super::echoing(&["GET x"]).await;
    let line = "GET http://shop.example:81/api/shop/x";
    for text in [
        format!("{line} HTTP/1.1\r\nx-a: 1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"),
        format!("{line} HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nconnection: close, host\r\n\r\n"),
        format!("{line} HTTP/1.0\r\nx-a: 1\r\n\r\n"),
    ] {
        let handled = sent(&fixture, text).await;
        assert_eq!(values(&handled, "host"), ["shop.example:81"]);
        assert_eq!(values(&handled, "x-a"), ["1"]);
        assert_eq!(handled.request.unwrap().authority, "shop.example:81");
    }
}

#[tokio::test]
async fn head_runs_get_and_keeps_the_length_without_the_body() {
    let setup = super::setup(&["GET x"]);
    let fixture = setup
        .start(|request| async move {
            assert_eq!(request.request.unwrap().method, "GET");
            answer(Outcome::Complete, 201, &[("x-a", "b"), ("content-length", "5")], "hello")
        })
        .await;
    let reply = raw(fixture.address, request("HEAD", "/api/shop/x", "", "")).await;
    assert_eq!(
        (reply.status, reply.headers("content-length"), reply.header("x-a")),
        (201, vec!["5"], Some("b"))
    );
    assert_eq!(reply.body, b"");
    let reply = raw(fixture.address, request("HEAD", "/api/shop/none", "", "")).await;
    assert_eq!((reply.status, reply.body.len()), (404, 0));
}

#[tokio::test]
async fn options_is_answered_by_the_host() {
    let fixture = super::echoing(&["GET x", "PUT x", "POST :any", "* all"]).await;
    let allow = async |target: &str| {
        let reply = raw(fixture.address, request("OPTIONS", target, "", "")).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0));
        assert_eq!(reply.header("content-length"), None);
        reply.header("allow").unwrap().to_owned()
    };
    assert_eq!(allow("/api/shop/x").await, "GET, HEAD, OPTIONS, POST, PUT");
    assert_eq!(allow("/api/shop/y").await, "OPTIONS, POST");
    assert_eq!(allow("*").await, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
}

#[tokio::test]
async fn endpoints_may_change_while_requests_run() {
    let fixture = super::echoing(&["GET x"]).await;
    let mut endpoints = outboard_core::route::Endpoints::default();
    endpoints.add(vec![endpoint(7, "GET y")]).unwrap();
    assert!(fixture.routes.update(&fixture.activation, endpoints.table()));
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 404);
    assert_eq!(
        decode(&get(fixture.address, "/api/shop/y").await.body).r#match.unwrap().endpoint_id,
        7
    );
    fixture.routes.withdraw(fixture.activation.id()).unwrap();
    assert_eq!(get(fixture.address, "/api/shop/y").await.status, 404);
    fixture.activation.drained().await;
}
