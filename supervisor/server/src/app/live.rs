//! The instances of the database, changed while everything runs.
//!
//! The row is written first, then the plugins are brought in line with it, then it is looked at what became of that.
//! Changes come one after the other; requests of clients never wait for one.

use std::sync::Arc;

use outboard_core::config::InstanceEntry;
use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::scheme::SchemeSettings;
use outboard_store::{Instance, InstanceError, NewInstance, Parameters, StoreError};
use serde_json::{Map, Value};

use super::App;
use super::instances;
use super::turns::Turn;
use crate::plugin::{Module, Outcome};

/// Clones are of the same instances.
#[derive(Clone)]
pub struct Live(Arc<App>);

/// An instance, as it is configured.
#[derive(Clone, Debug)]
pub struct View {
    pub module: String,
    pub name: String,
    pub display_name: String,
    pub kind: InstanceKind,
    pub rank: i64,
    pub readonly: bool,
    /// With references to secrets, without secrets.
    pub parameters: Value,
    /// Of a scheme.
    pub scheme: Option<SchemeSettings>,
    pub enabled: bool,
    /// It is in `outboard.toml`, and only changes there.
    pub is_fixed: bool,
}

/// What an instance is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub display_name: String,
    pub rank: i64,
    pub readonly: bool,
    pub parameters: Map<String, Value>,
    /// Of a scheme.
    pub scheme: Option<SchemeSettings>,
}

/// Why an instance is not as it was wanted.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("there is no such instance")]
    NotFound,
    /// A line each.
    #[error("{}", .0.join("; "))]
    Refused(Vec<String>),
    /// It is nobody's mistake who asks.
    #[error("{0}")]
    Failed(String),
}

impl From<InstanceError> for LiveError {
    fn from(error: InstanceError) -> Self {
        match error {
            InstanceError::NotFound { .. } => Self::NotFound,
            InstanceError::Store(error) => error.into(),
            error => Self::Refused(vec![error.to_string()]),
        }
    }
}

