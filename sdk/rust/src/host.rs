//! What a plugin asks of its host.

pub(crate) mod clients;
mod connection;
mod error;
mod locks;
mod metrics;
mod result;
mod schedules;
pub(crate) mod schemes;
pub(crate) mod sessions;
mod site;
mod storage;
pub(crate) mod users;

use std::collections::HashMap;

use outboard_proto::env::ACTIVATION_METADATA;
use outboard_proto::host::v1::endpoints_client::EndpointsClient;
use outboard_proto::host::v1::events_client::EventsClient;
use outboard_proto::host::v1::host_client::HostClient;
use outboard_proto::host::v1::log_client::LogClient;
use outboard_proto::host::v1::{
    AddRequest, EmitRequest, Endpoint, InfoRequest, Record, RemoveRequest, WriteRequest,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::event::{Event, Receipt};

pub(crate) use connection::Connection;
pub use error::{HostError, HostErrorKind};
pub use locks::{Lock, Locks};
pub use metrics::{Metrics, Raise};
pub use schedules::{Schedule, Schedules};
pub use site::{HostConfig, Location, LoginUrl, SessionCookie};
pub use storage::{Entries, Entry, Increment, Operation, Put, Storage, Taken};

/// The host's services, called on behalf of one activation. Cloning it is cheap.
///
/// Calls have no deadline of their own: they end with the one of the call or request that makes them,
/// or wrap them in `tokio::time::timeout`.
#[derive(Clone)]
pub struct Host {
    channel: Result<InterceptedService<Channel, Stamp>, HostError>,
}

/// Names the activation in each call.
#[derive(Clone)]
struct Stamp(MetadataValue<Ascii>);

impl Interceptor for Stamp {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(ACTIVATION_METADATA, self.0.clone());
        Ok(request)
    }
}

impl Host {
    /// A host that can't be reached is no error yet: many plugins never call it.
    pub(crate) fn new(channel: Result<Channel, HostError>, activation: &str) -> Self {
        let stamped = channel.and_then(|channel| {
            let stamp = activation.parse().map_err(|_| {
                HostError::new(HostErrorKind::Invalid, "the activation's id is no visible ASCII")
            })?;
            Ok(InterceptedService::new(channel, Stamp(stamp)))
        });
        Self { channel: stamped }
    }

    /// Tells where this activation stands: host, instance, URLs.
    ///
    /// # Errors
    ///
    /// When the host is unreachable or the activation is closed.
    pub async fn info(&self) -> Result<HostInfo, HostError> {
        let info = HostClient::new(self.channel()?).info(InfoRequest {}).await?.into_inner();
        Ok(HostInfo {
            host_version: info.host_version,
            plugin: info.plugin,
            instance: info.instance,
            generation: info.generation,
            base_path: info.base_path,
            external_url: Some(info.external_url).filter(|url| !url.is_empty()),
        })
    }

    /// Writes records to the host's log under this plugin and instance, and gives how many of them were
    /// above the plugin's rate limit and dropped. Limit: 1000 in one call.
    ///
    /// `tracing` events reach the same log by themselves; this is for records that must name their
    /// instance.
    ///
    /// # Errors
    ///
    /// When the host is unreachable or the activation is closed.
    pub async fn log(
        &self,
        records: impl IntoIterator<Item = LogRecord>,
    ) -> Result<u32, HostError> {
        let records = records.into_iter().map(LogRecord::into_proto).collect();
        let written = LogClient::new(self.channel()?).write(WriteRequest { records }).await?;
        Ok(written.into_inner().dropped)
    }

