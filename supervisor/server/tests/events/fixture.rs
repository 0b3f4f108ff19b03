//! A store, a notifier, and all that is between them.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hyper_util::rt::TokioIo;
use outboard::events::{Events, Settings, Working};
use outboard::plugin::backend::{Backend, Way};
use outboard::plugin::reach::{Capabilities, Reach};
use outboard::plugin::roles::{Notifier as Role, Roles, Roster};
use outboard::plugin::snapshot::{Activation, Routes};
use outboard_core::event::{Event, Types, cloud};
use outboard_core::event::{Origin, Received};
use outboard_core::route::Endpoints;
use outboard_proto::plugin::v1::notifier_server::{Notifier, NotifierServer};
use outboard_proto::plugin::v1::{Capability, NotifyOutcome, OnNotifyRequest, OnNotifyResponse};
use outboard_store::outbox::{Bounds, Delivery, Shown};
use outboard_store::{DatabaseUrl, Options, Store};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) type Answer = Result<OnNotifyResponse, Status>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What an operator would have written.
pub(crate) fn settings() -> Settings {
    Settings {
        max_event: 1 << 20,
        bounds: Bounds { max_bytes: 1 << 30, pending: 1000, pending_bytes: 1 << 30 },
        max_age: Duration::from_hours(1),
        attempts: 50,
        timeout: Duration::from_secs(10),
        concurrency: 32,
        retention: Duration::from_hours(24),
    }
}

/// A directory with a database, which outlives what runs on it.
pub(crate) struct Place {
    dir: TempDir,
}

/// The supervisor's part.
pub(crate) struct Running {
    pub(crate) events: Events,
    pub(crate) routes: Arc<Routes>,
    pub(crate) roster: Roster,
    pub(crate) store: Store,
    working: Working,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Begins to work, with these notifiers of everything.
    pub(crate) async fn open(&self, settings: Settings, notifiers: &[&str]) -> Running {
        let running = self.open_without_roles(settings).await;
        running.tell(notifiers);
        running
    }

    pub(crate) async fn open_without_roles(&self, settings: Settings) -> Running {
        let url = DatabaseUrl::sqlite(self.path("events.db"));
        let store = Store::open(&url, &Options::default()).await.unwrap();
        let (routes, roster) = (Arc::new(Routes::default()), Roster::default());
        let (events, working) =
            Events::open(store.clone(), false, routes.clone(), roster.clone(), settings);
        Running { events, routes, roster, store, working }
    }
}

impl Running {
    pub(crate) fn tell(&self, notifiers: &[&str]) {
        let role = Role { plugin: "mock".into(), types: Types::new(&["*"]).unwrap() };
        let notifiers = notifiers.iter().map(|name| ((*name).to_owned(), role.clone()));
        self.roster.set(Roles { notifiers: notifiers.collect(), ..Roles::default() });
    }

    /// Has an instance served by the process at this socket.
    pub(crate) fn serve(&self, instance: &str, socket: &Path) -> Arc<Activation> {
        let backend = Arc::new(Backend::new("mock", Way::Plain, std::future::pending));
        let reach = Reach::new(channel(socket), Capabilities::of(&[Capability::Notify.into()]));
        let (id, instance) = (uuid::Uuid::now_v7().to_string(), instance.to_owned());
        let activation = Activation::new(id, "mock".into(), instance, backend, reach);
        let activation = Arc::new(activation);
        self.routes.publish(activation.clone(), Endpoints::default().table());
        activation
    }

    pub(crate) async fn publish(&self, events: Vec<Event>) {
        self.events.publish(events).await.unwrap();
    }

    pub(crate) async fn show(&self, id: &str) -> Shown {
        self.store.outbox().show(id, None).await.unwrap().expect("an event of this id")
    }

