//! Asks a plugin whether it is well.

use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// The name under which go-plugin registers a plugin's health.
const SERVICE: &str = "plugin";

/// How long a plugin has to answer.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a plugin does not count as healthy.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum HealthError {
    /// It says so itself.
    #[error("the plugin says that it is {0:?}; see its log")]
    NotServing(ServingStatus),
    /// It has a health service which knows neither `plugin` nor the whole server.
    #[error(
        "the plugin's health service knows neither the service \"plugin\" nor \"\"; register \
         \"plugin\" there"
    )]
    Unregistered,
    /// It did not answer in time.
    #[error("the plugin did not answer a health check within {0:?}; it hangs or is overloaded")]
    Timeout(Duration),
    /// It can't be reached, or answered with an error of its own.
    #[error("the health check failed: {} ({:?})", .0.message(), .0.code())]
    Call(Box<Status>),
}

/// One check, and one more where the plugin registered only the server as a whole.
///
/// No health service at all counts as healthy: it says nothing about the plugin.
pub(crate) async fn check(channel: &Channel, limit: Duration) -> Result<(), HealthError> {
    let asked = async {
        match ask(channel, SERVICE).await {
            Err(status) if status.code() == Code::NotFound => ask(channel, "").await,
            answer => answer,
        }
    };
    match timeout(limit, asked).await {
        Err(_) => Err(HealthError::Timeout(limit)),
        Ok(Ok(ServingStatus::Serving)) => Ok(()),
        Ok(Ok(status)) => Err(HealthError::NotServing(status)),
        Ok(Err(status)) => match status.code() {
            Code::Unimplemented => Ok(()),
            Code::NotFound => Err(HealthError::Unregistered),
            _ => Err(HealthError::Call(Box::new(status))),
        },
    }
}

/// Whether gRPC is spoken at the other end, whatever it says: an answer of any kind proves it.
pub(crate) async fn probe(channel: &Channel) -> Result<(), Status> {
    use std::error::Error as _;
    match ask(channel, SERVICE).await {
        // Only what this side makes of a broken connection has a source.
        Err(status) if status.source().is_some() => Err(status),
        Ok(_) | Err(_) => Ok(()),
    }
}

async fn ask(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel.clone()).check(request).await?;
    Ok(answer.into_inner().status())
}
