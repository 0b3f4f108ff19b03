//! One run of the supervisor: opened from the outside in, served, reloaded, and closed in order.

mod instances;
mod live;
mod settings;
mod turns;
mod unset;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use axum::Router;
use outboard_core::config::{Config, ContainmentRule, Database};
use outboard_jail::{Containment, Launcher};
use outboard_store::{DatabaseUrl, Options, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, oneshot};
use tokio_util::sync::CancellationToken;

use crate::admin::control::{Control, is_plugin};
use crate::api;
use crate::auth::Auth;
use crate::callback::Services;
use crate::callback::counters::AllCounters;
use crate::callback::counts::CallCounts;
use crate::dirs::Dirs;
use crate::environment::Environment;
use crate::events::{self, Events};
use crate::gateway::access_log::AccessLog;
use crate::gateway::bounds::Allowances;
use crate::gateway::observe::Observer;
use crate::gateway::quota::Quotas;
use crate::gateway::{Gateway, Limits, Tls};
use crate::grants::Given;
use crate::identity::{First, Identity, Porter};
use crate::locate::Locator;
use crate::metrics::{self, Metrics};
use crate::plugin::roles::Roster;
use crate::plugin::snapshot::Routes;
use crate::plugin::{Context, Plugins, import, plan};
use crate::schedules::{self, Schedules};
use crate::service::{self, Rules, Service};
use crate::task;
use crate::web::{self, Web};

pub use live::{Live, LiveError, View, Wanted};
use turns::Turns;

/// Reads the configuration again, as at the start.
pub type Load = Box<dyn Fn() -> anyhow::Result<Config> + Send + Sync>;

/// What `main` prepares before there are threads.
pub struct Start {
    pub config: Config,
    pub load: Load,
    pub launcher: Launcher,
    pub environment: Environment,
}

/// A supervisor that runs.
struct App {
    config: Mutex<Config>,
    /// Only changes with a new start.
    external_url: String,
    load: Load,
    environment: Environment,
    context: Arc<Context>,
    imports: Mutex<import::Store>,
    store: Store,
    turns: Turns,
    /// Held by whoever changes an instance of the database.
    changing: Mutex<()>,
    limits: Arc<ArcSwap<Limits>>,
    quotas: Arc<Quotas>,
    observer: Observer,
    events: Events,
    identity: Identity,
    web: Web,
    auth: Auth,
    /// What callers of the service are held to.
    rules: Arc<ArcSwap<Rules>>,
    service_tls: Option<Arc<service::Tls>>,
    /// The gateway's certificate and key, if it has any.
    tls: Option<Arc<Tls>>,
    plugins: Plugins,
}

/// The sockets, bound before any plugin starts and served after.
struct Doors {
    gateway: Gateway,
    /// For administrators, if they have a place of their own.
    admin: Option<Gateway>,
    control: Control,
    metrics: Option<metrics::Server>,
    service: Option<Service>,
    /// Events are on their way.
    working: events::Working,
}

/// How long the end, or the opening of another file, waits for the disk of the access log.
const ACCESS_LOG_PATIENCE: Duration = Duration::from_secs(2);

/// Told of what operators have to know of a start.
pub trait Ready: Send {
    /// There is an administrator now, and nobody else yet.
    fn begun(&self, first: &First);

    /// All plugins have settled for the first time.
    fn ready(self: Box<Self>, plugins: &Plugins);
}

