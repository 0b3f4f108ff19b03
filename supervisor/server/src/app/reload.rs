//! Bringing a running supervisor in line with what the configuration and the directory of plugins say now.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use outboard_core::config::Config;

use super::{App, instances, settings};
use crate::gateway::bounds::Allowances;
use crate::plugin::plan;
use crate::task;

/// How long the end, or the opening of another file, waits for the disk of the access log.
const ACCESS_LOG_PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// A configuration with a mistake changes nothing, and neither does a certificate or a key with one.
    pub(super) async fn reload(self: Arc<Self>) {
        self.reopen_access_log();
        self.certificates.reload();
        if let Err(error) = self.try_reload().await {
            tracing::error!("not reloaded, the old configuration stays: {error:#}");
        }
    }

    /// Brings the plugins in line with the directory and the configuration. Gives what ends when all have settled.
    pub(super) async fn apply(&self) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
        // First, so that what was read later is also applied later.
        let mut imports = self.imports.lock().await;
        let config = self.config.lock().await.clone();
        let (store, environment) = (&self.store, &self.environment);
        let mark = store.instances().mark().await?;
        let current =
            instances::current(&config, &self.external_url, store, &self.turns, environment)
                .await?;
        self.context.given.reload(settings::given(&config))?;
        // Hashing and copying may take long, and requests must not notice.
        let units = tokio::task::block_in_place(|| {
            let given = &self.context.given;
            plan(&config, &current.instances, &mut imports, given, &self.environment)
        })
        .with_context(|| {
            format!("plugins directory {}: create it, or name another", config.plugins.display())
        })?;
        let kept = self.copies_in_use();
        self.context.reload(current);
        let settled = self.plugins.apply(units);
        if let Err(error) = tokio::task::block_in_place(|| imports.collect(&kept)) {
            tracing::warn!(%error, "old copies of plugins could not be removed");
        }
        *self.applied.lock().await = Some(mark);
        Ok(settled)
    }

    /// Of plugins that run, and of the newest that were granted what they ask for.
    fn copies_in_use(&self) -> Vec<String> {
        let running = self.plugins.list().0.into_iter().map(|plugin| plugin.hash);
        let granted = self.context.given.lock();
        let granted = granted.newest_of_all().map(|entry| entry.hash.clone());
        running.chain(granted).collect()
    }

    /// The same, and what is wrong is for the caller to tell.
    pub(super) async fn try_reload(&self) -> anyhow::Result<()> {
        let mut new = (self.load)()?;
        let mut config = self.config.lock().await;
        for key in config.restart_needed_for(&new) {
            tracing::warn!(key, "changed, but only counts after a new start of the supervisor");
        }
        new.keep_until_restart(&config);
        let old = std::mem::replace(&mut *config, new);
        drop(config);
        match self.apply().await {
            Ok(settled) => {
                self.take_over(&*self.config.lock().await);
                self.complain_of_auth();
                tracing::info!("reloaded");
                task::spawn("plugins after a reload", settled).detach();
                Ok(())
            }
            Err(error) => {
                *self.config.lock().await = old;
                Err(error)
            }
        }
    }

    /// What counts at once.
    fn take_over(&self, config: &Config) {
        self.limits.store(Arc::new(settings::limits(config)));
        self.quotas.reload(Allowances::of(config));
        self.rules.store(Arc::new(settings::rules(config)));
        self.context.services.rules.store(Arc::new(settings::callbacks(config)));
        self.auth.reload(settings::auth(config));
    }

    /// Says what an operator must know of who is let in.
    pub(super) fn complain_of_auth(&self) {
        if !self.auth.is_enabled() {
            tracing::warn!(
                "auth.enabled is false: services and proxies that ask who somebody is let everybody pass"
            );
        } else if let Some(mistake) = self.auth.mistake() {
            tracing::error!(mistake, "nobody is let in by services and proxies that ask");
        }
    }

    /// Whatever the configuration says now: whoever rotates the file sends the same signal.
    fn reopen_access_log(&self) {
        let Some(log) = self.observer.access_log() else { return };
        if !tokio::task::block_in_place(|| log.reopen(ACCESS_LOG_PATIENCE)) {
            tracing::error!("the access log was not opened anew, since its disk is too slow");
        }
    }

    pub(super) fn close_access_log(&self) {
        let Some(log) = self.observer.access_log() else { return };
        if !tokio::task::block_in_place(|| log.close(ACCESS_LOG_PATIENCE)) {
            tracing::warn!("the end of the access log is missing, since its disk is too slow");
        }
    }
}