impl From<StoreError> for LiveError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Live {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self(app)
    }

    /// What instances can be made of.
    pub fn modules(&self) -> Vec<Module> {
        self.0.plugins.modules()
    }

    /// All of a kind, by module and name.
    pub async fn list(&self, kind: InstanceKind) -> Result<Vec<View>, LiveError> {
        let rows = self.0.store.instances().list().await?;
        let mut views = Vec::new();
        for row in rows.into_iter().filter(|row| row.kind == kind) {
            views.push(self.view(row).await?);
        }
        let config = self.0.config.lock().await;
        views.extend(
            config.instances.iter().filter(|entry| entry.purpose.kind == kind).map(View::from),
        );
        views.sort_by(|a, b| (&a.module, &a.name).cmp(&(&b.module, &b.name)));
        Ok(views)
    }

    /// One of a kind.
    pub async fn get(&self, kind: InstanceKind, name: &str) -> Result<View, LiveError> {
        if let Some(fixed) = self.fixed(kind, name).await {
            return Ok(fixed);
        }
        let row = self.row(kind, name).await?;
        self.view(row).await
    }

    /// Whether any instance has this name already.
    pub async fn is_taken(&self, name: &str) -> Result<bool, LiveError> {
        let config = self.0.config.lock().await;
        if config.instances.iter().any(|entry| entry.name.as_str() == name) {
            return Ok(true);
        }
        drop(config);
        Ok(self.0.store.instances().get(name).await?.is_some())
    }

    /// What the plugin finds wrong with an instance that is to be added or changed, a line each. One that can't be asked
    /// finds nothing.
    pub async fn problems(
        &self,
        kind: InstanceKind,
        module: &str,
        name: &str,
        wanted: &Wanted,
    ) -> Vec<String> {
        let config = self.0.config.lock().await;
        let place = (kind, module, name);
        let spec = instances::possible(&config, &self.0.environment, place, &wanted.parameters);
        drop(config);
        self.0.plugins.problems(spec).await
    }

    /// Adds an instance and begins it. Where the plugin does not want it so, its row stays, disabled.
    pub async fn add(
        &self,
        kind: InstanceKind,
        module: &str,
        name: &str,
        wanted: &Wanted,
    ) -> Result<(), LiveError> {
        let _turn = self.0.changing.lock().await;
        let parameters = parameters(&wanted.parameters)?;
        self.settings(name, wanted).await?;
        let new = NewInstance {
            plugin: module,
            name,
            display_name: &wanted.display_name,
            kind,
            rank: wanted.rank,
            readonly: wanted.readonly,
            parameters: &parameters,
            enabled: true,
        };
        let row = self.0.store.instances().insert(new).await?;
        self.begin_or_disable(&row).await
    }

    /// Writes down what an instance is to be. What runs keeps its parameters until [`Self::reset`].
    pub async fn set(
        &self,
        kind: InstanceKind,
        name: &str,
        wanted: &Wanted,
    ) -> Result<(), LiveError> {
        let _turn = self.0.changing.lock().await;
        self.changeable(kind, name).await?;
        let parameters = parameters(&wanted.parameters)?;
        self.settings(name, wanted).await?;
        let instances = self.0.store.instances();
        instances.update(name, &wanted.display_name, &parameters, None).await?;
        instances.arrange(name, wanted.rank, wanted.readonly).await?;
        self.bring_in_line().await
    }

    /// Makes sure that it runs.
    pub async fn enable(&self, kind: InstanceKind, name: &str) -> Result<(), LiveError> {
        let _turn = self.0.changing.lock().await;
        let row = self.changeable(kind, name).await?;
        if row.enabled && self.0.context.routes.snapshot().get(name).is_some() {
            return Ok(());
        }
        let row = self.0.store.instances().set_enabled(&row.name, true).await?;
        self.begin_or_disable(&row).await
    }

    /// Makes sure that it does not run.
    pub async fn disable(&self, kind: InstanceKind, name: &str) -> Result<(), LiveError> {
        let _turn = self.0.changing.lock().await;
        let row = self.changeable(kind, name).await?;
        self.end(&row).await
    }

    /// Begins it anew, with the parameters that it is to have. Where it does not want them, it serves on as it was.
    pub async fn reset(&self, kind: InstanceKind, name: &str) -> Result<(), LiveError> {
        let _turn = self.0.changing.lock().await;
        let row = self.changeable(kind, name).await?;
        let row = self.0.store.instances().set_enabled(&row.name, true).await?;
        self.begin(&row).await
    }

    /// Ends it for good, and removes all that is stored for it.
    pub async fn delete(&self, kind: InstanceKind, name: &str) -> Result<(), LiveError> {
        let _turn = self.0.changing.lock().await;
        let row = self.changeable(kind, name).await?;
        self.0.context.set_deleted(name, true);
        let ended = self.end(&row).await;
        if ended.is_ok() && !self.0.plugins.has_ended(&row.plugin, name).await {
            tracing::warn!(instance = name, "deleted, although its plugin has not let go of it");
        }
        self.0.context.set_deleted(name, false);
        ended?;
        self.0.store.instances().delete(name).await?;
        self.0.store.schemes().delete(name).await?;
        self.0.store.revocations().forget_instance(name).await?;
        self.bring_in_line().await
    }

    /// Reads all again: the configuration, the directory of plugins, and the instances with the parameters that they
    /// are to have. What is refused serves on as it was.
    pub async fn reload(&self) -> Result<(), LiveError> {
        let _turn = self.0.changing.lock().await;
        let instances = self.0.store.instances();
        let mut tried = Vec::new();
        for row in instances.list().await?.into_iter().filter(|row| row.applied.is_some()) {
            if row.enabled {
                let (before, turn) = self.0.turns.begin(&row.name);
                tried.push((row, before, turn));
            } else {
                instances.apply(&row.name).await?;
            }
        }
        let reloaded = self.0.try_reload().await;
        let mut problems: Vec<_> =
            reloaded.err().map(|error| format!("{error:#}")).into_iter().collect();
        for (row, before, turn) in tried {
            let outcome = self.outcome(&row, turn).await;
            if let Err(error) = self.conclude(&row, before, outcome).await {
                problems.push(format!("instance {:?}: {error}", row.name));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(LiveError::Failed(problems.join("; "))) }
    }

    async fn begin_or_disable(&self, row: &Instance) -> Result<(), LiveError> {
        let begun = self.begin(row).await;
        if begun.is_err() {
            self.end(row).await?;
        }
        begun
    }

    async fn begin(&self, row: &Instance) -> Result<(), LiveError> {
        let (before, turn) = self.0.turns.begin(&row.name);
        let outcome = match self.bring_in_line().await {
            Ok(()) => self.outcome(row, turn).await,
            Err(error) => Err(error),
        };
        self.conclude(row, before, outcome).await
    }

    async fn outcome(&self, row: &Instance, turn: Turn) -> Result<(), LiveError> {
        match self.0.plugins.outcome(&row.plugin, &row.name, turn.number).await {
            Outcome::Serving => Ok(()),
            Outcome::Refused(problems) => Err(LiveError::Refused(problems)),
            Outcome::Down(why) => Err(LiveError::Failed(why)),
        }
    }

    /// Keeps what a turn has begun, or goes back to what was there before it.
    async fn conclude(
        &self,
        row: &Instance,
        before: Turn,
        outcome: Result<(), LiveError>,
    ) -> Result<(), LiveError> {
        if outcome.is_ok() {
            self.0.store.instances().apply(&row.name).await?;
            self.0.turns.keep(&row.name);
        } else {
            self.0.turns.go_back(&row.name, before);
            self.bring_in_line().await?;
        }
        outcome
    }

    async fn end(&self, row: &Instance) -> Result<(), LiveError> {
        self.0.store.instances().set_enabled(&row.name, false).await?;
        self.bring_in_line().await
    }

    /// Everything that is settled by it is waited for elsewhere.
    async fn bring_in_line(&self) -> Result<(), LiveError> {
        match self.0.apply().await {
            Ok(_) => Ok(()),
            Err(error) => Err(LiveError::Failed(format!("{error:#}"))),
        }
    }

    async fn settings(&self, name: &str, wanted: &Wanted) -> Result<(), LiveError> {
        if let Some(settings) = &wanted.scheme {
            self.0.store.schemes().set(name, settings).await?;
        }
        Ok(())
    }

    /// One that the database has, and not the file.
    async fn changeable(&self, kind: InstanceKind, name: &str) -> Result<Instance, LiveError> {
        if self.fixed(kind, name).await.is_some() {
            let advice =
                format!("the instance {name:?} is in outboard.toml; change it there, and reload");
            return Err(LiveError::Refused(vec![advice]));
        }
        self.row(kind, name).await
    }

    async fn row(&self, kind: InstanceKind, name: &str) -> Result<Instance, LiveError> {
        let row = self.0.store.instances().get(name).await?;
        row.filter(|row| row.kind == kind).ok_or(LiveError::NotFound)
    }

    async fn fixed(&self, kind: InstanceKind, name: &str) -> Option<View> {
        let config = self.0.config.lock().await;
        let mut entries = config.instances.iter();
        entries.find(|it| it.name.as_str() == name && it.purpose.kind == kind).map(View::from)
    }

    async fn view(&self, row: Instance) -> Result<View, LiveError> {
        let scheme = match row.kind {
            InstanceKind::Scheme => self.0.store.schemes().get(&row.name).await?,
            InstanceKind::Plugin | InstanceKind::UserBackend | InstanceKind::ClientBackend => None,
        };
        Ok(View {
            parameters: serde_json::from_str(row.parameters.as_str()).unwrap_or_default(),
            module: row.plugin,
            name: row.name,
            display_name: row.display_name,
            kind: row.kind,
            rank: row.rank,
            readonly: row.readonly,
            scheme,
            enabled: row.enabled,
            is_fixed: false,
        })
    }
}

impl From<&InstanceEntry> for View {
    fn from(entry: &InstanceEntry) -> Self {
        Self {
            module: entry.plugin.to_string(),
            name: entry.name.to_string(),
            display_name: entry.purpose.display_name.clone(),
            kind: entry.purpose.kind,
            rank: entry.purpose.rank,
            readonly: entry.purpose.is_readonly,
            parameters: Value::Object(entry.parameters.clone()),
            scheme: (entry.purpose.kind == InstanceKind::Scheme)
                .then(|| entry.purpose.scheme.clone()),
            enabled: entry.is_enabled,
            is_fixed: true,
        }
    }
}

fn parameters(parameters: &Map<String, Value>) -> Result<Parameters, LiveError> {
    let text = serde_json::to_string(parameters).unwrap_or_default();
    Parameters::parse(text).map_err(|error| LiveError::Refused(vec![error.to_string()]))
}