/// Serves until a signal says otherwise. True: everything ended in time.
pub async fn serve(start: Start, ready: Box<dyn Ready>) -> anyhow::Result<bool> {
    let mut signals = Signals::new()?;
    let (app, doors) = open(start).await?;
    if let Some(first) = app.identity.begin().await.context("the first administrator")? {
        ready.begun(&first);
    }
    let Doors { gateway, admin, control, metrics, service, working } = doors;
    let closing = CancellationToken::new();
    let drain = app.context.settings().policy.drain_timeout;
    let (cut_off, mut served) = oneshot::channel();
    let porter = Porter::new(app.identity.clone(), &app.context.site());
    let part = if admin.is_some() { api::Part::Public } else { api::Part::All };
    let gateway = gateway.with_own(app.own(part).await).with_gatekeeper(Arc::new(porter));
    if let Some(admin) = admin {
        app.answer_administrators(admin, &closing, drain).await;
    }
    let (limits, closed) = (app.limits.clone(), closing.clone().cancelled_owned());
    let routes = app.context.routes.clone();
    let _gateway = task::spawn("gateway", async move {
        // Whoever waits for it is told by the channel's end, too.
        let _ = cut_off.send(gateway.serve(routes, limits, closed, drain).await);
    });
    let _control = task::spawn(
        "control socket",
        control.serve(
            app.plugins.clone(),
            app.events.clone(),
            app.identity.clone(),
            Live::new(app.clone()),
        ),
    );
    let _revocations = task::spawn("revocations", app.identity.clone().revoke());
    let schedules = app.context.services.schedules.clone();
    let _schedules = task::spawn("schedules", schedules.run());
    let _upkeep = task::spawn("upkeep of what is kept", schedules::keep_up(app.store.clone()));
    let measured = Metrics::new(app.observer.clone(), app.quotas.clone());
    let measured = measured.with_events(app.events.clone()).with_auth(app.auth.clone());
    let services = &app.context.services;
    let measured = measured.with_calls(services.counts.clone(), services.counters.clone());
    let _metrics = metrics.map(|server| task::spawn("metrics", server.serve(measured)));

    let answered = app.answer_services(service, &closing, drain);

    let (started, start) = oneshot::channel();
    let first = task::spawn("first start of all plugins", first_start(app.clone(), started, ready));
    tokio::select! {
        () = signals.wait(&app) => {}
        Ok(error) = start => return Err(error),
        _ = &mut served => anyhow::bail!(
            "the gateway has ended by itself, see the log above; this is a bug, please report it"
        ),
    }

    tracing::info!("stopping: no new requests");
    drop(first);
    closing.cancel();
    tokio::select! {
        in_time = stop(&app, working, served, answered, drain) => Ok(in_time),
        () = signals.again() => {
            // The guards kill every plugin as soon as this process is gone.
            tracing::warn!("told to stop once more: not waiting any longer");
            Ok(false)
        }
    }
}

