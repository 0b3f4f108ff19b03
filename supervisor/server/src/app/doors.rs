//! Where others come in: bound before any plugin starts, so that what can't be had is said at once.

use anyhow::Context as _;
use outboard_core::config::Config;
use outboard_jail::Containment;

use super::certificates::Certificates;
use super::settings;
use crate::admin::control::Control;
use crate::dirs::Dirs;
use crate::gateway::Gateway;
use crate::metrics;
use crate::service::Service;

/// Bound sockets, on which nobody is answered yet.
pub(super) struct Doors {
    pub(super) gateway: Gateway,
    /// For administrators, if they have a place of their own.
    pub(super) admin: Option<Gateway>,
    pub(super) control: Control,
    pub(super) metrics: Option<metrics::Server>,
    pub(super) service: Option<Service>,
}

impl Doors {
    pub(super) fn bind(
        config: &Config,
        dirs: &Dirs,
        certificates: &Certificates,
    ) -> anyhow::Result<Self> {
        let tls = certificates.gateway.clone();
        let gateway = Gateway::bind(settings::gateway(config, tls.clone()))?;
        let admin = settings::admin(config, tls).map(Gateway::bind).transpose();
        let admin = admin.context("admin.listen")?;
        let control = Control::bind(&dirs.control_socket())?;
        let metrics = config.metrics.listen.map(metrics::Server::bind).transpose()?;
        let service = settings::service(config, certificates.service.clone());
        let service = service.map(Service::bind).transpose()?;
        Ok(Self { gateway, admin, control, metrics, service })
    }

    /// Where clients reach the gateway, if nobody says otherwise.
    pub(super) fn url(&self, certificates: &Certificates) -> anyhow::Result<String> {
        let scheme = if certificates.gateway.is_some() { "https" } else { "http" };
        let address = self.gateway.address().context("the gateway's address")?;
        Ok(format!("{scheme}://{address}"))
    }

    /// Tells operators where they are, and how plugins are kept in.
    pub(super) fn announce(&self, containment: Containment) -> std::io::Result<()> {
        tracing::info!(address = %self.gateway.address()?, %containment, "supervisor listens");
        if let Some(admin) = &self.admin {
            tracing::info!(address = %admin.address()?, "administrators are answered");
        }
        if let Some(metrics) = &self.metrics {
            tracing::info!(address = %metrics.address()?, "metrics are served");
        }
        if let Some(service) = &self.service {
            tracing::info!(listen = service.place(), "services are answered");
        }
        Ok(())
    }
}
