//! What a plugin learns of whose a request is: a name for it, if it may do anything with one, and never the session.

use std::sync::Arc;

use outboard::plugin::handles::{Handle, Handles};
use outboard_core::grant::Group;
use outboard_proto::plugin::v1::HandleRequest;
use tokio::sync::Semaphore;

use crate::client::{Client, get, raw, request};
use crate::fixture::{Fixture, answer, decode, echo, eventually, ok};

const COOKIES: &str = "Cookie: a=b; GLEWLWYD2_SESSION_ID=secret;c=d\r\ncookie: e=f\r\nuser-agent: curl/8\r\n";

async fn granted(groups: &'static [Group]) -> Fixture {
    let mut setup = super::setup(&["* x"]);
    setup.granted = groups;
    setup.start(echo).await
}

async fn sent(fixture: &Fixture, headers: &str) -> HandleRequest {
    let reply = raw(fixture.address, request("GET", "/api/shop/x", headers, "")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    decode(&reply.body)
}

#[tokio::test]
async fn a_request_has_a_handle_where_a_grant_could_use_it() {
    for groups in [&[][..], &[Group::UsersRead, Group::Storage, Group::SameOrigin]] {
        let fixture = granted(groups).await;
        assert_eq!(sent(&fixture, COOKIES).await.request.unwrap().handle, "");
    }
    for group in [Group::Sessions, Group::Schemes, Group::UsersCheck, Group::ClientsCheck] {
        let groups: &'static [Group] = Box::leak(Box::new([group]));
        let fixture = granted(groups).await;
        let (first, second) = (sent(&fixture, COOKIES).await, sent(&fixture, "").await);
        let (first, second) = (first.request.unwrap().handle, second.request.unwrap().handle);
        assert!(first.len() == 32 && second.len() == 32 && first != second, "{first} {second}");
        assert!(fixture.routes.handles().is_empty(), "both responses have ended");
    }
}

#[tokio::test]
async fn a_handle_is_good_while_its_request_is_answered() {
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let seen: Arc<std::sync::Mutex<String>> = Arc::default();
    let (begins, goes, sees) = (begun.clone(), go.clone(), seen.clone());
    let mut setup = super::setup(&["GET x"]);
    setup.granted = &[Group::Sessions];
    let fixture = setup
        .start(move |request| {
            sees.lock().unwrap().clone_from(&request.request.unwrap().handle);
            let (begins, goes) = (begins.clone(), goes.clone());
            async move {
                begins.add_permits(1);
                goes.acquire().await.unwrap().forget();
                ok("")
            }
        })
        .await;
    let handles: &Handles = fixture.routes.handles();
    let mut client = Client::connect(fixture.address).await;
    client.send(request("GET", "/api/shop/x", COOKIES, "")).await;
    begun.acquire().await.unwrap().forget();
    let text = seen.lock().unwrap().clone();
    let expected = Handle {
        cookie: Some("secret".to_owned()),
        address: "127.0.0.1".to_owned(),
        user_agent: "curl/8".to_owned(),
    };
    assert_eq!(handles.find(&text, "activation-1").as_deref(), Some(&expected));
    assert_eq!(handles.find(&text, "activation-2"), None);
    go.add_permits(1);
    assert_eq!(client.head().await.status, 200);
    eventually(|| handles.find(&text, "activation-1").is_none()).await;

    // Nor does it outlive a client that goes away.
    let mut client = Client::connect(fixture.address).await;
    client.send(request("GET", "/api/shop/x", COOKIES, "")).await;
    begun.acquire().await.unwrap().forget();
    assert_eq!(handles.len(), 1);
    drop(client);
    eventually(|| handles.is_empty()).await;
}

#[tokio::test]
async fn the_session_stays_with_the_host() {
    for groups in [&[][..], &[Group::Sessions, Group::SameOrigin]] {
        let fixture = granted(groups).await;
        let handled = sent(&fixture, COOKIES).await.request.unwrap();
        let cookies: Vec<_> = handled.headers.iter().filter(|it| it.name == "cookie").collect();
        assert_eq!(cookies.len(), 1);
        assert_eq!(cookies[0].value, "a=b; c=d; e=f");
        let alone = sent(&fixture, "cookie: GLEWLWYD2_SESSION_ID=secret\r\n").await;
        let headers = alone.request.unwrap().headers;
        assert!(headers.iter().all(|header| header.name != "cookie"), "{headers:?}");
        let seen = format!("{headers:?}");
        assert!(!seen.contains("secret"));
    }
}

#[tokio::test]
async fn a_page_is_sandboxed_unless_the_operator_trusts_it() {
    let fields = &[
        ("set-cookie", "GLEWLWYD2_SESSION_ID=planted; Path=/"),
        ("set-cookie", "__Host-GLEWLWYD2_SESSION_ID=planted; Path=/; Secure"),
        ("set-cookie", "own=1; Domain=example.org; Path=/"),
        ("clear-site-data", "\"cookies\""),
    ];
    for (groups, is_sandboxed) in
        [(&[][..], true), (&[Group::Sessions], true), (&[Group::SameOrigin], false)]
    {
        let mut setup = super::setup(&["GET x"]);
        setup.granted = groups;
        let complete = outboard_proto::plugin::v1::Outcome::Complete;
        let fixture = setup.start(move |_| async move { answer(complete, 200, fields, "") }).await;
        let reply = get(fixture.address, "/api/shop/x").await;
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert_eq!(policy.contains("sandbox"), is_sandboxed, "{groups:?}");
        assert_eq!(reply.headers("set-cookie"), ["own=1; Path=/api/shop/"]);
        assert_eq!(reply.header("clear-site-data").is_none(), is_sandboxed, "{groups:?}");
    }
}
