//! Whether a document fits what is there already, before anything of it is written.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::user::{DATABASE, Mode};

use super::read::{Instance, Plan};
use super::{Import, ImportError};
use crate::api::Sent;
use crate::app::LiveError;
use crate::identity::Failure;

/// Plugins' answers that are waited for at the same time.
const AT_ONCE: usize = 8;

impl Import {
    pub(super) async fn judge(&self, plan: &Plan) -> Result<(), ImportError> {
        let mut errors = Vec::new();
        self.judge_instances(plan, &mut errors).await?;
        self.judge_parameters(plan, &mut errors).await;
        self.judge_scopes(plan, &mut errors).await?;
        for (place, draft) in &plan.clients {
            let id = draft.client_id.as_deref().unwrap_or_default();
            let known = match self.identity.clients().get(id).await {
                Ok(_) => Some(id),
                Err(Failure::NotFound) => None,
                Err(failure) => return Err(stopped(place, &failure)),
            };
            let judged = self.identity.clients().validate(known, draft).await;
            note(place, judged, &mut errors)?;
        }
        for (place, user) in &plan.users {
            let name = user.draft.username.as_deref().unwrap_or_default();
            let known = match self.identity.people().get(name).await {
                Ok(_) => Some(name),
                Err(Failure::NotFound) => None,
                Err(failure) => return Err(stopped(place, &failure)),
            };
            let mode = if known.is_some() { Mode::Update } else { Mode::Add };
            let judged = self.identity.people().validate(known, &user.draft, mode).await;
            note(place, judged, &mut errors)?;
        }
        if errors.is_empty() { Ok(()) } else { Err(ImportError::Wrong(errors)) }
    }

    async fn judge_instances(
        &self,
        plan: &Plan,
        errors: &mut Vec<String>,
    ) -> Result<(), ImportError> {
        let modules = self.live.modules();
        for (place, instance) in &plan.instances {
            let (kind, sent) = (instance.kind, &instance.sent);
            if !modules.iter().any(|it| it.name == sent.module && it.kinds.contains(&kind)) {
                let module = &sent.module;
                errors.push(format!(
                    "{place}: module: no plugin {module:?} runs that could be a {kind}"
                ));
            }
            let is_taken = match self.live.get(kind, &sent.name).await {
                Ok(view) => view.is_fixed || view.module != sent.module,
                Err(LiveError::NotFound) => {
                    let taken = self.live.is_taken(&sent.name).await;
                    taken.map_err(|error| ImportError::Stopped(format!("{place}: {error}")))?
                }
                Err(error) => return Err(ImportError::Stopped(format!("{place}: {error}"))),
            };
            if is_taken || sent.name == DATABASE {
                errors.push(format!("{place}: name: something else is called so already"));
            }
        }
        Ok(())
    }

    /// What only the plugins themselves can say. A plugin that can't be asked says it when its instance begins; what is
    /// loaded disabled need not fit.
    async fn judge_parameters(&self, plan: &Plan, errors: &mut Vec<String>) {
        let mut asking = Vec::new();
        for (place, instance) in plan.instances.iter().filter(|(_, it)| it.enabled) {
            asking.push(self.problems(place, instance));
        }
        let told: Vec<_> = stream::iter(asking).buffered(AT_ONCE).collect().await;
        errors.extend(told.into_iter().flatten());
    }

    async fn problems(&self, place: &str, instance: &Instance) -> Vec<String> {
        let Sent { module, name, wanted } = &instance.sent;
        let problems = self.live.problems(instance.kind, module, name, wanted).await;
        problems.into_iter().map(|problem| format!("{place}: {problem}")).collect()
    }

    async fn judge_scopes(&self, plan: &Plan, errors: &mut Vec<String>) -> Result<(), ImportError> {
        let listed = self.identity.schemes().list().await;
        let listed = listed.map_err(|failure| stopped("scope", &failure))?;
        let new =
            plan.instances.iter().filter(|(_, it)| it.kind == InstanceKind::Scheme && it.enabled);
        let mut schemes: BTreeSet<_> = new.map(|(_, it)| it.sent.name.clone()).collect();
        schemes.extend(listed.into_iter().map(|scheme| scheme.name));
        for (place, scope, _) in &plan.scopes {
            for unknown in scope.schemes().into_iter().filter(|name| !schemes.contains(*name)) {
                errors.push(format!("{place}: scheme: there is no scheme {unknown:?}"));
            }
        }
        Ok(())
    }
}

fn note(
    place: &str,
    judged: Result<(), Failure>,
    errors: &mut Vec<String>,
) -> Result<(), ImportError> {
    match judged {
        Ok(()) => {}
        Err(Failure::Invalid(more)) => {
            errors.extend(more.into_iter().map(|error| format!("{place}: {error}")));
        }
        Err(failure @ (Failure::ReadOnly(_) | Failure::Conflict(_))) => {
            errors.push(format!("{place}: {failure}"));
        }
        Err(failure) => return Err(stopped(place, &failure)),
    }
    Ok(())
}

fn stopped(place: &str, failure: &Failure) -> ImportError {
    ImportError::Stopped(format!("{place}: {failure}"))
}
