//! The process's one way to its host: by the broker, else by address.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use outboard_proto::env::HOST_ADDRESS;
use outboard_proto::handshake::Address;
use outboard_proto::transport::{Broker, PeerCheck, connect};
use tonic::transport::Channel;

use super::{HostError, HostErrorKind};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Opened once and kept; the channel connects again by itself.
pub(crate) struct Connection {
    broker: Broker,
    address: Option<String>,
    channel: Mutex<Option<Channel>>,
}

impl Connection {
    pub(crate) fn new(broker: Broker, address: Option<String>) -> Self {
        Self { broker, address, channel: Mutex::default() }
    }

    /// Dials the id that `Load` carried, which must happen within 5 s of it; without one, or if that
    /// fails, the address from the environment.
    pub(crate) async fn open(&self, broker_id: u32) -> Result<(), HostError> {
        if broker_id != 0 {
            match self.broker.dial(broker_id).await {
                Ok(channel) => {
                    *self.kept() = Some(channel);
                    return Ok(());
                }
                Err(error) => tracing::warn!(%error, "the host's broker id can't be dialled"),
            }
        }
        self.channel().await.map(drop)
    }

    /// The open channel, or one by address.
    pub(crate) async fn channel(&self) -> Result<Channel, HostError> {
        let kept = self.kept().clone();
        if let Some(channel) = kept {
            return Ok(channel);
        }
        let channel = self.dial_address().await?;
        *self.kept() = Some(channel.clone());
        Ok(channel)
    }

    async fn dial_address(&self) -> Result<Channel, HostError> {
        let Some(target) = self.address.as_deref() else {
            return Err(unreachable(format!(
                "neither a broker id nor {HOST_ADDRESS}: this host is not Outboard, or an old one"
            )));
        };
        connect(&parse(target), None, &PeerCheck::any(), CONNECT_LIMIT)
            .await
            .map_err(|error| unreachable(format!("{HOST_ADDRESS}: {error}")))
    }

    fn kept(&self) -> MutexGuard<'_, Option<Channel>> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreachable(message: String) -> HostError {
    HostError::new(HostErrorKind::Unreachable, message)
}

/// A gRPC target: `unix:///path`, `unix:path`, `unix-abstract:name`, `dns:///host:port`, `host:port`.
fn parse(target: &str) -> Address {
    if let Some(name) = target.strip_prefix("unix-abstract:") {
        return Address::Abstract(name.as_bytes().to_owned());
    }
    if let Some(path) = target.strip_prefix("unix:") {
        return Address::Unix(PathBuf::from(path.strip_prefix("//").unwrap_or(path)));
    }
    let name = ["dns:///", "dns:", "ipv4:", "ipv6:"].iter().find_map(|it| target.strip_prefix(it));
    Address::Tcp(name.unwrap_or(target).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_as_grpc_clients_read_it() {
        let unix = |path: &str| Address::Unix(PathBuf::from(path));
        let tcp = |name: &str| Address::Tcp(name.to_owned());
        for (target, address) in [
            ("unix:///run/host.sock", unix("/run/host.sock")),
            ("unix:/run/host.sock", unix("/run/host.sock")),
            ("unix:host.sock", unix("host.sock")),
            ("unix-abstract:host", Address::Abstract(b"host".to_vec())),
            ("dns:///localhost:80", tcp("localhost:80")),
            ("127.0.0.1:80", tcp("127.0.0.1:80")),
        ] {
            assert_eq!(parse(target), address, "{target}");
        }
    }
}