    /// Announces events, all or none, and comes back when they are on disk: from then on the host delivers them
    /// to each notifier. Their types need a grant, in the manifest's `grants.emit` and in the operator's. Limit:
    /// 1000 in one call.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Denied`] without a grant, [`HostErrorKind::Invalid`] for a malformed event,
    /// [`HostErrorKind::Limit`] while the host has no room for more; then it is worth to try again later, with
    /// the same ids.
    pub async fn emit(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Vec<Receipt>, HostError> {
        let events = events.into_iter().map(Event::into_proto).collect();
        let emitted = EventsClient::new(self.channel()?).emit(EmitRequest { events }).await?;
        let receipts = emitted.into_inner().receipts.into_iter();
        Ok(receipts.map(|it| Receipt { event_id: it.event_id, repeated: it.repeated }).collect())
    }

    /// Who sent a request, where the manifest asks for `sessions` and the operator grants it.
    pub fn sessions(&self) -> sessions::Sessions {
        sessions::Sessions::new(self.clone())
    }

    /// The users that the host knows, where the manifest asks for `users.read`, `users.check` or `users.write` and the
    /// operator grants it.
    pub fn users(&self) -> users::Users {
        users::Users::new(self.clone())
    }

    /// The clients that the host knows, where the manifest asks for `clients.read`, `clients.check` or `clients.write`
    /// and the operator grants it.
    pub fn clients(&self) -> clients::Clients {
        clients::Clients::new(self.clone())
    }

    /// How users authenticate beyond their password, where the manifest asks for `schemes` and the operator grants it.
    pub fn schemes(&self) -> schemes::Schemes {
        schemes::Schemes::new(self.clone())
    }

    /// What this instance keeps in the host, where its manifest asks for `storage` and the operator grants it.
    pub fn storage(&self) -> Storage {
        Storage::new(self.clone())
    }

    /// What one activation of this instance at a time does, where its manifest asks for `locks` and the operator grants
    /// it.
    pub fn locks(&self) -> Locks {
        Locks::new(self.clone())
    }

    /// What this instance is to do later, where its manifest asks for `schedules` and the operator grants it.
    pub fn schedules(&self) -> Schedules {
        Schedules::new(self.clone())
    }

    /// What this instance counts. It needs no grant.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(self.clone())
    }

    pub(crate) async fn add_endpoints(&self, endpoints: Vec<Endpoint>) -> Result<(), HostError> {
        EndpointsClient::new(self.channel()?).add(AddRequest { endpoints }).await?;
        Ok(())
    }

    pub(crate) async fn remove_endpoints(&self, endpoint_ids: Vec<u32>) -> Result<(), HostError> {
        EndpointsClient::new(self.channel()?).remove(RemoveRequest { endpoint_ids }).await?;
        Ok(())
    }

    fn channel(&self) -> Result<InterceptedService<Channel, Stamp>, HostError> {
        self.channel.clone()
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Where an activation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostInfo {
    /// The supervisor's version.
    pub host_version: String,
    /// The name under which the operator knows this plugin.
    pub plugin: String,
    /// The instance's name.
    pub instance: String,
    /// Which start of the plugin this process is, from 1.
    pub generation: u64,
    /// Path before the URLs of this instance's endpoints, such as `/api/hello/`.
    pub base_path: String,
    /// Where clients reach `base_path`, such as `https://example.org/api/hello/`, if the operator has
    /// said so.
    pub external_url: Option<String>,
}

/// A line for the host's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    level: tracing::Level,
    message: String,
    fields: HashMap<String, String>,
}

impl LogRecord {
    /// A record without fields. The message's limit: 8192 bytes, the rest is cut.
    pub fn new(level: tracing::Level, message: impl Into<String>) -> Self {
        Self { level, message: message.into(), fields: HashMap::new() }
    }

    /// The same with one field more. Limits: 64 fields, 256 bytes a name, 8192 bytes a value; what is
    /// over is cut.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    fn into_proto(self) -> Record {
        use outboard_proto::host::v1::Level;
        let level = match self.level {
            tracing::Level::TRACE => Level::Trace,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::INFO => Level::Info,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::ERROR => Level::Error,
        };
        Record { level: level.into(), message: self.message, time: None, fields: self.fields }
    }
}
