//! Opening a supervisor from the outside in: everything that can be refused is, before any plugin is started.

use std::sync::Arc;

use arc_swap::ArcSwap;
use outboard_core::config::{Config, ContainmentRule, Database};
use outboard_jail::Containment;
use outboard_store::{DatabaseUrl, Options, Store};
use tokio::sync::Mutex;

use super::certificates::Certificates;
use super::doors::Doors;
use super::turns::Turns;
use super::{App, Start, instances, settings, unset};
use crate::auth::Auth;
use crate::callback::Services;
use crate::callback::counters::AllCounters;
use crate::callback::counts::CallCounts;
use crate::dirs::Dirs;
use crate::events::{Events, Working};
use crate::gateway::access_log::AccessLog;
use crate::gateway::bounds::Allowances;
use crate::gateway::observe::Observer;
use crate::gateway::quota::Quotas;
use crate::grants::Given;
use crate::identity::Identity;
use crate::locate::Locator;
use crate::plugin::roles::Roster;
use crate::plugin::snapshot::Routes;
use crate::plugin::{Context, Plugins, import};
use crate::schedules::Schedules;
use crate::web::{self, Web};

/// Events are on their way from here on.
pub(super) async fn open(start: Start) -> anyhow::Result<(Arc<App>, Doors, Working)> {
    let Start { config, load, launcher, environment } = start;
    let dirs = Dirs::open(&config.data_dir, &config.runtime_dir)?;
    let certificates = Certificates::open(&config)?;
    let doors = Doors::bind(&config, &dirs, &certificates)?;
    let external_url = config.external_url.clone();
    let external_url = external_url.map_or_else(|| doors.url(&certificates), Ok)?;
    let observer = observer(&config)?;
    let quotas = Arc::new(Quotas::new(Allowances::of(&config)));
    let routes = Arc::new(Routes::new(quotas.clone(), observer.clone()));
    let store = open_store(&config.database).await?;
    let imports = import::Store::open(dirs.store())?;
    let containment = containment(config.supervision.containment)?;
    let turns = Turns::default();
    let current = instances::current(&config, &external_url, &store, &turns, &environment).await?;
    let is_shared = matches!(config.database, Database::Postgres(_));
    let (roster, limits) = (Roster::default(), settings::events(&config));
    let (events, working) =
        Events::open(store.clone(), is_shared, routes.clone(), roster.clone(), limits);
    let people = settings::identity(&config, &external_url);
    let identity = Identity::open(store.clone(), routes.clone(), roster.clone(), people)?;
    let web = web(&config, &external_url, &identity, &routes)?;
    let authenticators = move || roster.roles().map(|roles| roles.authenticators.clone());
    let auth = Auth::new(settings::auth(&config), routes.clone(), Arc::new(authenticators));
    let given = Given::open(dirs.grants())?;
    let services = services(&config, &store, &routes, &events, &identity)?;
    let context = Context::new(
        launcher,
        containment,
        dirs,
        environment.clone(),
        routes,
        services,
        given,
        current,
    );
    doors.announce(containment)?;
    unset::warn(&config);
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
        certificates,
        config: Mutex::new(config),
        external_url,
        load,
        environment,
        context,
        imports: Mutex::new(imports),
        store,
        turns,
        changing: Mutex::default(),
        applied: Mutex::default(),
        is_shared,
    });
    Ok((app, doors, working))
}

fn observer(config: &Config) -> anyhow::Result<Observer> {
    let access_log = config.gateway.access_log.as_deref().map(AccessLog::open).transpose()?;
    Ok(Observer::new(settings::workers(config).get(), access_log))
}

async fn open_store(database: &Database) -> anyhow::Result<Store> {
    let url = match database {
        Database::Sqlite(path) => DatabaseUrl::sqlite(path),
        Database::Postgres(url) => url.expose().parse()?,
    };
    Ok(Store::open(&url, &Options::default()).await?)
}

fn web(
    config: &Config,
    external_url: &str,
    identity: &Identity,
    routes: &Arc<Routes>,
) -> anyhow::Result<Web> {
    let parts = web::Parts {
        identity: identity.clone(),
        routes: routes.clone(),
        config: &config.identity,
        external_url,
        prefix: &config.gateway.prefix,
    };
    Web::open(parts)
}

/// What plugins may call.
fn services(
    config: &Config,
    store: &Store,
    routes: &Arc<Routes>,
    events: &Events,
    identity: &Identity,
) -> anyhow::Result<Services> {
    Ok(Services {
        store: store.clone(),
        schedules: Schedules::new(store.clone(), routes.clone()),
        events: events.clone(),
        identity: identity.clone(),
        counts: CallCounts::default(),
        counters: AllCounters::default(),
        locator: Locator::open(config.identity.locate.as_deref())?,
        rules: Arc::new(ArcSwap::from_pointee(settings::callbacks(config))),
    })
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
