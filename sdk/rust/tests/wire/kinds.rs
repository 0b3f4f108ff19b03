//! Schemes and backends, as a host calls them.

use std::time::Duration;

use bytes::Bytes;
use outboard_proto::plugin::v1::client_backend_client::ClientBackendClient;
use outboard_proto::plugin::v1::lifecycle_client::LifecycleClient;
use outboard_proto::plugin::v1::scheme_client::SchemeClient;
use outboard_proto::plugin::v1::user_backend_client::UserBackendClient;
use outboard_proto::plugin::v1::{
    AddClientRequest, AddUserRequest, Availability, BackendClient, BackendUser, CanUseRequest,
    Capability, CheckClientPasswordRequest, CheckUserPasswordRequest, DeleteUserRequest,
    DeregisterRequest, GetClientRequest, GetRegistrationRequest, GetUserRequest, InitRequest,
    InstanceKind, ListClientsRequest, ListUsersRequest, LoadRequest, RegisterRequest,
    RegisterResponse, SchemeResult, SetUserRequest, Subject, TriggerRequest, ValidateRequest,
    ValidateUserRequest,
};
use serde_json::{Value, json};
use tonic::{Code, Request, Status};

use crate::host::Start;
use crate::outboard::Fixture;

fn activation() -> String {
    "a-1".to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "that is how requests have it")]
fn subject(name: &str) -> Option<Subject> {
    let (user_id, username) = ("u-1".to_owned(), name.to_owned());
    Some(Subject { user_id, username, ..Subject::default() })
}

fn scheme(fixture: &Fixture) -> SchemeClient<tonic::transport::Channel> {
    SchemeClient::new(fixture.channel())
}

fn users(fixture: &Fixture) -> UserBackendClient<tonic::transport::Channel> {
    UserBackendClient::new(fixture.channel())
}

async fn can_use(fixture: &Fixture, name: &str) -> Result<Availability, Status> {
    let mut request =
        Request::new(CanUseRequest { activation: activation(), subject: subject(name) });
    request.set_timeout(Duration::from_secs(2));
    Ok(scheme(fixture).can_use(request).await?.into_inner().availability())
}

async fn register(fixture: &Fixture, subject: Option<Subject>, data: &str) -> RegisterResponse {
    let data = Bytes::copy_from_slice(data.as_bytes());
    let request = RegisterRequest { activation: activation(), subject, data };
    scheme(fixture).register(request).await.unwrap().into_inner()
}

async fn validate(fixture: &Fixture, value: &'static str) -> (SchemeResult, Vec<String>) {
    let request = ValidateRequest {
        activation: activation(),
        subject: subject("ann"),
        value: Bytes::from_static(value.as_bytes()),
    };
    let answer = scheme(fixture).validate(request).await.unwrap().into_inner();
    (answer.result(), answer.errors)
}

#[tokio::test]
async fn a_plugin_tells_that_it_is_a_scheme_and_keeps_users_and_clients() {
    let plugin = Start::example("warden").run().await;
    let load = LoadRequest::default();
    let told = LifecycleClient::new(plugin.channel().await).load(load).await.unwrap().into_inner();
    let kinds = [Capability::Scheme, Capability::UserBackend, Capability::ClientBackend];
    assert_eq!(told.capabilities[2..], kinds.map(i32::from));
}

#[tokio::test]
async fn who_is_none_of_them_does_not_implement_them() {
    let fixture = Fixture::start("hello").await;
    assert_eq!(can_use(&fixture, "ann").await.unwrap_err().code(), Code::Unimplemented);
    let request = GetUserRequest { activation: activation(), username: "ann".to_owned() };
    assert_eq!(users(&fixture).get(request).await.unwrap_err().code(), Code::Unimplemented);
    let request = GetClientRequest { activation: activation(), client_id: "app".to_owned() };
    let unknown = ClientBackendClient::new(fixture.channel()).get(request).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test]
async fn an_instance_learns_what_it_is_there_for() {
    let fixture = Fixture::start("warden").await;
    for (kind, name) in [
        (InstanceKind::Unspecified, "Plugin"),
        (InstanceKind::Plugin, "Plugin"),
        (InstanceKind::Scheme, "Scheme"),
        (InstanceKind::UserBackend, "UserBackend"),
        (InstanceKind::ClientBackend, "ClientBackend"),
    ] {
        let request = InitRequest {
            activation: format!("a-{name}"),
            instance: "one".to_owned(),
            parameters: json!({ "kind": name }).to_string().into(),
            kind: kind.into(),
            ..InitRequest::default()
        };
        let made = LifecycleClient::new(fixture.channel()).init(request).await.unwrap();
        assert_eq!(made.into_inner().problems, [], "{name}");
    }
}

