//! Answering those who come in, each at their own place, until they are told to go.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::App;
use super::doors::Doors;
use super::live::Live;
use crate::admin::control::is_plugin;
use crate::api;
use crate::gateway::Gateway;
use crate::identity::Porter;
use crate::metrics::Metrics;
use crate::plugin::snapshot::Routes;
use crate::service::{self, Service};
use crate::task;

/// As which instance requests at the place for administrators are counted and logged.
const ADMIN: &str = "admin";

/// Clients and services are answered until this is closed, operators and monitors until it is dropped.
pub(super) struct Answering {
    closing: CancellationToken,
    drain: Duration,
    /// How many connections of the gateway had to be cut off.
    gateway: oneshot::Receiver<usize>,
    services: oneshot::Receiver<()>,
    _tasks: Vec<task::Owned>,
}

impl Answering {
    pub(super) async fn begin(app: &Arc<App>, doors: Doors) -> Self {
        let Doors { gateway, admin, control, metrics, service } = doors;
        let (closing, drain) =
            (CancellationToken::new(), app.context.settings().policy.drain_timeout);
        let part = if admin.is_some() { api::Part::Public } else { api::Part::All };
        let (done, ended) = oneshot::channel();
        let (gateway, closed) =
            (app.gateway(gateway, part).await, closing.clone().cancelled_owned());
        let (routes, limits) = (app.context.routes.clone(), app.limits.clone());
        let serving = async move {
            // Whoever waits for it is told by the channel's end, too.
            let _ = done.send(gateway.serve(routes, limits, closed, drain).await);
        };
        let (plugins, events, live) =
            (app.plugins.clone(), app.events.clone(), Live::new(app.clone()));
        let control = control.serve(plugins, events, app.identity.clone(), live);
        let mut tasks =
            vec![task::spawn("gateway", serving), task::spawn("control socket", control)];
        if let Some(admin) = admin {
            tasks.push(app.answer_administrators(admin, &closing, drain).await);
        }
        tasks.extend(metrics.map(|server| task::spawn("metrics", server.serve(app.measured()))));
        let services = app.answer_services(service, &closing, drain);
        Self { closing, drain, gateway: ended, services, _tasks: tasks }
    }

    /// Waits until the gateway ends, which it never should by itself.
    pub(super) async fn has_failed(&mut self) {
        let _ = (&mut self.gateway).await;
    }

    /// Lets no client in any more, and waits for those who are. Gives how many were cut off.
    pub(super) async fn close(&mut self) -> usize {
        self.closing.cancel();
        // The gateway and the service cut off what outlives the drain; the margin is for the cutting.
        let margin = self.drain + Duration::from_secs(1);
        let (gateway, services) =
            tokio::join!(timeout(margin, &mut self.gateway), timeout(margin, &mut self.services));
        if services.is_err() {
            tracing::warn!("the service did not end in time");
        }
        gateway.map_or(1, |cut_off| cut_off.unwrap_or(0))
    }
}

impl App {
    /// Clients', with what the host itself serves.
    async fn gateway(self: &Arc<Self>, gateway: Gateway, part: api::Part) -> Gateway {
        let porter = Porter::new(self.identity.clone(), &self.context.site());
        gateway.with_own(self.own(part).await).with_gatekeeper(Arc::new(porter))
    }

    /// What the host itself serves, wherever there is no instance.
    async fn own(self: &Arc<Self>, part: api::Part) -> Router {
        let config = self.config.lock().await;
        let parts = api::Parts {
            identity: self.identity.clone(),
            live: Live::new(self.clone()),
            settings: Arc::new(api::Settings::of(&config, &self.external_url)),
        };
        let beside = self.web.clone().router().merge(api::beside(parts.clone()));
        beside.nest(&format!("/{}", config.gateway.prefix), api::router(parts, part))
    }

    /// Answers administrators in a place of their own, where no plugin is reached.
    async fn answer_administrators(
        self: &Arc<Self>,
        admin: Gateway,
        closing: &CancellationToken,
        drain: Duration,
    ) -> task::Owned {
        let admin = admin.with_own(self.own(api::Part::All).await).with_own_name(ADMIN);
        let routes = Arc::new(Routes::new(self.quotas.clone(), self.observer.clone()));
        let (limits, closed) = (self.limits.clone(), closing.clone().cancelled_owned());
        task::spawn("administrators' gateway", async move {
            admin.serve(routes, limits, closed, drain).await;
        })
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

    /// All that is counted.
    fn measured(&self) -> Metrics {
        let services = &self.context.services;
        Metrics::new(self.observer.clone(), self.quotas.clone())
            .with_events(self.events.clone())
            .with_auth(self.auth.clone())
            .with_identity(self.identity.clone())
            .with_calls(services.counts.clone(), services.counters.clone())
    }
}
