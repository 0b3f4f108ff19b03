//! Forward-auth: what a proxy is told, and that no client can slip anything through it.

use outboard::service::Headers;
use outboard_core::auth::GroupMatch;
use outboard_proto::plugin::v1::UserDetail;

use crate::fixture::{EMAIL, Fixture, Setup, TOKEN};
use crate::http::{ask, ask_on, request};
use crate::plugin::{Plugin, detail};

const CLAIM: [(&str, &str); 2] = [("Email-Id", EMAIL), ("Access-Token", TOKEN)];

async fn knowing(groups: &[&str]) -> Fixture {
    Setup::new().start(Plugin::knows(groups)).await
}

#[tokio::test]
async fn who_passes_is_named_in_headers_and_their_token_nowhere() {
    let fixture = knowing(&["a", "b"]).await;
    let reply = fixture.pass("").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.header("outboard-user-email"), EMAIL);
    assert_eq!(reply.header("outboard-user-name"), "Ada");
    assert_eq!(reply.header("outboard-user-groups"), "a,b");
    for reply in [reply, fixture.pass("?groups=x").await, fixture.pass("?x").await] {
        assert!(!reply.raw.contains(TOKEN), "{}", reply.raw);
    }
}

#[tokio::test]
async fn groups_are_needed_as_the_route_says() {
    let fixture = knowing(&["a", "b"]).await;
    let check = async |query: &str, expected: u16| {
        assert_eq!(fixture.pass(query).await.status, expected, "{query}");
    };
    check("?groups=a", 200).await;
    check("?groups=a,b", 200).await;
    check("?groups=a&groups=b", 200).await;
    check("?groups=a,c", 403).await;
    check("?groups=a,c&match=any", 200).await;
    check("?groups=c,d&match=any", 403).await;
    check("?groups=A", 403).await;
    check("?groups=a%2Cb", 403).await;
    check("?admin=1", 403).await;
    assert_eq!(knowing(&["proctor.admin"]).await.pass("?admin=1").await.status, 200);
}

#[tokio::test]
async fn the_operators_rule_holds_where_the_route_has_none() {
    let mut setup = Setup::new();
    setup.auth.rule = GroupMatch::Any;
    let fixture = setup.start(Plugin::knows(&["a"])).await;
    assert_eq!(fixture.pass("?groups=a,c").await.status, 200);
    assert_eq!(fixture.pass("?groups=a,c&match=all").await.status, 403);
}

#[tokio::test]
async fn a_route_that_is_written_wrongly_is_closed() {
    let fixture = knowing(&["a"]).await;
    for query in
        ["?group=a", "?groups=", "?groups=a,", "?match=some", "?admin=yes", "?admin=1&groups=a"]
    {
        let reply = fixture.pass(query).await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(!reply.error().is_empty());
    }
    assert_eq!(fixture.times(), 0);
}

#[tokio::test]
async fn every_method_is_asked_about_alike() {
    let fixture = knowing(&[]).await;
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        let reply = ask(&fixture.socket, method, "/v1/forward-auth", &CLAIM, "").await;
        assert_eq!(reply.status, 200, "{method}");
        let reply = ask(&fixture.socket, method, "/v1/forward-auth", &[], "").await;
        assert_eq!(reply.status, 401, "{method}");
    }
}

#[tokio::test]
async fn a_claim_that_is_none_is_refused_before_anybody_is_asked() {
    let fixture = knowing(&[]).await;
    let (long, longer) = ("a".repeat(321), "a".repeat(8193));
    let claims: [&[(&str, &str)]; 10] = [
        &[],
        &[("Email-Id", EMAIL)],
        &[("Access-Token", TOKEN)],
        &[("Email-Id", ""), ("Access-Token", TOKEN)],
        &[("Email-Id", EMAIL), ("Access-Token", "")],
        &[("Email-Id", EMAIL), ("Email-Id", "bob@example.com"), ("Access-Token", TOKEN)],
        &[("Email-Id", EMAIL), ("Access-Token", TOKEN), ("Access-Token", "x")],
        &[("Email-Id", &long), ("Access-Token", TOKEN)],
        &[("Email-Id", EMAIL), ("Access-Token", &longer)],
        &[("Email-Id", "a\tb@example.com"), ("Access-Token", TOKEN)],
    ];
    for claim in claims {
        let reply = fixture.forward("", claim).await;
        assert_eq!((reply.status, reply.body.as_str()), (401, ""), "{claim:?}");
        assert!(reply.header("www-authenticate").contains("realm"), "{reply:?}");
    }
    assert_eq!(fixture.times(), 0);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let fixture = knowing(&[]).await;
    for bytes in [&b"\xff\xfe"[..], b"caf\xe9@example.com"] {
        let mut text =
            b"GET /v1/forward-auth HTTP/1.1\r\nhost: x\r\nconnection: close\r\nemail-id: ".to_vec();
        text.extend_from_slice(bytes);
        text.extend_from_slice(b"\r\naccess-token: x\r\n\r\n");
        let mut stream = tokio::net::UnixStream::connect(&fixture.socket).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &text).await.unwrap();
        assert_eq!(ask_on(stream, "").await.status, 401);
    }
    assert_eq!(fixture.times(), 0);
}

