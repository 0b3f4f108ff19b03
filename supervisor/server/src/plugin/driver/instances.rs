//! The instances in a driver's process: initialised, published, exchanged, withdrawn.

use std::sync::Arc;

use outboard_core::lifecycle::{Event, Next, State};
use outboard_proto::plugin::v1 as wire;

use super::{Driver, Placed, tasks};
use crate::plugin::instance::{InstanceSpec, Verdict};
use crate::plugin::snapshot::Activation;
use crate::plugin::unit::Share;

impl Driver {
    pub(super) fn init(&mut self) {
        let instances = self.instances();
        let reason =
            if self.has_served { wire::InitReason::Restart } else { wire::InitReason::Start };
        let can_handle = self.can_handle();
        self.with_generation(|generation, reports| {
            tasks::init(generation, instances, reason, can_handle, reports);
        });
    }

    /// The configured instances; one of the plugin's own name if there are none.
    pub(super) fn instances(&self) -> Vec<InstanceSpec> {
        let Ok(installed) = &self.unit.installed else { return Vec::new() };
        let all = self
            .context
            .instances(installed.name())
            .unwrap_or_else(|| vec![InstanceSpec::of_manifest(&installed.manifest)]);
        all.into_iter()
            .filter(|spec| match &self.unit.share {
                Share::Common => !spec.isolate,
                Share::Isolated(name) => spec.name == *name,
            })
            .collect()
    }

    /// An upgrade that would lose an instance is none.
    pub(super) fn initialised(&mut self) {
        let active = self.upgrade.as_ref().map_or(&[][..], |upgrade| &upgrade.active);
        let lost = self.placed.iter().find_map(|placed| match &placed.verdict {
            Err(problems) if active.contains(&placed.spec.name) => {
                Some(format!("instance {:?}: {}", placed.spec.name, problems.join("; ")))
            }
            Ok(_) | Err(_) => None,
        });
        match lost {
            Some(message) => {
                self.fail(message);
                self.step(Event::InitFailed);
            }
            None => self.step(Event::Initialised),
        }
    }

    pub(super) fn publish(&mut self) {
        self.upgrade = None;
        self.serving();
        if let Some(generation) = &self.generation {
            for placed in &self.placed {
                match &placed.verdict {
                    Ok(activation) => generation.room.publish(activation),
                    Err(problems) => self.report(&placed.spec, problems),
                }
            }
        }
        self.give_up_away();
    }

    pub(super) fn report(&self, spec: &InstanceSpec, problems: &[String]) {
        for problem in problems {
            tracing::error!(
                plugin = self.unit.key,
                instance = spec.name,
                problem,
                "not initialised"
            );
        }
    }

    /// Who comes back is away for its clients, not gone.
    pub(super) fn withdraw(&mut self) {
        let stays_away = matches!(
            self.machine.state(),
            State::Stopped | State::Draining { next: Next::Stop, .. }
        );
        for activation in self.activations() {
            if stays_away {
                self.context.routes.withdraw(&activation);
            } else {
                self.context.routes.suspend(&activation);
                self.away.push(activation);
            }
        }
    }

    /// Whoever is still away now does not come back.
    pub(super) fn give_up_away(&mut self) {
        for activation in self.away.drain(..) {
            self.context.routes.withdraw(&activation);
        }
    }

    pub(super) fn drain(&mut self) {
        let active: Vec<_> =
            self.placed.iter().filter_map(|placed| placed.verdict.as_ref().ok().cloned()).collect();
        self.with_generation(|_, reports| tasks::drain(active, reports));
    }

    pub(super) fn reconfigure(&mut self) {
        if self.status.is_foreign {
            return;
        }
        let wanted = self.instances();
        let gone: Vec<_> =
            self.take_placed(|spec| !wanted.iter().any(|want| want.name == spec.name));
        let changed = wanted
            .into_iter()
            .filter(|want| !self.placed.iter().any(|placed| placed.spec.is_like(want)))
            .collect();
        let can_handle = self.can_handle();
        self.with_generation(|generation, reports| {
            tasks::retire(generation.clone(), gone, wire::CloseReason::Disabled);
            tasks::reconfigure(generation, changed, can_handle, reports);
        });
    }

    /// Each new activation takes over from the old one; where there is none, the old one serves on.
    pub(super) fn reconfigured(&mut self, fresh: Vec<(InstanceSpec, Verdict)>) {
        let Some(generation) = self.generation.clone() else { return };
        for (spec, verdict) in fresh {
            let had_one = self
                .placed
                .iter()
                .any(|placed| placed.spec.name == spec.name && placed.verdict.is_ok());
            if let Err(problems) = &verdict {
                self.report(&spec, problems);
                if had_one {
                    continue;
                }
            }
            let old = self.take_placed(|placed| placed.name == spec.name);
            if let Ok(activation) = &verdict {
                generation.room.publish(activation);
            }
            self.placed.push(Placed { spec, verdict });
            tasks::retire(generation.clone(), old, wire::CloseReason::Replaced);
        }
        self.placed.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    }

    pub(super) fn take_placed(
        &mut self,
        goes: impl Fn(&InstanceSpec) -> bool,
    ) -> Vec<Arc<Activation>> {
        let (gone, stay) =
            std::mem::take(&mut self.placed).into_iter().partition(|placed| goes(&placed.spec));
        self.placed = stay;
        let gone: Vec<Placed> = gone;
        gone.into_iter().filter_map(|placed| placed.verdict.ok()).collect()
    }

    pub(super) fn can_handle(&self) -> bool {
        let handle = i32::from(wire::Capability::HttpHandle);
        self.loaded.as_ref().is_some_and(|loaded| loaded.capabilities.contains(&handle))
    }

    pub(super) fn activations(&self) -> Vec<String> {
        let active = self.placed.iter().filter_map(|placed| placed.verdict.as_ref().ok());
        active.map(|activation| activation.id().to_owned()).collect()
    }
}
