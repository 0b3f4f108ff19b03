//! The gRPC services of `outboard.plugin.v1` in front of an author's [`Plugin`].

mod answer;
mod authenticator;
mod chain;
mod client_backend;
mod http;
mod lifecycle;
mod notifier;
mod scheduled;
mod scheme;
mod serve;
mod user_backend;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use outboard_proto::frame::Settings;
use outboard_proto::plugin::v1::Capability;
use tonic::Status;

use crate::activation::Activation;
use crate::go_plugin::Stop;
use crate::host::Connection;
use crate::plugin::Plugin;

pub(crate) use authenticator::AuthenticatorService;
pub(crate) use client_backend::ClientBackendService;
pub(crate) use http::HttpService;
pub(crate) use lifecycle::LifecycleService;
pub(crate) use notifier::NotifierService;
pub(crate) use scheduled::ScheduledService;
pub(crate) use scheme::SchemeService;
pub(crate) use user_backend::UserBackendService;

/// Large enough for whatever the host lets through in one unary call.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// What a plugin says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) display_name: String,
    pub(crate) description: String,
    /// Besides endpoints.
    pub(crate) capabilities: Vec<Capability>,
}

/// What the services of one process share.
pub(crate) struct Shared<P: Plugin> {
    pub(crate) about: About,
    pub(crate) plugin: P,
    pub(crate) connection: Connection,
    /// Of each stream of frames.
    pub(crate) settings: Settings,
    pub(crate) stop: Stop,
    /// Each request reads it.
    pub(crate) activations: ArcSwap<Activations<P>>,
}

/// By id.
pub(crate) type Activations<P> = HashMap<String, Arc<Activation<<P as Plugin>::Instance>>>;

impl<P: Plugin> Shared<P> {
    fn activation(&self, id: &str) -> Option<Arc<Activation<P::Instance>>> {
        self.activations.load().get(id).cloned()
    }

    /// The state of an activation that serves.
    fn instance(&self, id: &str) -> Result<Arc<P::Instance>, Status> {
        let instance = self.activation(id).and_then(|activation| activation.instance());
        instance.ok_or_else(|| Status::not_found(format!("no activation {id:?} in this process")))
    }

    fn insert(&self, id: &str, activation: &Arc<Activation<P::Instance>>) {
        self.activations.rcu(|activations| {
            let mut activations = HashMap::clone(activations);
            activations.insert(id.to_owned(), Arc::clone(activation));
            activations
        });
    }

    fn remove(&self, id: &str) -> Option<Arc<Activation<P::Instance>>> {
        let before = self.activations.rcu(|activations| {
            let mut activations = HashMap::clone(activations);
            activations.remove(id);
            activations
        });
        before.get(id).cloned()
    }
}

/// A panic in an author's code fails the call it happened in.
async fn guarded<T>(call: impl Future<Output = T>) -> Result<T, Status> {
    AssertUnwindSafe(call)
        .catch_unwind()
        .await
        .map_err(|_| Status::internal("the plugin panicked; see its log"))
}
