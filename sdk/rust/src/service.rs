//! The gRPC services of `outboard.plugin.v1` in front of an author's [`Plugin`].

mod http;
mod lifecycle;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::activation::Activation;
use crate::host::Connection;
use crate::plugin::Plugin;

pub(crate) use http::HttpService;
pub(crate) use lifecycle::LifecycleService;

/// Large enough for whatever the host lets through in one unary call.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// What a plugin says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) display_name: String,
    pub(crate) description: String,
}

/// What the services of one process share.
pub(crate) struct Shared<P: Plugin> {
    pub(crate) about: About,
    pub(crate) plugin: P,
    pub(crate) connection: Connection,
    activations: RwLock<HashMap<String, Arc<Activation<P::Instance>>>>,
}

impl<P: Plugin> Shared<P> {
    pub(crate) fn new(about: About, plugin: P, connection: Connection) -> Self {
        Self { about, plugin, connection, activations: RwLock::default() }
    }

    fn activation(&self, id: &str) -> Option<Arc<Activation<P::Instance>>> {
        self.activations.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn insert(&self, id: String, activation: Arc<Activation<P::Instance>>) {
        self.activations.write().unwrap_or_else(PoisonError::into_inner).insert(id, activation);
    }

    fn remove(&self, id: &str) -> Option<Arc<Activation<P::Instance>>> {
        self.activations.write().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}
