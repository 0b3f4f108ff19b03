//! Outboard's own services, and the way back to the host.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use outboard_proto::env::{ACTIVATION_METADATA, HOST_ADDRESS};
use outboard_proto::event::v1::Event;
use outboard_proto::host::v1::endpoints_server::{Endpoints, EndpointsServer};
use outboard_proto::host::v1::events_server::{Events, EventsServer};
use outboard_proto::host::v1::host_server::{Host, HostServer};
use outboard_proto::host::v1::log_server::{Log, LogServer};
use outboard_proto::host::v1::{
    self, AddRequest, AddResponse, AnnounceRequest, AnnounceResponse, EmitReceipt, EmitRequest,
    EmitResponse, Endpoint, InfoRequest, InfoResponse, RemoveRequest, RemoveResponse, WriteRequest,
    WriteResponse,
};
use outboard_proto::plugin::v1::http_client::HttpClient;
use outboard_proto::plugin::v1::lifecycle_client::LifecycleClient;
use outboard_proto::plugin::v1::{
    Capability, CheckRequest, CloseRequest, HandleRequest, HandleResponse, Header, InitRequest,
    LoadRequest, Match, Outcome, Problem, Request as HttpRequest, Response as HttpResponse,
    Variable,
};
use outboard_proto::transport::{
    AddressRule, Broker, BrokerConfig, Identity, Incoming, Listener, PeerCheck, Tls,
};
use tempfile::TempDir;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};

use crate::host::{Plugin, Start};

/// What plugins call. It keeps what they published, under which activation.
#[derive(Clone, Default)]
struct Callbacks {
    published: Arc<Mutex<Vec<Endpoint>>>,
    activations: Arc<Mutex<Vec<String>>>,
    /// With the activation that emitted it.
    emitted: Arc<Mutex<Vec<(String, Event)>>>,
    refuse: Option<&'static str>,
}

impl Callbacks {
    fn serve(self, incoming: Incoming) {
        let server = Server::builder()
            .add_service(EndpointsServer::new(self.clone()))
            .add_service(EventsServer::new(self.clone()))
            .add_service(HostServer::new(self.clone()))
            .add_service(LogServer::new(self));
        tokio::spawn(server.serve_with_incoming(incoming));
    }

    fn note<T>(&self, request: &Request<T>) {
        let id = request.metadata().get(ACTIVATION_METADATA).map(|id| id.to_str().unwrap());
        self.activations.lock().unwrap().push(id.unwrap_or("none").to_owned());
    }
}

#[tonic::async_trait]
impl Endpoints for Callbacks {
    async fn add(&self, request: Request<AddRequest>) -> Result<Response<AddResponse>, Status> {
        self.note(&request);
        if let Some(reason) = self.refuse {
            return Err(Status::already_exists(reason));
        }
        self.published.lock().unwrap().extend(request.into_inner().endpoints);
        Ok(Response::new(AddResponse {}))
    }

    async fn remove(
        &self,
        request: Request<RemoveRequest>,
    ) -> Result<Response<RemoveResponse>, Status> {
        self.note(&request);
        Ok(Response::new(RemoveResponse {}))
    }
}

#[tonic::async_trait]
impl Host for Callbacks {
    async fn announce(
        &self,
        _: Request<AnnounceRequest>,
    ) -> Result<Response<AnnounceResponse>, Status> {
        Err(Status::failed_precondition("not here"))
    }

    async fn info(&self, request: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        self.note(&request);
        Ok(Response::new(InfoResponse {
            instance: "one".to_owned(),
            base_path: "/api/one/".to_owned(),
            ..InfoResponse::default()
        }))
    }

