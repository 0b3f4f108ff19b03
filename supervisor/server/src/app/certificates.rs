//! The certificates and keys that are read again at a reload.

use std::fmt::Display;
use std::sync::Arc;

use outboard_core::config::Config;

use super::settings;
use crate::gateway::{Tls, TlsError};
use crate::service;

/// Those that there are.
pub(super) struct Certificates {
    pub(super) gateway: Option<Arc<Tls>>,
    pub(super) service: Option<Arc<service::Tls>>,
}

impl Certificates {
    pub(super) fn open(config: &Config) -> Result<Self, TlsError> {
        Ok(Self { gateway: settings::tls(config)?, service: settings::service_tls(config)? })
    }

    /// Each by itself, and apart from the configuration: one must not grow old because of a mistake elsewhere.
    pub(super) fn reload(&self) {
        if let Some(tls) = &self.gateway {
            told("the gateway's certificate and key", tokio::task::block_in_place(|| tls.reload()));
        }
        if let Some(tls) = &self.service {
            let reloaded = tokio::task::block_in_place(|| tls.reload());
            told("the service's certificate, key and authorities", reloaded);
        }
    }
}

fn told(what: &str, reloaded: Result<(), impl Display>) {
    match reloaded {
        Ok(()) => tracing::info!("read {what} again"),
        Err(error) => tracing::error!("{what} stay as they were: {error}"),
    }
}
