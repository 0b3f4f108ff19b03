//! Both databases, users, and schemes that answer as a test wants.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use outboard::identity::sessions::{Method, SignedIn};
use outboard::identity::{Cost, Identity, Origin, Settings};
use outboard::plugin::backend::{Backend, Way};
use outboard::plugin::reach::{Capabilities, Reach};
use outboard::plugin::roles::{Roles, Roster, SchemeRole};
use outboard::plugin::snapshot::{Activation, Routes};
use outboard_core::identity::name::UserName;
use outboard_core::identity::scheme::SchemeSettings;
use outboard_core::identity::user::{DATABASE, User, UserId};
use outboard_core::route::Endpoints;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::scheme_server::{Scheme, SchemeServer};
use outboard_proto::plugin::v1::{Availability, Capability, SchemeResult};
use outboard_store::{DatabaseUrl, Options, Store};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use uuid::Uuid;

const POSTGRES_URL: &str = "OUTBOARD_TEST_POSTGRES_URL";

/// Declares tests that take a [`Host`], one for each database.
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($host:ident: Host) $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn check($host: Host) $body

            #[tokio::test]
            async fn on_sqlite() {
                crate::fixture::on_sqlite(check).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                crate::fixture::on_postgres(check).await;
            }
        }
    )*};
}

pub(crate) use on_both_databases;

/// What decides about people, with an empty database.
pub(crate) struct Host {
    pub(crate) identity: Identity,
    pub(crate) store: Store,
    pub(crate) routes: Arc<Routes>,
    pub(crate) origin: Origin,
    roster: Roster,
    dir: TempDir,
}

pub(crate) fn settings() -> Settings {
    Settings {
        scheme_timeout: Duration::from_secs(2),
        cost: Cost { memory_kib: 64, iterations: 1, parallelism: 1 },
        external_url: "https://example.org/sso".into(),
        ..Settings::default()
    }
}

impl Host {
    pub(crate) async fn open(url: &DatabaseUrl, dir: TempDir, settings: Settings) -> Self {
        let store = Store::open(url, &Options::default()).await.unwrap();
        let (routes, roster) = (Arc::new(Routes::default()), Roster::default());
        roster.set(Roles::default());
        let identity =
            Identity::open(store.clone(), routes.clone(), roster.clone(), settings).unwrap();
        let origin = Origin { address: "192.0.2.1".into(), user_agent: "Browser/1".into() };
        Self { identity, store, routes, origin, roster, dir }
    }

    /// The same people, under other settings.
    pub(crate) fn with(&self, settings: Settings) -> Identity {
        let Self { store, routes, roster, .. } = self;
        Identity::open(store.clone(), routes.clone(), roster.clone(), settings).unwrap()
    }

    /// Adds a user with these scopes.
    pub(crate) async fn user(&self, name: &str, scopes: &[&str]) -> User {
        let user = User {
            id: UserId::new(&Uuid::now_v7().to_string()).unwrap(),
            username: UserName::new(name).unwrap(),
            name: Some(format!("{name} the user")),
            email: Some(format!("{name}@example.org")),
            enabled: true,
            scopes: texts(scopes),
            properties: Map::new(),
            source: DATABASE.into(),
            passwords: 0,
            last_login_ms: None,
            revision: 1,
        };
        self.store.users().insert(&user, &[]).await.unwrap()
    }

    pub(crate) async fn by_password(&self, cookie: Option<&str>, user: &User) -> String {
        let signed_in = self.sign_in(cookie, user, Method::Password).await;
        signed_in.cookie.expect("a password gives a new cookie")
    }

    pub(crate) async fn sign_in(
        &self,
        cookie: Option<&str>,
        user: &User,
        by: Method<'_>,
    ) -> SignedIn {
        self.identity.sessions().sign_in(cookie, user, by, &self.origin).await.unwrap()
    }

    /// Adds the scope of this JSON object.
    pub(crate) async fn scope(&self, object: Value) {
        self.identity.scopes().add(&object).await.unwrap();
    }

    /// A scope that needs a password and these schemes, one group each.
    pub(crate) async fn scope_with(&self, name: &str, schemes: &[&str]) {
        let groups = schemes.iter().map(|scheme| {
            ((*scheme).to_owned(), json!([{ "scheme_type": "mock", "scheme_name": scheme }]))
        });
        let groups: Map<_, _> = groups.collect();
        self.scope(json!({ "name": name, "scheme": groups })).await;
    }

