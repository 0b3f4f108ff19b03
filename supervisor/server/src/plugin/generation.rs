//! One process of a plugin: its directories, its door to the host, and the calls that the host makes
//! before and after anything is routed to it.

mod launch;
mod promises;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use outboard_core::name::InstanceName;
use outboard_host::Process;
use outboard_jail::Exit;
use outboard_proto::handshake::Address;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::lifecycle_client::LifecycleClient;
use outboard_proto::transport::{Listener, PeerCheck};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::backend::{Backend, Way};
use super::context::Context;
use super::instance::{InstanceSpec, Verdict};
use super::log::PluginLog;
use super::output::LogOutput;
use super::reach::{Capabilities, Reach};
use super::snapshot::Activation;
use super::unit::Installed;
use crate::callback::{self, Room};
use crate::dirs::GenerationDir;
use crate::grants::Badge;
use crate::{task, version};
use promises::Promises;

/// How long requests that are cut off may take to notice.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Further problems of one answer are left out.
const MOST_PROBLEMS: usize = 100;

/// Of a problem's message, in characters; what is longer is cut.
const LONGEST_PROBLEM: usize = 1024;

/// A connected process, and everything of the host's that belongs to it.
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) began: Instant,
    pub(super) process: Process,
    pub(super) room: Arc<Room>,
    /// Known once `Load` has said how it takes requests.
    loaded: OnceLock<Reached>,
    /// The plugin as it was found.
    home: String,
    promises: Promises,
    context: Arc<Context>,
    /// The manifest's, which goes before the operator's.
    call_timeout: Option<Duration>,
    _services: task::Owned,
    // Last: the sockets in it are closed before it is removed.
    _dir: GenerationDir,
}

/// How its activations' requests reach a process.
struct Reached {
    backend: Arc<Backend>,
    /// Whether `Load` listed any way to take requests.
    can_handle: bool,
    capabilities: Capabilities,
}

/// Why there is no process to talk to.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) message: String,
    /// Starting once more can't help.
    pub(super) is_permanent: bool,
}

impl Failure {
    pub(super) fn aborted() -> Self {
        Self { message: "the start was aborted".to_owned(), is_permanent: false }
    }

    fn passing(error: impl std::fmt::Display) -> Self {
        Self { message: error.to_string(), is_permanent: false }
    }

    fn permanent(error: impl std::fmt::Display) -> Self {
        Self { message: error.to_string(), is_permanent: true }
    }
}

/// What `Load` answered.
#[derive(Debug)]
pub(super) enum Loaded {
    Plugin(wire::LoadResponse),
    /// `Load` is not implemented.
    Foreign,
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.room.close();
    }
}

impl Generation {
    /// From a fresh directory to a healthy connection. Once `cancel` is cancelled it fails, and no process
    /// is left by then.
    pub(super) async fn start(
        context: &Arc<Context>,
        installed: &Installed,
        home: &str,
        number: u64,
        log: &Arc<PluginLog>,
        cancel: &CancellationToken,
    ) -> Result<Self, Failure> {
        let (name, began) = (installed.name(), Instant::now());
        launch::warn_of_root(installed);
        let dir = context.dirs.generation(installed.user).map_err(Failure::passing)?;
        let door = Listener::bind_unix(&dir.host(), "host").map_err(Failure::passing)?;
        let Address::Unix(socket) = door.address() else {
            return Err(Failure::permanent("the host's services have no Unix socket"));
        };
        if let Some(user) = installed.user {
            door.share_with_group(&user.gid.to_string()).map_err(Failure::passing)?;
        }
        let launch = launch::launch(context, installed, home, &dir, socket)?;
        let output = Arc::new(LogOutput::new(log.clone()));
        let started = Process::start_until(&context.launcher, launch, output, cancel.cancelled());
        let process = started.await.map_err(|error| Failure {
            is_permanent: error.is_permanent(),
            message: error.cause.to_string(),
        })?;
        let healthy = cancel.run_until_cancelled(process.check_health()).await;
        if let Err(failure) =
            healthy.map_or_else(|| Err(Failure::aborted()), |it| it.map_err(Failure::passing))
        {
            process.kill().await;
            return Err(failure);
        }
        let (site, routes) = (context.site(), context.routes.clone());
        let tree = process.tree();
        let services = context.services.clone();
        let asked = &installed.manifest.grants;
        let badge = context.given.badge(home, &installed.imported.hash, asked);
        warn_of_missing(name, home, &badge);
        let (plugin, log) = (name.to_owned(), log.clone());
        let room = Room::new(plugin, number, tree.clone(), site, log, routes, services, badge);
        room.set_broker(process.broker().clone());
        // Bound before the process, served after: only now is it known whom to let in.
        let check = PeerCheck::new(move |socket| {
            outboard_jail::peer::check(socket, &tree).map(|_| ()).map_err(std::io::Error::other)
        });
        let serving = callback::serve(room.clone(), door.incoming(None, check));
        Ok(Self {
            number,
            began,
            process,
            room,
            loaded: OnceLock::new(),
            home: home.to_owned(),
            promises: Promises::of(installed),
            context: context.clone(),
            call_timeout: installed.manifest.call_timeout,
            _services: task::spawn("host services of a process", serving),
            _dir: dir,
        })
    }