/// Takes everything that can be refused, before any plugin is started.
async fn open(start: Start) -> anyhow::Result<(Arc<App>, Doors)> {
    let Start { config, load, launcher, environment } = start;
    let dirs = Dirs::open(&config.data_dir, &config.runtime_dir)?;
    let tls = settings::tls(&config)?;
    let gateway = Gateway::bind(settings::gateway(&config, tls.clone()))?;
    let address = gateway.address().context("the gateway's address")?;
    let admin = settings::admin(&config, tls.clone()).map(Gateway::bind).transpose();
    let admin = admin.context("admin.listen")?;
    let control = Control::bind(&dirs.control_socket())?;
    let metrics = config.metrics.listen.map(metrics::Server::bind).transpose()?;
    let service_tls = settings::service_tls(&config)?;
    let service = settings::service(&config, service_tls.clone());
    let service = service.map(Service::bind).transpose()?;
    let access_log = config.gateway.access_log.as_deref().map(AccessLog::open).transpose()?;
    let observer = Observer::new(settings::workers(&config).get(), access_log);
    let quotas = Arc::new(Quotas::new(Allowances::of(&config)));
    let store = open_store(&config.database).await?;
    let imports = import::Store::open(dirs.store())?;
    let routes = Arc::new(Routes::new(quotas.clone(), observer.clone()));
    let containment = containment(config.supervision.containment)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let external_url =
        config.external_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
    let turns = Turns::default();
    let current = instances::current(&config, &external_url, &store, &turns, &environment).await?;
    let is_shared = matches!(config.database, Database::Postgres(_));
    let (roster, limits) = (Roster::default(), settings::events(&config));
    let (events, working) = Events::open(store.clone(), is_shared, routes.clone(), roster, limits);
    let roster = events.roster().clone();
    let people = settings::identity(&config, &external_url);
    let identity = Identity::open(store.clone(), routes.clone(), roster.clone(), people)?;
    let web = Web::open(web::Parts {
        identity: identity.clone(),
        routes: routes.clone(),
        config: &config.identity,
        external_url: &external_url,
        prefix: &config.gateway.prefix,
    })?;
    let authenticators = move || roster.roles().map(|roles| roles.authenticators.clone());
    let auth = Auth::new(settings::auth(&config), routes.clone(), Arc::new(authenticators));
    let for_plugins = environment.clone();
    let given = Given::open(dirs.grants())?;
    let services = Services {
        store: store.clone(),
        schedules: Schedules::new(store.clone(), routes.clone()),
        events: events.clone(),
        identity: identity.clone(),
        counts: CallCounts::default(),
        counters: AllCounters::default(),
        locator: Locator::open(config.identity.locate.as_deref())?,
        rules: Arc::new(ArcSwap::from_pointee(settings::callbacks(&config))),
    };
    let context =
        Context::new(launcher, containment, dirs, for_plugins, routes, services, given, current);
    tracing::info!(%address, %containment, "supervisor listens");
    if let Some(admin) = &admin {
        tracing::info!(address = %admin.address()?, "administrators are answered");
    }
    unset::warn(&config);
    if let Some(metrics) = &metrics {
        tracing::info!(address = %metrics.address()?, "metrics are served");
    }
    if let Some(service) = &service {
        tracing::info!(listen = service.place(), "services are answered");
    }
    let app = Arc::new(App {
        plugins: Plugins::new(context.clone(), &external_url),
        limits: Arc::new(ArcSwap::from_pointee(settings::limits(&config))),
        quotas,
        observer,
        events,
        identity,
        web,
        auth,
        rules: Arc::new(ArcSwap::from_pointee(settings::rules(&config))),
        service_tls,
        tls,
        config: Mutex::new(config),
        external_url,
        load,
        environment,
        context,
        imports: Mutex::new(imports),
        store,
        turns,
        changing: Mutex::default(),
    });
    Ok((app, Doors { gateway, admin, control, metrics, service, working }))
}

/// Says so only if there can be no plugins at all.
async fn first_start(
    app: Arc<App>,
    started: oneshot::Sender<anyhow::Error>,
    ready: Box<dyn Ready>,
) {
    match app.apply().await {
        Ok(settled) => {
            settled.await;
            app.complain_of_auth();
            ready.ready(&app.plugins);
        }
        // Nobody listens any more if a signal came first.
        Err(error) => drop(started.send(error)),
    }
}

/// From the outside in again. Each step is bounded by itself; false if requests had to be cut off.
async fn stop(
    app: &App,
    working: events::Working,
    served: oneshot::Receiver<usize>,
    answered: oneshot::Receiver<()>,
    drain: Duration,
) -> bool {
    // The gateway and the service cut off what outlives the drain; the margin is for the cutting.
    let margin = drain + Duration::from_secs(1);
    let (gateway, service) =
        tokio::join!(tokio::time::timeout(margin, served), tokio::time::timeout(margin, answered));
    if service.is_err() {
        tracing::warn!("the service did not end in time");
    }
    let cut_off = gateway.map_or(1, |cut_off| cut_off.unwrap_or(0));
    if cut_off > 0 {
        tracing::warn!(cut_off, "connections outlived drain_timeout and were closed");
    }
    tracing::info!("stopping: plugins");
    app.plugins.stop_all().await;
    working.close().await;
    app.store.close().await;
    app.close_access_log();
    tracing::info!("stopped");
    cut_off == 0
}

