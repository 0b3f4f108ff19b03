//! How the host calls a process besides handing it requests of clients, and which calls it takes.

use std::collections::BTreeSet;

use outboard_proto::plugin::v1::Capability;
use tonic::transport::Channel;

/// The first connection to a process, and what may be called on it.
#[derive(Clone, Debug)]
pub struct Reach {
    channel: Channel,
    capabilities: Capabilities,
}

/// What `Load` listed, as far as this host knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<Capability>);

impl Reach {
    pub fn new(channel: Channel, capabilities: Capabilities) -> Self {
        Self { channel, capabilities }
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }
}

impl Capabilities {
    /// From the numbers on the wire.
    pub fn of(listed: &[i32]) -> Self {
        Self(listed.iter().filter_map(|&number| Capability::try_from(number).ok()).collect())
    }

    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_version_can_do_besides_means_nothing_to_this_one() {
        let capabilities = Capabilities::of(&[Capability::Notify.into(), 1_000_000, -1]);
        assert!(capabilities.has(Capability::Notify));
        assert!(!capabilities.has(Capability::Authenticate));
        assert_eq!(capabilities, Capabilities::of(&[Capability::Notify.into()]));
    }
}