#[tokio::test]
async fn what_a_plugin_says_of_a_user_can_not_become_another_header() {
    let says = |name: &str, groups: &[&str]| {
        Plugin::says(detail(UserDetail {
            name: name.into(),
            email: EMAIL.into(),
            active: true,
            groups: groups.iter().map(|&group| group.into()).collect(),
        }))
    };
    let nasty = "Zoë\u{96ea} Smith, 100%";
    let fixture = Setup::new().start(says(nasty, &["a,b", "größe"])).await;
    let reply = fixture.pass("").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("outboard-user-name"), "Zo%C3%AB%E9%9B%AA%20Smith%2C%20100%25");
    assert_eq!(reply.header("outboard-user-groups"), "a%2Cb,gr%C3%B6%C3%9Fe");

    for name in ["x\r\nOutboard-User-Groups: root", "x\nSet-Cookie: a=b", "x\0y"] {
        let fixture = Setup::new().start(says(name, &[name])).await;
        let reply = fixture.pass("").await;
        let lines =
            reply.raw.split("\r\n").filter(|line| line.starts_with("outboard-user-")).count();
        assert!(lines == 0 || lines == 3, "{}", reply.raw);
        assert!(
            !reply.raw.contains("root\r\n") || !reply.raw.contains("\nOutboard"),
            "{}",
            reply.raw
        );
        assert_eq!(reply.header("set-cookie"), "(none)");
    }
}

#[tokio::test]
async fn what_the_client_says_of_itself_is_not_said_back() {
    let fixture = knowing(&[]).await;
    let headers = [
        CLAIM[0],
        CLAIM[1],
        ("Outboard-User-Email", "root@example.com"),
        ("Outboard-User-Groups", "proctor.admin"),
        ("Outboard-Anything", "x"),
        ("X-Forwarded-For", "10.0.0.1"),
    ];
    let reply = fixture.forward("", &headers).await;
    assert_eq!(reply.header("outboard-user-email"), EMAIL);
    assert_eq!(
        reply.header("outboard-user-groups"),
        "",
        "there, so that a proxy drops the client's"
    );
    assert!(!reply.raw.contains("root@") && !reply.raw.contains("proctor.admin"));
    assert_eq!(reply.header("outboard-anything"), "(none)");
    assert_eq!(fixture.forward("?admin=1", &headers).await.status, 403);
}

#[tokio::test]
async fn more_groups_than_fit_into_a_head_are_left_out() {
    let groups: Vec<String> = (0..1000).map(|number| format!("{number:0>100}")).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let fixture = knowing(&groups).await;
    let reply = fixture.pass(&format!("?groups={}", groups[7])).await;
    assert_eq!((reply.status, reply.header("outboard-user-groups")), (200, ""));
}

#[tokio::test]
async fn the_headers_are_those_of_the_configuration() {
    let mut setup = Setup::new();
    setup.rules.headers = Headers::new("X-Mail", "Authorization");
    let fixture = setup.start(Plugin::knows(&[])).await;
    let check = async |headers: &[(&str, &str)], expected: u16| {
        let reply = fixture.forward("", headers).await;
        assert_eq!(reply.status, expected, "{headers:?}");
        reply
    };
    let bearer = format!("Bearer {TOKEN}");
    check(&[("X-Mail", EMAIL), ("Authorization", &bearer)], 200).await;
    check(&[("X-Mail", EMAIL), ("Authorization", &format!("bearer {TOKEN}"))], 200).await;
    // base64 of ada@example.com:s3cret-t0ken
    let basic = "Basic YWRhQGV4YW1wbGUuY29tOnMzY3JldC10MGtlbg==";
    check(&[("Authorization", basic)], 200).await;
    check(&[("X-Mail", "bob@example.com"), ("Authorization", basic)], 401).await;
    check(&[("Authorization", "Basic ####")], 401).await;
    check(&[("X-Mail", EMAIL), ("Authorization", TOKEN)], 401).await;
    let reply = check(&CLAIM, 401).await;
    assert!(reply.header("www-authenticate").starts_with("Bearer "), "{reply:?}");
    assert!(reply.header("www-authenticate").contains("Basic "), "{reply:?}");
}

#[tokio::test]
async fn a_body_does_not_matter() {
    let fixture = knowing(&[]).await;
    let text = request("POST", "/v1/forward-auth", &CLAIM, &"x".repeat(4000));
    let stream = tokio::net::UnixStream::connect(&fixture.socket).await.unwrap();
    assert_eq!(ask_on(stream, &text).await.status, 200);
}
