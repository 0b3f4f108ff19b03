//! Requests that are none, or that two servers could read differently.

use crate::client::{Client, get, raw, request, try_raw};
use crate::fixture::{decode, ok};

#[tokio::test]
async fn a_path_that_means_two_things_is_400() {
    let fixture = super::echoing(&["GET *"]).await;
    for target in [
        "/api/shop/../admin",
        "/api/shop/..",
        "/api/shop/./x",
        "/api/shop/%2e%2e/x",
        "/api/shop/%2E./x",
        "/api/shop/a%2Fb",
        "/api/shop/a%2fb",
        "/..%2f",
        "/api/shop/%00",
        "/api/shop/a%",
        "/api/shop/a%2",
        "/api/shop/%zz",
        "/../../etc/passwd",
        "/api/%2e%2e/shop/x",
        "*",
    ] {
        let reply = get(fixture.address, target).await;
        assert_eq!((reply.status, reply.error()), (400, "bad request".to_owned()), "{target}");
    }
    for target in
        ["/api/shop/a\\..\\b", "/api/shop/..;/x", "/api/shop/%252e%252e", "/api/shop/%c0%ae"]
    {
        assert_eq!(
            get(fixture.address, target).await.status,
            200,
            "{target} is one segment like any other"
        );
    }
}

#[tokio::test]
async fn a_request_line_that_is_none_is_400() {
    let fixture = super::echoing(&["GET *"]).await;
    for line in [
        "GET\r\n",
        "GET /api/shop/x\r\n",
        "GET /api/shop/a b HTTP/1.1\r\n",
        "GET api/shop/x HTTP/1.1\r\n",
        "GET /api/shop/\u{1}x HTTP/1.1\r\n",
        "G@T /api/shop/x HTTP/1.1\r\n",
        "GET /api/shop/x HTTP/1.7\r\n",
        "GET /api/shop/x HTTP/3\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n",
    ] {
        let reply = raw(fixture.address, format!("{line}host: a\r\n\r\n")).await;
        assert_eq!(reply.status, 400, "{line:?}");
    }
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let fixture = super::echoing(&["GET *"]).await;
    let status = async |hosts: &str| {
        raw(
            fixture.address,
            format!("GET /api/shop/x HTTP/1.1\r\n{hosts}connection: close\r\n\r\n"),
        )
        .await
        .status
    };
    assert_eq!(status("host: a\r\n").await, 200);
    assert_eq!(status("host: [::1]:80\r\n").await, 200);
    for hosts in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a b\r\n",
        "host: a@b\r\n",
        "host: a/b\r\n",
        "host: a\r\nHost: b\r\n",
    ] {
        assert_eq!(status(hosts).await, 400, "{hosts:?}");
    }
    let long = format!("host: {}\r\n", "a".repeat(256));
    assert_eq!(status(&long).await, 400);
    let old = raw(fixture.address, "GET /api/shop/x HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 200, "HTTP/1.0 has no Host");
}

/// Each of these hides a second request from a server that reads the first one differently.
#[tokio::test]
async fn a_hidden_request_is_never_answered() {
    let fixture = super::setup(&["* *"])
        .start(|request| async move {
            let path = request.request.unwrap().path;
            assert!(!path.ends_with(b"hidden"), "the hidden request was taken for one");
            ok("visible")
        })
        .await;
    let hidden = "GET /api/shop/hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    for headers in [
        "content-length: 0\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n",
        "content-length: 0\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 0\r\n",
        "content-length: 0, 5\r\n",
        "content-length: +0\r\n",
        "content-length: -1\r\n",
        "content-length: 0x0\r\n",
        "content-length: \r\n",
        "content-length: 99999999999999999999999\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding : chunked\r\n",
        " transfer-encoding: chunked\r\n",
        "x-folded: a\r\n transfer-encoding: chunked\r\n",
        "x-folded: a\r\n\ttransfer-encoding: chunked\r\n",
        "content-length\u{0}: 5\r\n",
        "x: a\u{0}b\r\n",
        "x: a\rb\r\n",
        "no colon\r\n",
        ": empty\r\n",
    ] {
        let text = format!("POST /api/shop/x HTTP/1.1\r\nhost: a\r\n{headers}\r\n{hidden}");
        let Some(reply) = try_raw(fixture.address, text).await else { continue };
        assert_eq!(reply.status, 400, "{headers:?}");
        assert_eq!(reply.text().matches("HTTP/1.1").count(), 0, "one answer only: {headers:?}");
    }
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_count_and_ends_the_connection() {
    let fixture = super::echoing(&["POST *"]).await;
    for headers in [
        "content-length: 100\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 100\r\n",
    ] {
        let body = "3\r\nabc\r\n0\r\n\r\nGET /api/shop/hidden HTTP/1.1\r\nhost: a\r\n\r\n";
        let text = format!("POST /api/shop/x HTTP/1.1\r\nhost: a\r\n{headers}\r\n{body}");
        let reply = raw(fixture.address, text).await;
        assert_eq!((reply.status, &*decode(&reply.body).body), (200, &b"abc"[..]));
        assert!(
            decode(&reply.body).request.unwrap().headers.iter().all(|header| header.name == "host")
        );
    }
}

#[tokio::test]
async fn a_chunk_that_is_none_is_400_and_the_last_of_its_connection() {
    let fixture = super::echoing(&["POST *"]).await;
    for body in [
        "x\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
    ] {
        let hidden = "GET /api/shop/hidden HTTP/1.1\r\nhost: a\r\n\r\n";
        let head = "POST /api/shop/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let reply = raw(fixture.address, format!("{head}{body}{hidden}")).await;
        assert_eq!(reply.status, 400, "{body:?}");
        assert!(!reply.text().contains("HTTP/1.1"), "{body:?}");
    }
}

#[tokio::test]
async fn there_is_no_tunnel_and_no_upgrade() {
    let fixture = super::echoing(&["* *"]).await;
    let reply =
        raw(fixture.address, "CONNECT shop.example:443 HTTP/1.1\r\nhost: shop.example:443\r\n\r\n")
            .await;
    assert_eq!((reply.status, reply.error()), (501, "not implemented".to_owned()));
    let upgrade = "upgrade: websocket\r\nsec-websocket-key: x\r\n";
    let text = request("GET", "/api/shop/x", upgrade, "")
        .replace("connection: close", "connection: upgrade, close");
    let reply = raw(fixture.address, text).await;
    assert_eq!(reply.status, 200, "the plugin answers as if nobody had asked");
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let fixture = super::echoing(&["GET *"]).await;
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..50 {
        let garbage: Vec<u8> = (0..512)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0]
            })
            .collect();
        let mut client = Client::connect(fixture.address).await;
        client.send([&garbage[..], b"\r\n\r\n"].concat()).await;
        client.rest().await;
    }
    assert_eq!(get(fixture.address, "/api/shop/x").await.status, 200);
}
