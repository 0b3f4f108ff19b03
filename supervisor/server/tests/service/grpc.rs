//! The same over gRPC, and Envoy's question.

use std::collections::HashMap;

use outboard::auth::counts::Outcome;
use outboard_proto::envoy::authorization_client::AuthorizationClient;
use outboard_proto::envoy::check_response::HttpResponse;
use outboard_proto::envoy::{
    AttributeContext, CheckRequest, CheckResponse, HeaderValueOption, attribute_context,
};
use outboard_proto::event::v1::Event;
use outboard_proto::plugin::v1::RefusalReason;
use outboard_proto::service::v1::auth_client::AuthClient;
use outboard_proto::service::v1::events_client::EventsClient;
use outboard_proto::service::v1::{AuthenticateRequest, AuthorizeRequest, PublishRequest, User};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};

use crate::fixture::{EMAIL, Fixture, Setup, TOKEN};
use crate::http::ask;
use crate::plugin::{Plugin, refusal};

async fn channel(fixture: &Fixture) -> Channel {
    let socket = fixture.socket.clone();
    let connector = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move {
            let stream = UnixStream::connect(socket).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
}

fn claim(token: &str) -> AuthenticateRequest {
    AuthenticateRequest { email: EMAIL.into(), token: token.into() }
}

fn wants(groups: &[&str], rule: i32) -> AuthorizeRequest {
    AuthorizeRequest {
        email: EMAIL.into(),
        token: TOKEN.into(),
        required_groups: groups.iter().map(|&group| group.into()).collect(),
        r#match: rule,
    }
}

#[tokio::test]
async fn who_somebody_is_and_what_they_may_do() {
    let fixture = Setup::new().start(Plugin::knows(&["a"])).await;
    let mut client = AuthClient::new(channel(&fixture).await);
    let user = User { name: "Ada".into(), email: EMAIL.into(), groups: vec!["a".into()] };
    let answer = client.authenticate(claim(TOKEN)).await.unwrap().into_inner();
    assert_eq!(answer.user, Some(user.clone()));
    let status = client.authenticate(claim("wrong")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    for (groups, rule, allowed) in
        [(&["a"][..], 0, true), (&["a", "b"], 0, false), (&["a", "b"], 2, true), (&[], 1, true)]
    {
        let answer = client.authorize(wants(groups, rule)).await.unwrap().into_inner();
        assert_eq!((answer.allowed, answer.user), (allowed, Some(user.clone())), "{groups:?}");
    }
    let status = client.authorize(wants(&["a"], 3)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "a rule of a later version is not ours");
    let status = client.authorize(wants(&[""], 0)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn nobody_who_can_say_is_unavailable() {
    let down = Plugin::new(|request| async move { Err(Status::internal(request.token)) });
    let fixture = Setup::new().start(down).await;
    let mut client = AuthClient::new(channel(&fixture).await);
    let status = client.authenticate(claim(TOKEN)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(!status.message().contains(TOKEN), "{status}");
    let status = client.authorize(wants(&[], 0)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn more_than_the_rate_is_resource_exhausted() {
    let mut setup = Setup::new();
    setup.rules.rate = 1;
    let fixture = setup.start(Plugin::knows(&[])).await;
    let mut client = AuthClient::new(channel(&fixture).await);
    let mut last = client.authenticate(claim(TOKEN)).await.map(|_| ());
    for _ in 0..3 {
        last = last.and(client.authenticate(claim(TOKEN)).await.map(|_| ()));
    }
    assert_eq!(last.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn all_messages_together_have_an_end() {
    let mut setup = Setup::new();
    setup.body_space = 1000;
    let fixture = setup.start(Plugin::knows(&[])).await;
    let mut client = AuthClient::new(channel(&fixture).await);
    let status = client.authenticate(claim(&"x".repeat(2000))).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    client.authenticate(claim(TOKEN)).await.unwrap();
}

#[tokio::test]
async fn what_nobody_offers_is_unimplemented() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    let headers = [("content-type", "application/grpc")];
    for path in ["/outboard.service.v1.Auth/Nothing", "/outboard.admin.v1.Plugins/List"] {
        let reply = ask(&fixture.socket, "POST", path, &headers, "").await;
        assert_eq!((reply.status, reply.header("grpc-status")), (200, "12"), "{path}");
    }
}

#[tokio::test]
async fn events_are_published() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    let mut client = EventsClient::new(channel(&fixture).await);
    let event = |id: &str| Event {
        id: id.into(),
        source: "/shop".into(),
        r#type: "job.started".into(),
        ..Event::default()
    };
    let request = PublishRequest { events: vec![event("1"), event("")] };
    let receipts = client.publish(request).await.unwrap().into_inner().receipts;
    assert_eq!((receipts[0].id.as_str(), receipts[0].repeated), ("1", false));
    assert!(!receipts[1].id.is_empty());
    let request = PublishRequest { events: vec![event("1")] };
    assert!(client.publish(request).await.unwrap().into_inner().receipts[0].repeated);
    let bad = PublishRequest { events: vec![event("2"), Event::default()] };
    let status = client.publish(bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("events[1]"), "{status}");
    let many = PublishRequest { events: vec![event("3"); 1001] };
    assert_eq!(client.publish(many).await.unwrap_err().code(), Code::InvalidArgument);
    let mut large = event("4");
    large.data = vec![b'x'; 1 << 20].into();
    large.data_content_type = "text/plain".into();
    let large = PublishRequest { events: vec![large] };
    assert_eq!(client.publish(large).await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(fixture.outbox.ids().await.len(), 2, "all of a call, or none");
}

/// What Envoy is told of a request with these headers, on a route with these words.
async fn check(
    fixture: &Fixture,
    headers: &[(&str, &str)],
    route: &[(&str, &str)],
) -> CheckResponse {
    let map = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        pairs.collect::<HashMap<_, _>>()
    };
    let http = attribute_context_http(map(headers));
    let attributes = AttributeContext { request: Some(http), context_extensions: map(route) };
    let request = CheckRequest { attributes: Some(attributes) };
    let mut client = AuthorizationClient::new(channel(fixture).await);
    client.check(request).await.unwrap().into_inner()
}

fn attribute_context_http(headers: HashMap<String, String>) -> attribute_context::Request {
    let http = attribute_context::HttpRequest { headers };
    attribute_context::Request { http: Some(http) }
}

/// Code, status and headers of a refusal.
fn denied(response: &CheckResponse) -> (i32, i32, Vec<String>) {
    let Some(HttpResponse::DeniedResponse(denied)) = &response.http_response else {
        panic!("{response:?}");
    };
    let names = denied.headers.iter().map(|it| it.header.as_ref().unwrap().key.clone());
    let code = response.status.as_ref().unwrap().code;
    (code, denied.status.as_ref().unwrap().code, names.collect())
}

#[tokio::test]
async fn envoy_lets_the_right_ones_in_under_their_own_names() {
    let fixture = Setup::new().start(Plugin::knows(&["a", "b,c"])).await;
    let sent = [
        ("email-id", EMAIL),
        ("access-token", TOKEN),
        (":path", "/"),
        ("outboard-user-email", "root@example.com"),
        ("outboard-user-groups", "root"),
        ("outboard-else", "x"),
    ];
    let response = check(&fixture, &sent, &[("groups", "a")]).await;
    assert_eq!(response.status.as_ref().unwrap().code, 0);
    let Some(HttpResponse::OkResponse(passed)) = response.http_response else {
        panic!("{response:?}");
    };
    let pair = |option: &HeaderValueOption| {
        assert_eq!(option.append_action, 2, "what the client sent is overwritten");
        let header = option.header.clone().unwrap();
        (header.key, header.value)
    };
    let told: Vec<_> = passed.headers.iter().map(pair).collect();
    let expected = [
        ("outboard-user-email", EMAIL),
        ("outboard-user-name", "Ada"),
        ("outboard-user-groups", "a,b%2Cc"),
    ];
    assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(passed.headers_to_remove, ["outboard-else"]);
}

#[tokio::test]
async fn envoy_removes_what_a_client_says_of_groups_that_a_user_does_not_have() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    let sent = [("email-id", EMAIL), ("access-token", TOKEN), ("outboard-user-groups", "root")];
    let response = check(&fixture, &sent, &[]).await;
    let Some(HttpResponse::OkResponse(passed)) = response.http_response else {
        panic!("{response:?}");
    };
    assert_eq!(passed.headers_to_remove, ["outboard-user-groups"]);
}

#[tokio::test]
async fn envoy_turns_the_others_away_with_a_status_of_http() {
    let fixture = Setup::new().start(Plugin::knows(&["a"])).await;
    let good = [("email-id", EMAIL), ("access-token", TOKEN)];
    let none: Vec<String> = Vec::new();
    let told = denied(&check(&fixture, &[], &[]).await);
    assert_eq!(told, (16, 401, vec!["www-authenticate".to_owned()]));
    let told = denied(&check(&fixture, &good, &[("groups", "x")]).await);
    assert_eq!(told, (7, 403, none.clone()));
    for route in [("group", "a"), ("groups", ""), ("match", "some")] {
        assert_eq!(denied(&check(&fixture, &good, &[route]).await), (3, 403, none.clone()));
    }
    fixture.routes.suspend("activation-of-gate").unwrap();
    let told = denied(&check(&fixture, &good, &[]).await);
    assert_eq!(told, (14, 503, vec!["retry-after".to_owned()]));
    assert_eq!(fixture.auth.counts().outcome_now(Outcome::Unavailable), 1);

    let inactive = Plugin::says(refusal(RefusalReason::Inactive));
    let fixture = Setup::new().start(inactive).await;
    assert_eq!(denied(&check(&fixture, &good, &[]).await), (7, 403, none));
}

#[tokio::test]
async fn envoy_without_attributes_is_answered_too() {
    let fixture = Setup::new().start(Plugin::knows(&[])).await;
    let mut client = AuthorizationClient::new(channel(&fixture).await);
    let response = client.check(CheckRequest { attributes: None }).await.unwrap().into_inner();
    assert_eq!(denied(&response).1, 401);
}