impl App {
    /// What the host itself serves, wherever there is no instance.
    async fn own(self: &Arc<Self>, part: api::Part) -> Router {
        let prefix = format!("/{}", self.config.lock().await.gateway.prefix);
        let parts = self.api().await;
        let beside = self.web.clone().router().merge(api::beside(parts.clone()));
        beside.nest(&prefix, api::router(parts, part))
    }

    /// Answers administrators in a place of their own, where no plugin is reached.
    async fn answer_administrators(
        self: &Arc<Self>,
        admin: Gateway,
        closing: &CancellationToken,
        drain: Duration,
    ) {
        let admin = admin.with_own(self.own(api::Part::All).await);
        let routes = Arc::new(Routes::new(self.quotas.clone(), Observer::new(1, None)));
        let (limits, closed) = (self.limits.clone(), closing.clone().cancelled_owned());
        let serving = async move {
            admin.serve(routes, limits, closed, drain).await;
        };
        task::spawn("administrators' gateway", serving).detach();
    }

    /// What the HTTP API works with.
    async fn api(self: &Arc<Self>) -> api::Parts {
        let config = self.config.lock().await;
        api::Parts {
            identity: self.identity.clone(),
            live: Live::new(self.clone()),
            settings: Arc::new(api::Settings::of(&config, &self.external_url)),
        }
    }

    /// Lets services in from now on, and tells when the last of them has been answered.
    fn answer_services(
        self: &Arc<Self>,
        service: Option<Service>,
        closing: &CancellationToken,
        drain: Duration,
    ) -> oneshot::Receiver<()> {
        let (done, answered) = oneshot::channel();
        let Some(service) = service else { return answered };
        let plugins = self.plugins.clone();
        let parts = service::Parts {
            auth: self.auth.clone(),
            events: self.events.clone(),
            rules: self.rules.clone(),
            is_plugin: Arc::new(move |socket, pid| is_plugin(socket, pid, &plugins)),
        };
        let closed = closing.clone().cancelled_owned();
        let serving = async move {
            service.serve(parts, closed, drain).await;
            // Nobody waits for it before the end.
            let _ = done.send(());
        };
        task::spawn("service", serving).detach();
        answered
    }

    /// Says what an operator must know of who is let in.
    fn complain_of_auth(&self) {
        if !self.auth.is_enabled() {
            tracing::warn!(
                "auth.enabled is false: services and proxies that ask who somebody is let everybody pass"
            );
        } else if let Some(mistake) = self.auth.mistake() {
            tracing::error!(mistake, "nobody is let in by services and proxies that ask");
        }
    }