    pub(super) async fn load(&self) -> Result<Loaded, Failure> {
        // A plugin without a broker has the host's address; nothing is lost.
        let broker_id = callback::announce(&self.room).await.unwrap_or(0);
        let request = wire::LoadRequest {
            broker_id,
            host_version: version().to_owned(),
            generation: self.number,
        };
        match self.call(request, async |mut client, it| client.load(it).await).await {
            Ok(response) => {
                // Load is called once.
                let _ = self.loaded.set(self.reached(&response.capabilities));
                Ok(Loaded::Plugin(response))
            }
            Err(status) if status.code() == Code::Unimplemented => Ok(Loaded::Foreign),
            Err(status) => Err(Failure::passing(format!(
                "Load failed: {}; see the plugin's log",
                describe(&status, self.call_timeout())
            ))),
        }
    }

    /// The framed path where the plugin has both.
    fn reached(&self, capabilities: &[i32]) -> Reached {
        let capabilities = Capabilities::of(capabilities);
        if let Some(message) = self.promises.unasked(&capabilities) {
            tracing::warn!(plugin = self.room.plugin(), "{message}");
        }
        let is_framed = capabilities.has(wire::Capability::HttpServe);
        let connector = self.process.connector();
        let dial = move || {
            let connector = connector.clone();
            async move { connector.connect().await }
        };
        let way = if is_framed { Way::Framed } else { Way::Plain };
        let can_handle = is_framed || capabilities.has(wire::Capability::HttpHandle);
        let backend = Arc::new(Backend::new(self.room.plugin(), way, dial));
        Reached { backend, can_handle, capabilities }
    }

    /// Calls `Init` of every instance, all at once: they don't know of each other. `Load` was called before.
    pub(super) async fn init(
        &self,
        instances: Vec<InstanceSpec>,
        reason: wire::InitReason,
    ) -> Vec<(InstanceSpec, Verdict)> {
        join_all(instances.into_iter().map(async |spec| {
            let verdict = self.init_one(&spec, reason).await;
            (spec, verdict)
        }))
        .await
    }

    async fn init_one(&self, spec: &InstanceSpec, reason: wire::InitReason) -> Verdict {
        let Reached { backend, can_handle, capabilities } =
            self.loaded.get().expect("Load was called before");
        if let Err(error) = InstanceName::new(&spec.name) {
            return Err(vec![error.to_string()]);
        }
        let broken = self.promises.broken(capabilities, spec.purpose.kind);
        if !broken.is_empty() {
            return Err(broken);
        }
        let parameters = match spec.resolve() {
            Ok(parameters) => parameters,
            Err(problem) => return Err(vec![problem]),
        };
        let identity = &self.context.services.identity;
        if let Err(problem) = identity.before_init(&spec.name).await {
            return Err(vec![problem]);
        }
        let activation = uuid::Uuid::now_v7().to_string();
        self.room.admit(activation.clone(), spec.name.clone());
        let request = wire::InitRequest {
            activation: activation.clone(),
            instance: spec.name.clone(),
            parameters,
            reason: reason.into(),
            kind: wire::InstanceKind::from(spec.purpose.kind).into(),
        };
        let answer = self.call(request, async |mut client, it| client.init(it).await).await;
        let mut problems = match answer {
            Ok(response) => explain_all(response.problems),
            Err(status) => vec![format!("Init failed: {}", describe(&status, self.call_timeout()))],
        };
        if problems.is_empty() {
            problems = self.room.clashes(&activation);
        }
        if problems.is_empty() && !can_handle && !self.room.endpoints(&activation).is_empty() {
            problems.push(
                "has endpoints, but Load lists neither CAPABILITY_HTTP_SERVE nor CAPABILITY_HTTP_HANDLE; add what \
                 it implements"
                    .to_owned(),
            );
        }
        if problems.is_empty() {
            let (kind, channel) = (spec.purpose.kind, self.process.channel());
            let told = identity.before_serving(&spec.name, kind, &activation, channel).await;
            problems = told.err().unwrap_or_default();
        }
        if !problems.is_empty() {
            self.room.dismiss(&activation);
            return Err(problems);
        }
        if self.promises.is_lone {
            self.context.roster.learn(&self.home, self.room.plugin(), spec, capabilities);
        }
        let activation = Activation::new(
            activation,
            self.room.plugin().to_owned(),
            spec.name.clone(),
            backend.clone(),
            Reach::new(self.process.channel(), capabilities.clone()),
        );
        Ok(Arc::new(activation.with_grants(self.room.badge().clone())))
    }