    async fn config(
        &self,
        _: Request<v1::ConfigRequest>,
    ) -> Result<Response<v1::ConfigResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn external_url(
        &self,
        _: Request<v1::ExternalUrlRequest>,
    ) -> Result<Response<v1::ExternalUrlResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn login_url(
        &self,
        _: Request<v1::LoginUrlRequest>,
    ) -> Result<Response<v1::LoginUrlResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn hash(
        &self,
        _: Request<v1::HashRequest>,
    ) -> Result<Response<v1::HashResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn locate(
        &self,
        _: Request<v1::LocateRequest>,
    ) -> Result<Response<v1::LocateResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

#[tonic::async_trait]
impl Log for Callbacks {
    async fn write(
        &self,
        request: Request<WriteRequest>,
    ) -> Result<Response<WriteResponse>, Status> {
        self.note(&request);
        Ok(Response::new(WriteResponse { dropped: 1 }))
    }
}

#[tonic::async_trait]
impl Events for Callbacks {
    async fn emit(&self, request: Request<EmitRequest>) -> Result<Response<EmitResponse>, Status> {
        self.note(&request);
        let activation = self.activations.lock().unwrap().last().cloned().unwrap();
        let events = request.into_inner().events;
        if events.iter().any(|event| event.subject == "forbidden") {
            return Err(Status::permission_denied("add a line"));
        }
        let made = |(index, _)| EmitReceipt { event_id: format!("made-{index}"), repeated: true };
        let receipts = (1..).zip(&events).map(made).collect();
        let emitted = events.into_iter().map(|event| (activation.clone(), event));
        self.emitted.lock().unwrap().extend(emitted);
        Ok(Response::new(EmitResponse { receipts }))
    }
}

/// A plugin with one activation, reached as Outboard reaches it.
pub(crate) struct Fixture {
    pub(crate) plugin: Plugin,
    channel: Channel,
    callbacks: Callbacks,
    _dir: TempDir,
}

impl Fixture {
    pub(crate) async fn start(example: &str) -> Self {
        let fixture = Self::start_with(example, Callbacks::default()).await;
        assert_eq!(fixture.init("a-1", "").await, []);
        fixture
    }

    /// The same for a start with variables of its own.
    pub(crate) async fn of(start: Start) -> Self {
        let fixture = Self::run(start, Callbacks::default()).await;
        assert_eq!(fixture.init("a-1", "").await, []);
        fixture
    }

    async fn start_with(example: &str, callbacks: Callbacks) -> Self {
        Self::run(Start::example(example), callbacks).await
    }

    async fn run(start: Start, callbacks: Callbacks) -> Self {
        let dir = TempDir::new().unwrap();
        let listener = Listener::bind_unix(dir.path(), "host").unwrap();
        let target = format!("unix://{}", listener.address());
        callbacks.clone().serve(listener.incoming(None, PeerCheck::any()));
        let plugin = start.var(HOST_ADDRESS, &target).run().await;
        let channel = plugin.channel().await;
        let load = LoadRequest { generation: 1, ..LoadRequest::default() };
        LifecycleClient::new(channel.clone()).load(load).await.unwrap();
        Self { plugin, channel, callbacks, _dir: dir }
    }

    async fn init(&self, activation: &str, parameters: &'static str) -> Vec<Problem> {
        let request = InitRequest {
            activation: activation.to_owned(),
            instance: "one".to_owned(),
            parameters: parameters.into(),
            ..InitRequest::default()
        };
        self.lifecycle().init(request).await.unwrap().into_inner().problems
    }

    async fn check(&self, parameters: &'static str) -> Result<Vec<Problem>, Status> {
        let request = CheckRequest {
            instance: "new".to_owned(),
            parameters: parameters.into(),
            ..CheckRequest::default()
        };
        Ok(self.lifecycle().check(request).await?.into_inner().problems)
    }

    fn lifecycle(&self) -> LifecycleClient<Channel> {
        LifecycleClient::new(self.channel.clone())
    }

    /// Sends a request to the endpoint whose pattern begins like its path.
    pub(crate) fn handle(
        &self,
        request: HandleRequest,
    ) -> impl Future<Output = Result<HandleResponse, Status>> + use<> {
        let request = self.matched(request);
        let channel = self.channel.clone();
        async move { Ok(HttpClient::new(channel).handle(request).await?.into_inner()) }
    }

    /// Where the plugin serves, for calls of any kind.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// What it has emitted, with the activation that did.
    pub(crate) fn emitted(&self) -> Vec<(String, Event)> {
        self.callbacks.emitted.lock().unwrap().clone()
    }

    /// All endpoints of that path, in the order of a chain. Queries do not count.
    pub(crate) fn matches(&self, path: &str) -> Vec<Match> {
        let published = self.callbacks.published.lock().unwrap();
        let mut endpoints: Vec<_> = published.iter().filter(|it| it.url == path).collect();
        assert!(!endpoints.is_empty(), "no endpoint {path:?}");
        endpoints.sort_by_key(|endpoint| endpoint.priority);
        let of = |endpoint: &&Endpoint| Match { endpoint_id: endpoint.id, variables: Vec::new() };
        endpoints.iter().map(of).collect()
    }

