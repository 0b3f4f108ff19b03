//! The instances in a driver's process: initialised, published, exchanged, withdrawn.

use std::sync::Arc;

use outboard_core::lifecycle::{Event, Next, State};
use outboard_proto::plugin::v1 as wire;

use super::{Driver, Placed, Refused, tasks};
use crate::plugin::generation::Generation;
use crate::plugin::instance::{InstanceSpec, Verdict};
use crate::plugin::snapshot::Activation;

impl Driver {
    pub(super) fn init(&mut self) {
        let instances = self.instances();
        let reason = match (&self.upgrade, self.was_lost) {
            (Some(_), _) => wire::InitReason::Upgrade,
            (None, true) => wire::InitReason::Restart,
            (None, false) => wire::InitReason::Start,
        };
        let (fit, taken) = self.claim(instances);
        self.with_generation(|generation, reports| {
            tasks::init(generation, fit, taken, reason, reports);
        });
    }

    /// Sets apart those whose name another plugin's instance has.
    fn claim(
        &self,
        instances: Vec<InstanceSpec>,
    ) -> (Vec<InstanceSpec>, Vec<(InstanceSpec, Verdict)>) {
        let (mut fit, mut taken) = (Vec::new(), Vec::new());
        for spec in instances {
            match self.context.claim_instance(&spec.name, &spec.plugin) {
                Ok(()) => fit.push(spec),
                Err(other) => {
                    let problem = format!(
                        "the plugin {other:?} has an instance of this name; give one of them another"
                    );
                    taken.push((spec, Err(vec![problem])));
                }
            }
        }
        (fit, taken)
    }

    pub(super) fn instances(&self) -> Vec<InstanceSpec> {
        self.unit.instances(&self.context)
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
        // The configuration may have changed while they were initialised.
        self.reconfigure();
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
        for activation in self.active() {
            if stays_away {
                self.context.routes.withdraw(activation.id());
            } else {
                self.context.routes.suspend(activation.id());
                self.away.push(activation.id().to_owned());
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
        let active = self.active();
        self.with_generation(|_, reports| tasks::drain(active, reports));
    }

    /// Brings the instances in line with the configuration, one round at a time.
    pub(super) fn reconfigure(&mut self) {
        if self.status.is_foreign || self.is_reconfiguring {
            return;
        }
        let wanted = self.instances();
        let is_gone = |spec: &InstanceSpec| !wanted.iter().any(|want| want.name == spec.name);
        let names =
            self.placed.iter().filter(|it| is_gone(&it.spec)).map(|it| it.spec.name.clone());
        let names: Vec<_> = names.collect();
        let gone = self.take_placed(is_gone);
        if let Ok(installed) = &self.unit.installed {
            for name in &names {
                self.context.release_instance(name, installed.name());
            }
        }
        let changed: Vec<_> = wanted
            .into_iter()
            .filter(|want| !self.placed.iter().any(|placed| placed.has_judged(want)))
            .collect();
        self.is_reconfiguring = !changed.is_empty();
        let (fit, taken) = self.claim(changed);
        self.closing.extend(gone.iter().map(|activation| activation.instance().to_owned()));
        let (deleted, disabled) =
            gone.into_iter().partition(|activation| self.context.is_deleted(activation.instance()));
        self.with_generation(|generation, reports| {
            use wire::CloseReason::{Deleted, Disabled};
            tasks::retire(generation.clone(), deleted, Deleted, Some(reports.clone()));
            tasks::retire(generation.clone(), disabled, Disabled, Some(reports.clone()));
            if !(fit.is_empty() && taken.is_empty()) {
                tasks::reconfigure(generation, fit, taken, reports);
            }
        });
    }

    /// Each new activation takes over from the old one; where there is none, the old one serves on. What
    /// is no longer wanted by now, or comes when nothing is served any more, ends at once.
    pub(super) fn reconfigured(&mut self, fresh: Vec<(InstanceSpec, Verdict)>) {
        self.is_reconfiguring = false;
        let Some(generation) = self.generation.clone() else { return };
        if self.machine.state() != State::Serving {
            for activation in fresh.into_iter().filter_map(|(_, verdict)| verdict.ok()) {
                generation.room.dismiss(activation.id());
            }
            return;
        }
        let wanted = self.instances();
        for (spec, verdict) in fresh {
            if wanted.iter().any(|want| want.is_like(&spec)) {
                self.place(&generation, spec, verdict);
            } else if let Ok(activation) = verdict {
                let reason = wire::CloseReason::Replaced;
                tasks::retire(generation.clone(), vec![activation], reason, None);
            }
        }
        self.placed.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
        self.reconfigure();
    }

    fn place(&mut self, generation: &Arc<Generation>, spec: InstanceSpec, verdict: Verdict) {
        let serves = |it: &Placed| it.spec.name == spec.name && it.verdict.is_ok();
        if let Err(problems) = &verdict {
            self.report(&spec, problems);
            if let Some(placed) = self.placed.iter_mut().find(|it| serves(it)) {
                // Told once; asked again when the configuration changes.
                placed.refused = Some(Refused { spec, problems: problems.clone() });
                return;
            }
        }
        let old = self.take_placed(|placed| placed.name == spec.name);
        if let Ok(activation) = &verdict {
            generation.room.publish(activation);
        }
        self.placed.push(Placed::new(spec, verdict));
        tasks::retire(generation.clone(), old, wire::CloseReason::Replaced, None);
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

    /// The activations that serve, or are about to.
    pub(super) fn active(&self) -> Vec<Arc<Activation>> {
        self.placed.iter().filter_map(|placed| placed.verdict.as_ref().ok().cloned()).collect()
    }
}

impl Placed {
    pub(super) fn new(spec: InstanceSpec, verdict: Verdict) -> Self {
        Self { spec, verdict, refused: None }
    }

    /// Whether the plugin has said already what it thinks of such a spec.
    fn has_judged(&self, want: &InstanceSpec) -> bool {
        let refused = self.refused.as_ref().map(|refused| &refused.spec);
        [Some(&self.spec), refused].into_iter().flatten().any(|judged| judged.is_like(want))
    }
}