    /// Brings the plugins in line with the directory and the configuration.
    async fn apply(&self) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
        // First, so that what was read later is also applied later.
        let mut imports = self.imports.lock().await;
        let config = self.config.lock().await.clone();
        let (store, environment) = (&self.store, &self.environment);
        let current =
            instances::current(&config, &self.external_url, store, &self.turns, environment)
                .await?;
        self.context.given.reload(settings::given(&config))?;
        // Hashing and copying may take long, and requests must not notice.
        let units = tokio::task::block_in_place(|| {
            let given = &self.context.given;
            plan(&config, &current.instances, &mut imports, given, &self.environment)
        })
        .with_context(|| {
            format!("plugins directory {}: create it, or name another", config.plugins.display())
        })?;
        let running = self.plugins.list().0.into_iter().map(|plugin| plugin.hash);
        let granted = self.context.given.lock();
        let granted = granted.newest_of_all().map(|entry| entry.hash.clone());
        let kept: Vec<_> = running.chain(granted).collect();
        self.context.reload(current);
        let settled = self.plugins.apply(units);
        if let Err(error) = tokio::task::block_in_place(|| imports.collect(&kept)) {
            tracing::warn!(%error, "old copies of plugins could not be removed");
        }
        Ok(settled)
    }

    /// A configuration with a mistake changes nothing, and neither does a certificate or a key with one.
    async fn reload(self: Arc<Self>) {
        self.reopen_access_log();
        self.reload_tls();
        self.reload_service_tls();
        if let Err(error) = self.try_reload().await {
            tracing::error!("not reloaded, the old configuration stays: {error:#}");
        }
    }

    /// Whatever the configuration says now: whoever rotates the file sends the same signal.
    fn reopen_access_log(&self) {
        let Some(log) = self.observer.access_log() else { return };
        if !tokio::task::block_in_place(|| log.reopen(ACCESS_LOG_PATIENCE)) {
            tracing::error!("the access log was not opened anew, since its disk is too slow");
        }
    }

    fn close_access_log(&self) {
        let Some(log) = self.observer.access_log() else { return };
        if !tokio::task::block_in_place(|| log.close(ACCESS_LOG_PATIENCE)) {
            tracing::warn!("the end of the access log is missing, since its disk is too slow");
        }
    }

    /// Apart from the rest: a certificate must not grow old because of a mistake elsewhere.
    fn reload_tls(&self) {
        let Some(tls) = &self.tls else { return };
        match tokio::task::block_in_place(|| tls.reload()) {
            Ok(()) => tracing::info!("read the gateway's certificate and key again"),
            Err(error) => tracing::error!("the old certificate and key stay: {error}"),
        }
    }

    fn reload_service_tls(&self) {
        let Some(tls) = &self.service_tls else { return };
        match tokio::task::block_in_place(|| tls.reload()) {
            Ok(()) => tracing::info!("read the service's certificate, key and authorities again"),
            Err(error) => tracing::error!("the old ones of the service stay: {error}"),
        }
    }

    async fn try_reload(&self) -> anyhow::Result<()> {
        let mut new = (self.load)()?;
        let mut config = self.config.lock().await;
        for key in config.restart_needed_for(&new) {
            tracing::warn!(key, "changed, but only counts after a new start of the supervisor");
        }
        new.keep_until_restart(&config);
        let old = std::mem::replace(&mut *config, new);
        drop(config);
        match self.apply().await {
            Ok(settled) => {
                let config = self.config.lock().await;
                self.limits.store(Arc::new(settings::limits(&config)));
                self.quotas.reload(Allowances::of(&config));
                self.rules.store(Arc::new(settings::rules(&config)));
                self.context.services.rules.store(Arc::new(settings::callbacks(&config)));
                self.auth.reload(settings::auth(&config));
                drop(config);
                self.complain_of_auth();
                tracing::info!("reloaded");
                task::spawn("plugins after a reload", settled).detach();
                Ok(())
            }
            Err(error) => {
                *self.config.lock().await = old;
                Err(error)
            }
        }
    }
}

async fn open_store(database: &Database) -> anyhow::Result<Store> {
    let url = match database {
        Database::Sqlite(path) => DatabaseUrl::sqlite(path),
        Database::Postgres(url) => url.expose().parse()?,
    };
    Ok(Store::open(&url, &Options::default()).await?)
}

fn containment(rule: ContainmentRule) -> anyhow::Result<Containment> {
    let strongest = Containment::strongest();
    match rule {
        ContainmentRule::Off => Ok(Containment::SubReaper),
        ContainmentRule::Required if strongest == Containment::SubReaper => anyhow::bail!(
            "supervision.containment = \"required\": this machine refuses PID namespaces; allow user \
             namespaces, run as root, or set it to \"auto\""
        ),
        ContainmentRule::Auto | ContainmentRule::Required => Ok(strongest),
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Somebody has lost patience.
    async fn again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Reloads at each SIGHUP, and ends with SIGINT or SIGTERM.
    async fn wait(&mut self, app: &Arc<App>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                // A task, since importing may take long and the other signals must not wait for it.
                _ = self.hang_up.recv() => task::spawn("reload", app.clone().reload()).detach(),
            }
        }
    }
}