    /// Waits until a delivery is as wanted.
    pub(crate) async fn delivery(
        &self,
        id: &str,
        notifier: &str,
        is_so: impl Fn(&Delivery) -> bool,
    ) -> Delivery {
        let end = Instant::now() + LIMIT;
        loop {
            let shown = self.show(id).await;
            let delivery = shown.deliveries.into_iter().find(|it| it.notifier == notifier).unwrap();
            if is_so(&delivery) {
                return delivery;
            }
            assert!(Instant::now() < end, "still {delivery:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// As a supervisor ends that is asked to.
    pub(crate) async fn close(self) {
        self.working.close().await;
        self.store.close().await;
    }
}

/// A notifier's process: keeps what it is told, and answers as it is told to.
pub(crate) struct Process {
    pub(crate) came: Came,
    serving: JoinHandle<()>,
}

/// What a notifier was told, and when.
#[derive(Clone, Default)]
pub(crate) struct Came(Arc<Mutex<Vec<(OnNotifyRequest, Instant)>>>);

impl Came {
    pub(crate) fn all(&self) -> Vec<OnNotifyRequest> {
        self.0.lock().unwrap().iter().map(|(request, _)| request.clone()).collect()
    }

    pub(crate) fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap().iter().map(|(_, at)| *at).collect()
    }

    /// The events' ids, in the order in which they came.
    pub(crate) fn ids(&self) -> Vec<String> {
        let all = self.all().into_iter();
        all.map(|request| request.event.unwrap_or_default().id).collect()
    }

    /// Waits until so many calls came.
    pub(crate) async fn count(&self, count: usize) {
        let end = Instant::now() + LIMIT;
        while self.all().len() < count {
            assert!(Instant::now() < end, "not {count}: {:?}", self.ids());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Process {
    /// Answers with what `answer` gives.
    pub(crate) fn start<F>(
        socket: &Path,
        answer: impl Fn(OnNotifyRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let came = Came::default();
        let service = Service {
            came: came.clone(),
            answer: Box::new(move |request| Box::pin(answer(request))),
        };
        let serving = Server::builder()
            .add_service(NotifierServer::new(service))
            .serve_with_incoming(UnixListenerStream::new(listener));
        Self { came, serving: tokio::spawn(async move { serving.await.unwrap() }) }
    }

    /// Everything is delivered.
    pub(crate) fn good(socket: &Path) -> Self {
        Self::start(socket, |_| std::future::ready(Ok(OnNotifyResponse::default())))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Service {
    came: Came,
    answer: Box<dyn Fn(OnNotifyRequest) -> Answering + Send + Sync>,
}

#[tonic::async_trait]
impl Notifier for Service {
    async fn on_notify(
        &self,
        request: Request<OnNotifyRequest>,
    ) -> Result<Response<OnNotifyResponse>, Status> {
        let request = request.into_inner();
        self.came.0.lock().unwrap().push((request.clone(), Instant::now()));
        (self.answer)(request).await.map(Response::new)
    }
}

pub(crate) fn channel(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(tower::service_fn(
        move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        },
    ))
}

pub(crate) fn delivered() -> Answer {
    Ok(OnNotifyResponse::default())
}

pub(crate) fn retry(message: &str, after: Option<Duration>) -> Answer {
    Ok(OnNotifyResponse {
        outcome: NotifyOutcome::Retry.into(),
        message: message.to_owned(),
        retry_after: after.map(|after| after.try_into().unwrap()),
    })
}

pub(crate) fn rejected(message: &str) -> Answer {
    Ok(OnNotifyResponse {
        outcome: NotifyOutcome::Rejected.into(),
        message: message.to_owned(),
        retry_after: None,
    })
}

/// The event's own id.
pub(crate) fn id(request: &OnNotifyRequest) -> String {
    request.event.clone().unwrap_or_default().id
}

/// An event of the source `/test`, with a key or without.
pub(crate) fn event(id: &str, key: Option<&str>) -> Event {
    let mut attributes = BTreeMap::from([
        ("specversion", "1.0"),
        ("source", "/test"),
        ("type", "test.event"),
        ("id", id),
    ]);
    attributes.extend(key.map(|key| ("partitionkey", key)));
    let text = serde_json::to_vec(&attributes).unwrap();
    let mut received = Received {
        now: SystemTime::now(),
        new_id: &mut || unreachable!("it has an id"),
        origin: Origin::Service,
    };
    cloud::read(&text, &mut received).unwrap()
}
