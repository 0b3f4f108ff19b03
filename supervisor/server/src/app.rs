//! One run of the supervisor: opened from the outside in, served, reloaded, and closed in order.

mod answer;
mod certificates;
mod doors;
mod follow;
mod instances;
mod live;
mod open;
mod reload;
mod settings;
mod signals;
mod turns;
mod unset;

use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use outboard_core::config::Config;
use outboard_jail::Launcher;
use outboard_store::{Mark, Store};
use tokio::sync::{Mutex, oneshot};

use crate::auth::Auth;
use crate::environment::Environment;
use crate::events::{Events, Working};
use crate::gateway::Limits;
use crate::gateway::observe::Observer;
use crate::gateway::quota::Quotas;
use crate::identity::{First, Identity};
use crate::plugin::{Context, Plugins, import};
use crate::schedules;
use crate::service::Rules;
use crate::task;
use crate::web::Web;

use answer::Answering;
use certificates::Certificates;
pub use live::{Live, LiveError, View, Wanted};
use signals::Signals;
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
    /// The instances of the database with which the plugins were last brought in line.
    applied: Mutex<Option<Mark>>,
    /// Other supervisors may have the same database.
    is_shared: bool,
    limits: Arc<ArcSwap<Limits>>,
    quotas: Arc<Quotas>,
    observer: Observer,
    events: Events,
    identity: Identity,
    web: Web,
    auth: Auth,
    /// What callers of the service are held to.
    rules: Arc<ArcSwap<Rules>>,
    certificates: Certificates,
    plugins: Plugins,
}

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
    let (app, doors, working) = open::open(start).await?;
    if let Some(first) = app.identity.begin().await.context("the first administrator")? {
        ready.begun(&first);
    }
    let mut answering = Answering::begin(&app, doors).await;
    let _chores = app.begin_chores();
    let (started, start) = oneshot::channel();
    let first = task::spawn("first start of all plugins", first_start(app.clone(), started, ready));
    tokio::select! {
        () = signals.wait(&app) => {}
        Ok(error) = start => return Err(error),
        () = answering.has_failed() => anyhow::bail!(
            "the gateway has ended by itself, see the log above; this is a bug, please report it"
        ),
    }

    tracing::info!("stopping: no new requests");
    drop(first);
    tokio::select! {
        in_time = stop(&app, working, answering) => Ok(in_time),
        () = signals.again() => {
            // The guards kill every plugin as soon as this process is gone.
            tracing::warn!("told to stop once more: not waiting any longer");
            Ok(false)
        }
    }
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
async fn stop(app: &App, working: Working, mut answering: Answering) -> bool {
    let cut_off = answering.close().await;
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
    /// What is done all the time, whoever comes in.
    fn begin_chores(self: &Arc<Self>) -> Vec<task::Owned> {
        let schedules = self.context.services.schedules.clone();
        let mut chores = vec![
            task::spawn("revocations", self.identity.clone().revoke()),
            task::spawn("schedules", schedules.run()),
            task::spawn("upkeep of what is kept", schedules::keep_up(self.store.clone())),
        ];
        if self.is_shared {
            chores.push(task::spawn("changes elsewhere", self.clone().follow()));
        }
        chores
    }
}