    /// Has an instance of kind scheme, with these settings, that is served by `act`.
    pub(crate) fn scheme(&self, name: &str, settings: SchemeSettings, act: Act) -> Process {
        let socket = self.dir.path().join(name);
        let process = Process::start(&socket, act);
        self.known(name, settings);
        self.publish(name, &socket, Capability::Scheme);
        process
    }

    /// Has an instance of kind scheme that does not run.
    pub(crate) fn known(&self, name: &str, settings: SchemeSettings) {
        let mut roles = (*self.roster.roles().unwrap()).clone();
        let role =
            SchemeRole { plugin: "mock".into(), display_name: format!("Scheme {name}"), settings };
        roles.schemes.insert(name.to_owned(), role);
        self.roster.set(roles);
    }

    pub(crate) fn unknown(&self, name: &str) {
        let mut roles = (*self.roster.roles().unwrap()).clone();
        roles.schemes.remove(name);
        self.roster.set(roles);
    }

    pub(crate) fn publish(&self, name: &str, socket: &Path, can: Capability) {
        let backend = Arc::new(Backend::new("mock", Way::Plain, std::future::pending));
        let reach = Reach::new(channel(socket), Capabilities::of(&[can.into()]));
        let activation =
            Activation::new(format!("{name}-1"), "mock".into(), name.into(), backend, reach);
        self.routes.publish(Arc::new(activation), Endpoints::default().table());
    }
}

pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(
    check: impl FnOnce(Host) -> F,
) {
    let dir = TempDir::new().unwrap();
    let url = DatabaseUrl::sqlite(dir.path().join("outboard.db"));
    check(Host::open(&url, dir, settings()).await).await;
}

/// In a schema of its own, which goes afterwards, whatever the test did.
pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(
    check: impl FnOnce(Host) -> F,
) {
    let server_url = std::env::var(POSTGRES_URL)
        .unwrap_or_else(|_| panic!("{POSTGRES_URL} is not set: use `cargo xtask test`"));
    let schema = format!("outboard_test_{}", Uuid::new_v4().simple());
    psql(&server_url, &format!("CREATE SCHEMA {schema}"));
    let separator = if server_url.contains('?') { '&' } else { '?' };
    let url = format!("{server_url}{separator}options=-csearch_path%3D{schema}");
    let host = Host::open(&url.parse().unwrap(), TempDir::new().unwrap(), settings()).await;
    let outcome = tokio::spawn(check(host)).await;
    psql(&server_url, &format!("DROP SCHEMA {schema} CASCADE"));
    if let Err(failure) = outcome {
        resume_unwind(failure.into_panic());
    }
}

/// Schemas are none of Outboard's business, so that its store has no call for them.
fn psql(url: &str, command: &str) {
    let mut psql =
        Command::new(std::env::var_os("OUTBOARD_TEST_PSQL").unwrap_or_else(|| "psql".into()));
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", command, url]);
    let output = psql.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a scheme's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Registers users, and accepts each of the codes "1" to "9" once.
    Good,
    /// Never answers.
    Silent,
    /// Answers with what is neither yes nor no.
    Odd,
    /// Says that it failed.
    Failing,
}

/// A scheme's process. Keeps what it was told.
pub(crate) struct Process {
    pub(crate) state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
pub(crate) struct State {
    /// By user's id, with the codes that were used.
    pub(crate) registered: BTreeMap<String, Vec<String>>,
    /// Of all calls, in their order.
    pub(crate) subjects: Vec<(&'static str, wire::Subject)>,
    /// Calls that were given up before they were answered.
    pub(crate) given_up: usize,
}

impl Process {
    fn start(socket: &Path, act: Act) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let state = Arc::<Mutex<State>>::default();
        let service = Service { act, state: state.clone() };
        let serving = Server::builder()
            .add_service(SchemeServer::new(service))
            .serve_with_incoming(UnixListenerStream::new(listener));
        Self { state, serving: tokio::spawn(async move { serving.await.unwrap() }) }
    }

    pub(crate) fn registers(&self, user: &User) {
        self.state.lock().unwrap().registered.insert(user.id.as_str().to_owned(), Vec::new());
    }

