//! What a driver says of itself.

use outboard_proto::plugin::v1 as wire;

use super::{Driver, Placed};
use crate::plugin::reach::Capabilities;
use crate::plugin::status::{InstanceStatus, Said};
use crate::plugin::unit::Share;

impl Driver {
    pub(super) fn publish_status(&mut self) {
        self.status.name = match &self.unit.installed {
            Ok(installed) if self.unit.share == Share::Common => installed.name().to_owned(),
            Ok(_) | Err(_) => self.unit.key.clone(),
        };
        self.status.version = self
            .loaded
            .as_ref()
            .map(|loaded| loaded.version.chars().take(64).collect())
            .unwrap_or_default();
        self.unit.hash().clone_into(&mut self.status.hash);
        self.status.state = self.machine.state();
        self.status.since = self.since;
        self.status.generation = self.number;
        self.status.restarts = self.machine.restarts();
        let generation = self.generation.as_ref();
        self.status.pid = generation.and_then(|live| u32::try_from(live.process.pid()).ok());
        self.status.room = generation.map(|live| live.room.clone());
        self.status.said = self.loaded.as_ref().map(Said::from);
        self.status.closing.clone_from(&self.closing);
        self.status.instances = self.placed.iter().map(InstanceStatus::from).collect();
        self.published.send_replace(self.status.clone());
    }
}

impl From<&Placed> for InstanceStatus {
    fn from(placed: &Placed) -> Self {
        let (activation, problems) = match &placed.verdict {
            Ok(activation) => (Some(activation.id().to_owned()), Vec::new()),
            Err(problems) => (None, problems.clone()),
        };
        let refused = placed.refused.as_ref();
        Self {
            name: placed.spec.name.clone(),
            activation,
            problems,
            turn: placed.spec.turn,
            refused: refused.map(|refused| (refused.spec.turn, refused.problems.clone())),
        }
    }
}

impl From<&wire::LoadResponse> for Said {
    fn from(loaded: &wire::LoadResponse) -> Self {
        let cut = |text: &str, most: usize| text.chars().take(most).collect();
        Self {
            display_name: cut(&loaded.display_name, 256),
            description: cut(&loaded.description, 4096),
            capabilities: Capabilities::of(&loaded.capabilities),
        }
    }
}