#[tokio::test]
async fn what_is_only_a_scheme_says_so_to_who_makes_it_something_else() {
    let fixture = Fixture::start("warden").await;
    for (kind, is_told) in [(InstanceKind::Scheme, false), (InstanceKind::UserBackend, true)] {
        let request = InitRequest {
            activation: format!("a-{kind:?}"),
            instance: "one".to_owned(),
            parameters: Bytes::from_static(br#"{"scheme":true}"#),
            kind: kind.into(),
            ..InitRequest::default()
        };
        let made = LifecycleClient::new(fixture.channel()).init(request).await.unwrap();
        let problems = made.into_inner().problems;
        assert_eq!(problems.len(), usize::from(is_told), "{problems:?}");
        assert!(problems.iter().all(|it| it.message.contains("kind = \"scheme\"")), "{problems:?}");
    }
}

#[tokio::test]
async fn a_scheme_says_who_can_use_it_and_what_it_can_not_tell_is_an_error() {
    let fixture = Fixture::start("warden").await;
    assert_eq!(can_use(&fixture, "ann").await.unwrap(), Availability::Registered);
    assert_eq!(can_use(&fixture, "bob").await.unwrap(), Availability::Available);
    assert_eq!(can_use(&fixture, "eve").await.unwrap(), Availability::NotAvailable);
    assert_eq!(can_use(&fixture, "down").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(can_use(&fixture, "panic").await.unwrap_err().code(), Code::Internal);
    let late = can_use(&fixture, "hang").await.unwrap_err();
    assert!(matches!(late.code(), Code::Cancelled | Code::DeadlineExceeded), "{late:?}");
    assert!(can_use(&fixture, "ann").await.is_ok(), "it serves on");
}

#[tokio::test]
async fn all_of_a_subject_reaches_the_scheme() {
    let fixture = Fixture::start("warden").await;
    let subject = Subject {
        user_id: "u-7".to_owned(),
        username: "ann".to_owned(),
        name: "Ann".to_owned(),
        email: "ann@example.org".to_owned(),
        client_address: "192.0.2.1".to_owned(),
        user_agent: "curl".to_owned(),
        properties: Bytes::from_static(br#"{"phone": ["1"]}"#),
        session: "s-1".to_owned(),
        origin: "https://example.org".to_owned(),
    };
    let answer = register(&fixture, Some(subject), r#"{"a": 1}"#).await;
    assert_eq!(answer.result(), SchemeResult::Ok);
    let expected = json!({
        "data": { "a": 1 }, "id": "u-7", "name": "Ann", "email": "ann@example.org",
        "address": "192.0.2.1", "agent": "curl", "properties": { "phone": ["1"] },
        "session": "s-1", "origin": "https://example.org",
    });
    assert_eq!(serde_json::from_slice::<Value>(&answer.response).unwrap(), expected);

    let answer = register(&fixture, self::subject("ann"), "").await;
    let told: Value = serde_json::from_slice(&answer.response).unwrap();
    assert_eq!((&told["data"], &told["name"]), (&Value::Null, &Value::Null), "nothing was said");
    assert_eq!((&told["session"], &told["properties"]), (&Value::Null, &json!({})));
}

#[tokio::test]
async fn a_subject_that_is_nobody_is_the_hosts_mistake() {
    let fixture = Fixture::start("warden").await;
    let nameless = Subject { user_id: "u-1".to_owned(), ..Subject::default() };
    let properties = Bytes::from_static(b"[]");
    let odd = Subject { properties, ..subject("ann").unwrap() };
    for subject in [None, Some(nameless), Some(odd)] {
        let request = CanUseRequest { activation: activation(), subject };
        let refused = scheme(&fixture).can_use(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let request = CanUseRequest { activation: "a-2".to_owned(), subject: subject("ann") };
    assert_eq!(scheme(&fixture).can_use(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn what_a_scheme_says_is_what_the_host_hears_and_never_too_much() {
    let fixture = Fixture::start("warden").await;
    let nothing = register(&fixture, subject("ann"), r#"{"say": "nothing"}"#).await;
    assert_eq!((nothing.result(), nothing.response.len()), (SchemeResult::Ok, 0));
    let refused = register(&fixture, subject("ann"), r#"{"say": "no"}"#).await;
    assert_eq!(refused.result(), SchemeResult::Unauthorized);
    let wrong = register(&fixture, subject("ann"), r#"{"say": "wrong"}"#).await;
    assert_eq!((wrong.result(), wrong.errors.len()), (SchemeResult::Invalid, 100));
    // With its quotes it is one byte too long.
    let much = register(&fixture, subject("ann"), r#"{"say": "much"}"#).await;
    assert_eq!((much.result(), much.response.len()), (SchemeResult::Error, 0));
    let broken = register(&fixture, subject("ann"), r#"{"say": "broken"}"#).await;
    assert_eq!((broken.result(), broken.errors.len()), (SchemeResult::Error, 0));
    let garbage = register(&fixture, subject("ann"), "{").await;
    assert_eq!(garbage.result(), SchemeResult::Invalid);
    assert_eq!(garbage.errors, ["what was sent is no JSON"]);
}

#[tokio::test]
async fn a_code_is_right_or_wrong_or_malformed() {
    let fixture = Fixture::start("warden").await;
    assert_eq!(validate(&fixture, r#"{"code": "42"}"#).await, (SchemeResult::Ok, vec![]));
    assert_eq!(validate(&fixture, r#"{"code": "43"}"#).await.0, SchemeResult::Unauthorized);
    let missing = vec!["code is missing".to_owned()];
    assert_eq!(validate(&fixture, "{}").await, (SchemeResult::Invalid, missing));
    assert_eq!(validate(&fixture, "42}").await.0, SchemeResult::Invalid);
}

#[tokio::test]
async fn a_scheme_without_trigger_and_registration_does_nothing_there() {
    let fixture = Fixture::start("warden").await;
    let request = GetRegistrationRequest { activation: activation(), subject: subject("ann") };
    let registered = scheme(&fixture).get_registration(request).await.unwrap().into_inner();
    assert_eq!(registered.response, r#"{"since":7}"#);
    let request = GetRegistrationRequest { activation: activation(), subject: subject("bob") };
    let nothing = scheme(&fixture).get_registration(request).await.unwrap().into_inner();
    assert_eq!(nothing.result(), SchemeResult::NotFound);
    let request = DeregisterRequest { activation: activation(), subject: subject("bob") };
    let forgotten = scheme(&fixture).deregister(request).await.unwrap().into_inner();
    assert_eq!(forgotten.result(), SchemeResult::Ok);
    let (activation, subject) = (activation(), subject("ann"));
    let request = TriggerRequest { activation, subject, data: Bytes::new() };
    let begun = scheme(&fixture).trigger(request).await.unwrap().into_inner();
    assert_eq!((begun.result(), begun.response.len()), (SchemeResult::Ok, 0));
}

#[tokio::test]
async fn users_come_by_name_and_in_pages() {
    let fixture = Fixture::start("warden").await;
    let list = |pattern: &str, offset, limit| {
        let pattern = pattern.to_owned();
        let request = ListUsersRequest { activation: activation(), pattern, offset, limit };
        let mut client = users(&fixture);
        async move {
            let page = client.list(request).await.unwrap().into_inner();
            let names: Vec<String> = page.users.into_iter().map(|user| user.username).collect();
            (names.join(" "), page.total)
        }
    };
    assert_eq!(list("", 0, 10).await, ("ann bob hannah".to_owned(), 3));
    assert_eq!(list("ann", 1, 10).await, ("hannah".to_owned(), 2));
    assert_eq!(list("ann", 0, 1).await, ("ann".to_owned(), 2));
    assert_eq!(list("", 0, 0).await, (String::new(), 3));
    assert_eq!(list("", u64::MAX, u32::MAX).await, (String::new(), 3));
}

#[tokio::test]
async fn a_user_comes_whole_or_not_at_all() {
    let fixture = Fixture::start("warden").await;
    let get = |name: &str| {
        let request = GetUserRequest { activation: activation(), username: name.to_owned() };
        let mut client = users(&fixture);
        async move { client.get(request).await.map(|answer| answer.into_inner().user.unwrap()) }
    };
    let expected = BackendUser {
        username: "Ann".to_owned(),
        name: Some("Ann Example".to_owned()),
        enabled: Some(true),
        scopes: vec!["a".to_owned()],
        has_scopes: true,
        properties: Bytes::from_static(br#"{"phone":["1","2"]}"#),
        ..BackendUser::default()
    };
    assert_eq!(get("ann").await.unwrap(), expected);
    assert_eq!(get("nobody").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_password_is_right_wrong_or_can_not_be_checked() {
    let fixture = Fixture::start("warden").await;
    let check = |username: &str, password: &str| {
        let (username, password) = (username.to_owned(), password.to_owned());
        let request = CheckUserPasswordRequest { activation: activation(), username, password };
        let mut client = users(&fixture);
        async move { client.check_password(request).await.map(|it| it.into_inner().is_right) }
    };
    assert!(check("ann", "right").await.unwrap());
    assert!(!check("ann", "wrong").await.unwrap());
    assert!(!check("nobody", "right").await.unwrap());
    assert_eq!(check("down", "right").await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_change_says_what_changes_and_prints_no_password() {
    let fixture = Fixture::start("warden").await;
    let change = BackendUser {
        email: Some(String::new()),
        enabled: Some(false),
        scopes: vec!["ignored".to_owned()],
        properties: Bytes::from_static(br#"{"phone":null}"#),
        ..BackendUser::default()
    };
    let request = ValidateUserRequest {
        activation: activation(),
        username: "ann".to_owned(),
        user: Some(change.clone()),
        password: Some("s3cret".to_owned()),
    };
    let told = users(&fixture).validate(request).await.unwrap().into_inner().errors;
    assert_eq!(told[1], "s3cret", "the plugin has it");
    assert!(!told[0].contains("s3cret"), "{}", told[0]);
    let expected = r#"Some("ann") UserChange { username: None, name: None, email: Some(""), enabled: Some(false), scopes: None, properties: {"phone": Null}, .. }"#;
    assert_eq!(told[0], expected);

    let new =
        BackendUser { username: "zoe".to_owned(), has_scopes: true, ..BackendUser::default() };
    let request =
        ValidateUserRequest { activation: activation(), user: Some(new), ..Default::default() };
    let told = users(&fixture).validate(request).await.unwrap().into_inner().errors;
    assert!(
        told[0].starts_with(r#"None UserChange { username: Some("zoe"), name: None"#),
        "{}",
        told[0]
    );
    assert!(told[0].contains("scopes: Some([])"), "{}", told[0]);

    let odd = BackendUser { properties: Bytes::from_static(b"3"), ..change };
    let request =
        SetUserRequest { activation: activation(), username: "ann".to_owned(), user: Some(odd) };
    assert_eq!(users(&fixture).set(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_a_backend_can_not_do_has_a_status_of_its_own() {
    let fixture = Fixture::start("warden").await;
    let add = |name: &str| {
        let user = Some(BackendUser { username: name.to_owned(), ..BackendUser::default() });
        let request = AddUserRequest { activation: activation(), user, password: None };
        let mut client = users(&fixture);
        async move { client.add(request).await.map_or_else(|status| status.code(), |_| Code::Ok) }
    };
    assert_eq!(add("zoe").await, Code::Ok);
    assert_eq!(add("ann").await, Code::AlreadyExists);
    assert_eq!(add("").await, Code::InvalidArgument);
    let user = Some(BackendUser::default());
    let request = SetUserRequest { activation: activation(), username: "nobody".to_owned(), user };
    assert_eq!(users(&fixture).set(request).await.unwrap_err().code(), Code::NotFound);
    let request = DeleteUserRequest { activation: activation(), username: "ann".to_owned() };
    let read_only = users(&fixture).delete(request).await.unwrap_err();
    assert_eq!(read_only.code(), Code::Unimplemented);
    let request = AddUserRequest { activation: activation(), ..AddUserRequest::default() };
    assert_eq!(users(&fixture).add(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_backend_of_clients_that_writes_nothing_says_so() {
    let fixture = Fixture::start("warden").await;
    let mut clients = ClientBackendClient::new(fixture.channel());
    let request = ListClientsRequest { activation: activation(), limit: 10, ..Default::default() };
    let page = clients.list(request).await.unwrap().into_inner();
    assert_eq!((page.clients.len(), page.total), (1, 1));
    let request = GetClientRequest { activation: activation(), client_id: "app".to_owned() };
    let app = clients.get(request).await.unwrap().into_inner().client.unwrap();
    let expected = BackendClient {
        client_id: "app".to_owned(),
        enabled: Some(true),
        confidential: Some(true),
        has_scopes: true,
        properties: Bytes::from_static(br#"{"redirect_uri":["https://a.example"]}"#),
        ..BackendClient::default()
    };
    assert_eq!(app, expected);
    let request = CheckClientPasswordRequest {
        activation: activation(),
        client_id: "app".to_owned(),
        password: "right".to_owned(),
    };
    assert!(clients.check_password(request).await.unwrap().into_inner().is_right);
    let request = AddClientRequest {
        activation: activation(),
        client: Some(BackendClient::default()),
        password: None,
    };
    assert_eq!(clients.add(request).await.unwrap_err().code(), Code::Unimplemented);
}
