//! Notifiers and authenticators, as a host calls them, and events that a plugin emits.

use bytes::Bytes;
use outboard_proto::event::v1::Event;
use outboard_proto::plugin::v1::authenticate_response::Result as Answer;
use outboard_proto::plugin::v1::authenticator_client::AuthenticatorClient;
use outboard_proto::plugin::v1::lifecycle_client::LifecycleClient;
use outboard_proto::plugin::v1::notifier_client::NotifierClient;
use outboard_proto::plugin::v1::{
    AuthenticateRequest, AuthorizeRequest, AuthorizeResponse, Capability, GroupMatch, LoadRequest,
    NotifyOutcome, OnNotifyRequest, OnNotifyResponse, RefusalReason, UserDetail,
};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::{Code, Request, Status};

use crate::host::Start;
use crate::outboard::Fixture;

fn event(kind: &str) -> Event {
    Event {
        id: "7".to_owned(),
        source: "/shop".to_owned(),
        r#type: kind.to_owned(),
        subject: "order-1".to_owned(),
        data: Bytes::from_static(br#"{"a":"<&>"}"#),
        data_content_type: "application/json".to_owned(),
        extensions: [("partitionkey".to_owned(), "k".to_owned())].into(),
        ..Event::default()
    }
}

fn delivery(event: Event) -> OnNotifyRequest {
    OnNotifyRequest {
        activation: "a-1".to_owned(),
        delivery_id: "d-1".to_owned(),
        event: Some(event),
        attempt: 3,
        replayed: true,
    }
}

async fn notify(fixture: &Fixture, event: Event) -> Result<OnNotifyResponse, Status> {
    let request = delivery(event);
    // The largest event is larger than what tonic takes by default; nothing is said about sending.
    Ok(NotifierClient::new(fixture.channel()).on_notify(request).await?.into_inner())
}

async fn authenticate(fixture: &Fixture, token: &str) -> Result<Answer, Status> {
    let request = AuthenticateRequest {
        activation: "a-1".to_owned(),
        email: "ann@example.org".to_owned(),
        token: token.to_owned(),
    };
    let answer = AuthenticatorClient::new(fixture.channel()).authenticate(request).await?;
    Ok(answer.into_inner().result.unwrap())
}

async fn authorize(
    fixture: &Fixture,
    group: &str,
    matched: GroupMatch,
) -> Result<AuthorizeResponse, Status> {
    let groups = vec!["a".to_owned()];
    let user = UserDetail { name: "Ann".to_owned(), groups, ..UserDetail::default() };
    let request = AuthorizeRequest {
        activation: "a-1".to_owned(),
        user: Some(user),
        required_groups: vec![group.to_owned()],
        r#match: matched.into(),
    };
    let answer = AuthenticatorClient::new(fixture.channel()).authorize(request).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn a_plugin_tells_once_that_it_is_a_notifier_and_an_authenticator() {
    let plugin = Start::example("herald").run().await;
    let load = LoadRequest::default();
    let told = LifecycleClient::new(plugin.channel().await).load(load).await.unwrap().into_inner();
    let all = [
        Capability::HttpHandle,
        Capability::HttpServe,
        Capability::Notify,
        Capability::Authenticate,
    ];
    assert_eq!(told.capabilities, all.map(i32::from));
}

#[tokio::test]
async fn who_is_neither_does_not_implement_either() {
    let fixture = Fixture::start("hello").await;
    let unknown = notify(&fixture, event("any")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);
    let unknown = authenticate(&fixture, "good").await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test]
async fn what_a_notifier_says_is_what_the_host_hears() {
    let fixture = Fixture::start("herald").await;
    let answer = notify(&fixture, event("any")).await.unwrap();
    assert_eq!((answer.outcome(), answer.message.as_str()), (NotifyOutcome::Delivered, ""));

    let answer = notify(&fixture, event("retry")).await.unwrap();
    assert_eq!((answer.outcome(), answer.message.as_str()), (NotifyOutcome::Retry, "not now"));
    let after = Duration::try_from(answer.retry_after.unwrap()).unwrap();
    assert_eq!(after, Duration::from_millis(2500));

    let answer = notify(&fixture, event("reject")).await.unwrap();
    assert_eq!((answer.outcome(), answer.message.as_str()), (NotifyOutcome::Rejected, "never"));
    assert_eq!(answer.retry_after, None, "there is no next time");
}

#[tokio::test]
async fn a_message_is_never_too_long_and_never_nothing() {
    let fixture = Fixture::start("herald").await;
    let long = notify(&fixture, event("retry.long")).await.unwrap();
    assert_eq!(long.message.len(), 1024);
    let silent = notify(&fixture, event("reject.silent")).await.unwrap();
    assert!(silent.message.contains("no reason was given"), "{}", silent.message);
}

#[tokio::test]
async fn a_notifier_that_panics_fails_that_delivery_alone() {
    let fixture = Fixture::start("herald").await;
    let failed = notify(&fixture, event("panic")).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal);
    assert!(notify(&fixture, event("any")).await.is_ok());
}

#[tokio::test]
async fn a_delivery_for_nobody_or_of_nothing_is_an_error() {
    let fixture = Fixture::start("herald").await;
    let mut client = NotifierClient::new(fixture.channel());
    let nobody = OnNotifyRequest { activation: "a-2".to_owned(), ..delivery(event("any")) };
    assert_eq!(client.on_notify(nobody).await.unwrap_err().code(), Code::NotFound);
    let nothing = OnNotifyRequest { event: None, ..delivery(event("any")) };
    assert_eq!(client.on_notify(nothing).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_delivery_ends_at_its_deadline() {
    let fixture = Fixture::start("herald").await;
    let mut request = Request::new(delivery(event("hang")));
    request.set_timeout(Duration::from_millis(100));
    let late = NotifierClient::new(fixture.channel()).on_notify(request).await.unwrap_err();
    assert!(matches!(late.code(), Code::Cancelled | Code::DeadlineExceeded), "{late:?}");
}

#[tokio::test]
async fn the_largest_event_gets_through() {
    let fixture = Fixture::start("herald").await;
    let data = Bytes::from(vec![b'x'; 16 * 1024 * 1024]);
    let event = Event { data, ..event("any") };
    assert_eq!(notify(&fixture, event).await.unwrap().outcome(), NotifyOutcome::Delivered);
}

#[tokio::test]
async fn all_of_an_event_reaches_the_plugin_and_what_it_emits_reaches_the_host() {
    let fixture = Fixture::start("herald").await;
    let answer = notify(&fixture, event("echo")).await.unwrap();
    assert_eq!(answer.message, "made-1 true", "the receipt");
    let emitted = fixture.emitted();
    let [(activation, emitted)] = &emitted[..] else { panic!("{emitted:?}") };
    assert_eq!(activation, "a-1");
    assert_eq!((emitted.r#type.as_str(), emitted.subject.as_str()), ("echoed", "order-1"));
    assert_eq!(emitted.data_content_type, "application/json");
    assert_eq!((emitted.id.as_str(), emitted.source.as_str(), &emitted.time), ("", "", &None));
    let expected = json!({
        "delivery": "d-1",
        "attempt": 3,
        "replayed": true,
        "event": {
            "specversion": "1.0", "id": "7", "source": "/shop", "type": "echo", "subject": "order-1",
            "datacontenttype": "application/json", "partitionkey": "k", "data": {"a": "<&>"},
        },
    });
    assert_eq!(serde_json::from_slice::<Value>(&emitted.data).unwrap(), expected);
}

#[tokio::test]
async fn a_host_that_takes_no_event_says_why() {
    let fixture = Fixture::start("herald").await;
    let event = Event { subject: "forbidden".to_owned(), ..event("echo") };
    let answer = notify(&fixture, event).await.unwrap();
    assert_eq!(answer.outcome(), NotifyOutcome::Retry);
    assert!(answer.message.contains("add a line"), "{}", answer.message);
}

#[tokio::test]
async fn a_user_comes_with_name_and_groups_and_a_refusal_with_its_reason_and_without_the_token() {
    let fixture = Fixture::start("herald").await;
    let expected = UserDetail {
        name: "Ann".to_owned(),
        email: "ann@example.org".to_owned(),
        active: true,
        groups: vec!["a".to_owned(), "b".to_owned()],
    };
    assert_eq!(authenticate(&fixture, "good").await.unwrap(), Answer::User(expected));
    for (token, reason) in [
        ("wr0ng", RefusalReason::Token),
        ("unknown", RefusalReason::User),
        ("stolen", RefusalReason::Owner),
        ("inactive", RefusalReason::Inactive),
    ] {
        let answer = authenticate(&fixture, token).await.unwrap();
        let Answer::Refusal(refusal) = answer else { panic!("{token}: {answer:?}") };
        assert_eq!(refusal.reason(), reason, "{token}");
        assert!(refusal.message.contains("ann@example.org"), "{}", refusal.message);
        assert!(!refusal.message.contains(token), "{}", refusal.message);
    }
}

#[tokio::test]
async fn what_an_authenticator_can_not_tell_is_an_error_and_so_is_a_panic() {
    let fixture = Fixture::start("herald").await;
    let down = authenticate(&fixture, "down").await.unwrap_err();
    assert_eq!((down.code(), down.message()), (Code::Unavailable, "the directory does not answer"));
    assert_eq!(authenticate(&fixture, "panic").await.unwrap_err().code(), Code::Internal);
    assert!(authenticate(&fixture, "good").await.is_ok(), "it serves on");
    let request = AuthenticateRequest { activation: "a-2".to_owned(), ..Default::default() };
    let nobody = AuthenticatorClient::new(fixture.channel()).authenticate(request).await;
    assert_eq!(nobody.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_plugin_may_decide_about_groups_itself_or_leave_it_to_the_host() {
    let fixture = Fixture::start("herald").await;
    let all = GroupMatch::All;
    let allowed = AuthorizeResponse { allowed: true, reason: String::new() };
    assert_eq!(authorize(&fixture, "allow", all).await.unwrap(), allowed);
    assert_eq!(authorize(&fixture, "any", GroupMatch::Any).await.unwrap(), allowed);
    let denied = |why: &str| AuthorizeResponse { allowed: false, reason: why.to_owned() };
    assert_eq!(authorize(&fixture, "deny", all).await.unwrap(), denied(r#"Ann of ["a"]"#));
    for matched in [all, GroupMatch::Unspecified] {
        let refused = authorize(&fixture, "any", matched).await.unwrap();
        assert_eq!(refused, denied("not any but all"));
    }
    assert_eq!(authorize(&fixture, "down", all).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(authorize(&fixture, "other", all).await.unwrap_err().code(), Code::Unimplemented);
}