    fn matched(&self, mut request: HandleRequest) -> HandleRequest {
        let path = String::from_utf8(request.request.as_ref().unwrap().path.to_vec()).unwrap();
        let published = self.callbacks.published.lock().unwrap();
        let (first, rest) = path.split_once('/').unwrap_or((&path, ""));
        let endpoint = published
            .iter()
            .find(|endpoint| endpoint.url.split('/').next() == Some(first))
            .unwrap();
        let name = endpoint.url.split_once("/:").map(|(_, name)| name.to_owned());
        let value = Bytes::copy_from_slice(rest.as_bytes());
        let variables = name.map(|name| Variable { name, value }).into_iter().collect();
        request.r#match = Some(Match { endpoint_id: endpoint.id, variables });
        request
    }
}

pub(crate) fn get(path: &str) -> HandleRequest {
    HandleRequest {
        activation: "a-1".to_owned(),
        request: Some(HttpRequest {
            method: "GET".to_owned(),
            path: Bytes::copy_from_slice(path.as_bytes()),
            ..HttpRequest::default()
        }),
        ..HandleRequest::default()
    }
}

#[tokio::test]
async fn a_plugin_tells_its_name_and_version_and_what_it_can() {
    let plugin = Start::example("busy").run().await;
    let load = LoadRequest::default();
    let told = LifecycleClient::new(plugin.channel().await).load(load).await.unwrap().into_inner();
    assert_eq!((told.name.as_str(), told.version.as_str()), ("busy", "1.2.3"));
    let both = [Capability::HttpHandle, Capability::HttpServe].map(i32::from);
    assert_eq!(told.capabilities, both);
}

#[tokio::test]
async fn a_plugin_of_another_host_does_not_implement_load() {
    let start = Start::example("go_plugin").var("EXAMPLE_PLUGIN", "hello");
    let plugin = start.var("PLUGIN_PROTOCOL_VERSIONS", "5").run().await;
    let mut lifecycle = LifecycleClient::new(plugin.channel().await);
    let refused = lifecycle.load(LoadRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test]
async fn endpoints_are_published_under_their_activation_before_init_is_answered() {
    let fixture = Fixture::start("busy").await;
    let published = fixture.callbacks.published.lock().unwrap();
    let ids: Vec<u32> = published.iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(ids, (1..=7).collect::<Vec<_>>());
    let filter = published.last().unwrap();
    assert_eq!((filter.method.as_str(), filter.priority, filter.filter), ("*", 7, true));
    assert_eq!(*fixture.callbacks.activations.lock().unwrap(), ["a-1"]);
}

#[tokio::test]
async fn a_handler_gets_variables_and_the_state_of_its_activation() {
    let fixture = Fixture::start("hello").await;
    let answer = fixture.handle(get("hello/w%C3%B6rld")).await.unwrap();
    assert_eq!(answer.body, "Hello, w%C3%B6rld!\n", "the host decodes, not the plugin");
    assert_eq!(answer.outcome(), Outcome::Complete);
    assert_eq!(fixture.init("a-2", r#"{"greeting": "Ahoj"}"#).await, []);
    let request = HandleRequest { activation: "a-2".to_owned(), ..get("hello/you") };
    assert_eq!(fixture.handle(request).await.unwrap().body, "Ahoj, you!\n");
}

#[tokio::test]
async fn a_variable_that_is_no_text_is_answered_with_400() {
    let fixture = Fixture::start("hello").await;
    let mut request = fixture.matched(get("hello/x"));
    request.r#match.as_mut().unwrap().variables[0].value = Bytes::from_static(b"\xff");
    let mut client = HttpClient::new(fixture.channel.clone());
    let answer = client.handle(request).await.unwrap().into_inner();
    assert_eq!(answer.response.unwrap().status, 400);
    assert_eq!(answer.body, r#"{"error":"name in the path is not UTF-8"}"#);
}

#[tokio::test]
async fn an_error_of_the_authors_and_a_panic_fail_their_request_only() {
    let fixture = Fixture::start("busy").await;
    for path in ["print/many", "panic"] {
        let answer = fixture.handle(get(path)).await.unwrap();
        assert_eq!(answer.outcome(), Outcome::Fail, "{path}");
        assert_eq!(answer.response, None, "{path}");
    }
    assert_eq!(fixture.handle(get("whoami")).await.unwrap().body, "one at /api/one/");
}

#[tokio::test]
async fn a_filter_sees_the_response_so_far_and_hands_the_context_on() {
    let fixture = Fixture::start("busy").await;
    let mut request = HandleRequest { context: Bytes::from_static(b"note"), ..get("*") };
    let passed = fixture.handle(request.clone()).await.unwrap();
    assert_eq!(passed.outcome(), Outcome::Continue);
    assert_eq!((passed.response, passed.context.as_ref()), (None, &b"note"[..]));

    let header = Header { name: "x-a".to_owned(), value: Bytes::from_static(b"1") };
    request.response = Some(HttpResponse { status: 201, headers: vec![header] });
    let refused = fixture.handle(request).await.unwrap();
    assert_eq!(refused.outcome(), Outcome::Refuse);
    assert_eq!(refused.body, "not today");
    let response = refused.response.unwrap();
    assert_eq!((response.status, response.headers[0].name.as_str()), (201, "x-a"));
}

#[tokio::test]
async fn bad_parameters_are_problems_that_point_at_them() {
    let fixture = Fixture::start_with("busy", Callbacks::default()).await;
    let problems = fixture.init("a-1", r#"{"limits": {"lines": "three"}}"#).await;
    let pointer = "/limits/lines".to_owned();
    assert_eq!(problems, [Problem { pointer, message: "must be u32, not string".to_owned() }]);
}

#[tokio::test]
async fn check_judges_without_an_activation_and_survives_a_panic() {
    let fixture = Fixture::start_with("busy", Callbacks::default()).await;
    assert_eq!(fixture.check("{}").await.unwrap(), []);
    let zero = fixture.check(r#"{"limits": {"lines": 0}}"#).await.unwrap();
    let (pointer, message) = ("/limits/lines".to_owned(), "must be above 0".to_owned());
    assert_eq!(zero, [Problem { pointer, message }]);
    let unlucky = fixture.check(r#"{"limits": {"lines": 1313}}"#).await.unwrap_err();
    assert_eq!(unlucky.code(), Code::Internal);
    assert_eq!(fixture.check("{}").await.unwrap(), []);
}

#[tokio::test]
async fn endpoints_that_the_host_refuses_are_a_problem_and_nothing_of_the_activation_remains() {
    let callbacks = Callbacks { refuse: Some("sleep and sleep"), ..Callbacks::default() };
    let fixture = Fixture::start_with("busy", callbacks).await;
    let problems = fixture.init("a-1", "").await;
    assert!(problems[0].message.contains("sleep and sleep"), "{problems:?}");
    let request = HandleRequest { r#match: Some(Match::default()), ..get("sleep") };
    let answer = HttpClient::new(fixture.channel.clone()).handle(request).await;
    assert_eq!(answer.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_closed_activation_serves_no_more_and_closing_it_again_is_no_error() {
    let fixture = Fixture::start("busy").await;
    let close = CloseRequest { activation: "a-1".to_owned(), ..CloseRequest::default() };
    for _ in 0..2 {
        fixture.lifecycle().close(close.clone()).await.unwrap();
    }
    assert_eq!(fixture.handle(get("whoami")).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn each_call_to_the_host_names_its_activation() {
    let fixture = Fixture::start("busy").await;
    assert_eq!(fixture.init("a-2", "").await, []);
    let request = HandleRequest { activation: "a-2".to_owned(), ..get("tell") };
    assert_eq!(fixture.handle(request).await.unwrap().body, "dropped 1");
    fixture.handle(get("whoami")).await.unwrap();
    let activations = fixture.callbacks.activations.lock().unwrap().clone();
    assert_eq!(activations, ["a-1", "a-2", "a-2", "a-1"]);
}

/// B01 from the plugin's side: it dials what the host announced, in clear and under mutual TLS.
#[tokio::test]
async fn b01_the_host_is_reached_through_the_broker() {
    for is_secure in [false, true] {
        let host = Identity::generate().unwrap();
        let start = Start::example("busy");
        let cert = if is_secure { host.cert_pem() } else { String::new() };
        let plugin = start.var("PLUGIN_CLIENT_CERT", &cert).run().await;
        let tls =
            plugin.handshake(is_secure).server_cert.map(|cert| Tls::new(&host, &cert).unwrap());
        let channel = plugin.channel_with(tls.as_ref()).await;
        let broker = Broker::over(
            channel.clone(),
            BrokerConfig {
                socket_dir: plugin.dir.path().to_owned(),
                socket_group: None,
                tls,
                check: PeerCheck::any(),
                allow_tcp: AddressRule::UnixOnly,
            },
        );
        let callbacks = Callbacks::default();
        let broker_id = broker.next_id();
        callbacks.clone().serve(broker.accept(broker_id).await.unwrap());
        let mut lifecycle = LifecycleClient::new(channel);
        lifecycle.load(LoadRequest { broker_id, ..LoadRequest::default() }).await.unwrap();
        let init = InitRequest { activation: "a-9".to_owned(), ..InitRequest::default() };
        assert_eq!(lifecycle.init(init).await.unwrap().into_inner().problems, []);
        assert_eq!(callbacks.published.lock().unwrap().len(), 7, "secure: {is_secure}");
    }
}