    /// Asks whether `parameters` would do, without making anything of them.
    pub(super) async fn check(&self, spec: &InstanceSpec) -> Result<(), Vec<String>> {
        let parameters = spec.resolve().map_err(|problem| vec![problem])?;
        let request = wire::CheckRequest {
            instance: spec.name.clone(),
            parameters,
            kind: wire::InstanceKind::from(spec.purpose.kind).into(),
        };
        match self.call(request, async |mut client, it| client.check(it).await).await {
            Ok(response) if response.problems.is_empty() => Ok(()),
            Ok(response) => Err(explain_all(response.problems)),
            // Not every plugin can say beforehand; Init will.
            Err(status) if status.code() == Code::Unimplemented => Ok(()),
            Err(status) => {
                Err(vec![format!("Check failed: {}", describe(&status, self.call_timeout()))])
            }
        }
    }

    fn call_timeout(&self) -> Duration {
        self.call_timeout.unwrap_or(self.context.settings().call_timeout)
    }

    /// Waits for the last request of `activation`, which is no longer routed to, within bounds.
    pub(super) async fn drain(&self, activation: &Activation) {
        let patience = self.context.settings().policy.drain_timeout;
        // What outlives that is cut off when the activation is closed.
        let _ = tokio::time::timeout(patience, activation.drained()).await;
    }

    /// Ends an activation that is no longer routed to: cuts off requests that are left, then says so. What
    /// the plugin answers changes nothing.
    pub(super) async fn close(&self, activation: &Activation, reason: wire::CloseReason) {
        activation.cut_off();
        let _ = tokio::time::timeout(CUT_OFF, activation.drained()).await;
        let id = activation.id();
        let request = wire::CloseRequest { activation: id.to_owned(), reason: reason.into() };
        if let Err(status) = self.call(request, async |mut client, it| client.close(it).await).await
            && status.code() != Code::Unimplemented
        {
            let message = describe(&status, self.call_timeout());
            tracing::warn!(plugin = self.room.plugin(), activation = id, message, "Close failed");
        }
        self.room.dismiss(id);
    }

    /// Closes `active`, then stops the process, politely first; every step is bounded.
    pub(super) async fn stop(
        &self,
        active: Vec<Arc<Activation>>,
        reason: wire::CloseReason,
    ) -> Exit {
        join_all(active.iter().map(|activation| self.close(activation, reason))).await;
        // The answer changes nothing, and a plugin that hangs here is about to be stopped anyway.
        let _ =
            self.call(wire::UnloadRequest {}, async |mut client, it| client.unload(it).await).await;
        self.process.stop(self.context.settings().stop_grace).await
    }

    /// The plugin is told how long it has; whether it keeps to that or not, this does.
    async fn call<M, T>(
        &self,
        message: M,
        call: impl AsyncFnOnce(
            LifecycleClient<Channel>,
            tonic::Request<M>,
        ) -> Result<tonic::Response<T>, Status>,
    ) -> Result<T, Status> {
        let client = LifecycleClient::new(self.process.channel());
        let timeout = self.call_timeout();
        let mut request = tonic::Request::new(message);
        request.set_timeout(timeout);
        match tokio::time::timeout(timeout, call(client, request)).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded("no answer in time")),
        }
    }
}

/// It starts all the same: whatever it may not do is refused when it tries.
fn warn_of_missing(plugin: &str, home: &str, badge: &Badge) {
    let missing = badge.missing();
    if !missing.is_empty() {
        let missing = missing.words().join(", ");
        tracing::warn!(
            plugin,
            missing,
            "runs without what it asks for; grant it by `outboard plugin grant {home} --all`, or name what you grant"
        );
    }
}

/// A status of the plugin's, for an operator.
fn describe(status: &Status, timeout: Duration) -> String {
    match status.code() {
        // The second is what our own client says when it was the first to look at the clock.
        Code::DeadlineExceeded | Code::Cancelled => {
            format!("no answer within {}", humantime::format_duration(timeout))
        }
        Code::Unimplemented => "the plugin does not implement it".to_owned(),
        code => format!("{code:?}: {}", status.message()),
    }
}

fn explain_all(problems: Vec<wire::Problem>) -> Vec<String> {
    problems.into_iter().take(MOST_PROBLEMS).map(explain).collect()
}

fn explain(problem: wire::Problem) -> String {
    let wire::Problem { pointer, message } = problem;
    let message: String = message.chars().take(LONGEST_PROBLEM).collect();
    if pointer.is_empty() { message } else { format!("parameter {pointer}: {message}") }
}
