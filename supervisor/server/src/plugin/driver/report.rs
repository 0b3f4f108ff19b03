//! What a driver says of itself.

use super::{Driver, Placed};
use crate::plugin::status::InstanceStatus;
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
        self.status.instances = self.placed.iter().map(InstanceStatus::from).collect();
        self.published.send_replace(self.status.clone());
    }
}

impl From<&Placed> for InstanceStatus {
    fn from(placed: &Placed) -> Self {
        let name = placed.spec.name.clone();
        match &placed.verdict {
            Ok(activation) => {
                let activation = Some(activation.id().to_owned());
                Self { name, activation, problems: Vec::new() }
            }
            Err(problems) => Self { name, activation: None, problems: problems.clone() },
        }
    }
}