    pub(crate) fn subjects(&self, call: &str) -> Vec<wire::Subject> {
        let state = self.state.lock().unwrap();
        let of_call = state.subjects.iter().filter(|(name, _)| *name == call);
        of_call.map(|(_, subject)| subject.clone()).collect()
    }

    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().subjects.len()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Service {
    act: Act,
    state: Arc<Mutex<State>>,
}

/// Counts a call that nobody waits for any more.
struct Waiting(Arc<Mutex<State>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.lock().unwrap().given_up += 1;
    }
}

impl Service {
    async fn enter(
        &self,
        call: &'static str,
        subject: Option<wire::Subject>,
    ) -> Result<String, Status> {
        let subject = subject.unwrap_or_default();
        let id = subject.user_id.clone();
        self.state.lock().unwrap().subjects.push((call, subject));
        match self.act {
            Act::Silent => {
                let _waiting = Waiting(self.state.clone());
                std::future::pending().await
            }
            Act::Failing => Err(Status::internal("secret of the plugin")),
            Act::Good | Act::Odd => Ok(id),
        }
    }

    fn result(&self, good: SchemeResult) -> i32 {
        if self.act == Act::Odd { 99 } else { good.into() }
    }
}

#[tonic::async_trait]
impl Scheme for Service {
    async fn can_use(
        &self,
        request: Request<wire::CanUseRequest>,
    ) -> Result<Response<wire::CanUseResponse>, Status> {
        let id = self.enter("can_use", request.into_inner().subject).await?;
        let is_registered = self.state.lock().unwrap().registered.contains_key(&id);
        let availability = match (self.act, is_registered) {
            (Act::Odd, _) => 99,
            (_, true) => Availability::Registered.into(),
            (_, false) => Availability::Available.into(),
        };
        Ok(Response::new(wire::CanUseResponse { availability }))
    }

    async fn register(
        &self,
        request: Request<wire::RegisterRequest>,
    ) -> Result<Response<wire::RegisterResponse>, Status> {
        let wire::RegisterRequest { subject, data, .. } = request.into_inner();
        let id = self.enter("register", subject).await?;
        let wanted = serde_json::from_slice::<Value>(&data).unwrap()["register"] == json!(true);
        if !wanted {
            let errors = vec!["register must be true".to_owned()];
            let result = self.result(SchemeResult::Invalid);
            return Ok(Response::new(wire::RegisterResponse { result, errors, ..<_>::default() }));
        }
        self.state.lock().unwrap().registered.insert(id, Vec::new());
        let response = br#"{"registered":true}"#[..].into();
        let result = self.result(SchemeResult::Ok);
        Ok(Response::new(wire::RegisterResponse { result, response, errors: Vec::new() }))
    }

    async fn get_registration(
        &self,
        request: Request<wire::GetRegistrationRequest>,
    ) -> Result<Response<wire::GetRegistrationResponse>, Status> {
        let id = self.enter("get_registration", request.into_inner().subject).await?;
        let is_registered = self.state.lock().unwrap().registered.contains_key(&id);
        let result = if is_registered { SchemeResult::Ok } else { SchemeResult::NotFound };
        let result = self.result(result);
        Ok(Response::new(wire::GetRegistrationResponse { result, response: b"{}"[..].into() }))
    }

    async fn deregister(
        &self,
        request: Request<wire::DeregisterRequest>,
    ) -> Result<Response<wire::DeregisterResponse>, Status> {
        let id = self.enter("deregister", request.into_inner().subject).await?;
        let was_there = self.state.lock().unwrap().registered.remove(&id).is_some();
        let result = if was_there { SchemeResult::Ok } else { SchemeResult::NotFound };
        Ok(Response::new(wire::DeregisterResponse { result: self.result(result) }))
    }

    async fn trigger(
        &self,
        request: Request<wire::TriggerRequest>,
    ) -> Result<Response<wire::TriggerResponse>, Status> {
        self.enter("trigger", request.into_inner().subject).await?;
        let response = if self.act == Act::Odd { &b"{"[..] } else { br#"{"challenge":1}"# }.into();
        let result = SchemeResult::Ok.into();
        Ok(Response::new(wire::TriggerResponse { result, response, errors: Vec::new() }))
    }

    async fn validate(
        &self,
        request: Request<wire::ValidateRequest>,
    ) -> Result<Response<wire::ValidateResponse>, Status> {
        let wire::ValidateRequest { subject, value, .. } = request.into_inner();
        let id = self.enter("validate", subject).await?;
        let value: Value = serde_json::from_slice(&value).unwrap();
        let code = value["code"].as_str().unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        let result = match state.registered.get_mut(&id) {
            None => SchemeResult::NotFound,
            Some(used) if code.len() == 1 && !used.contains(&code) => {
                used.push(code);
                SchemeResult::Ok
            }
            Some(_) => SchemeResult::Unauthorized,
        };
        let result = self.result(result);
        Ok(Response::new(wire::ValidateResponse { result, errors: Vec::new() }))
    }
}

fn channel(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(tower::service_fn(
        move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        },
    ))
}

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
