//! A driver, as everybody else sees it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use outboard_core::lifecycle::{Event, Lifecycle, State};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Before, Checked, Command, Driver, Upgrade};
use crate::plugin::context::Context;
use crate::plugin::instance::InstanceSpec;
use crate::plugin::log::PluginLog;
use crate::plugin::status::Status;
use crate::plugin::unit::Unit;
use crate::task;

/// Tells one driver what is wanted, and what it has come to.
pub(crate) struct Handle {
    plugin: String,
    /// What the driver was last told to run.
    known: Mutex<Unit>,
    commands: mpsc::UnboundedSender<Command>,
    status: watch::Receiver<Status>,
    log: Arc<PluginLog>,
    _driver: task::Owned,
}

/// What a wish has come to.
#[derive(Debug)]
pub(crate) enum Settled {
    Serving,
    Stopped,
    /// It went wrong, and this is why.
    Failed(String),
}

impl Handle {
    /// Begins to drive `unit`. It is not started before somebody asks for it.
    pub(crate) fn new(context: Arc<Context>, unit: Unit) -> Self {
        let log = PluginLog::new(unit.key.clone(), context.site().log_rate);
        Self::with(context, unit, log, 0, None)
    }

    /// Begins to drive `unit` beside `self`, which serves until the new one can take over.
    pub(crate) fn successor(&self, context: Arc<Context>, unit: Unit) -> Self {
        let status = self.status();
        let active = status.instances.into_iter().filter(|instance| instance.activation.is_some());
        let upgrade = Upgrade { active: active.map(|instance| instance.name).collect() };
        Self::with(context, unit, self.log.clone(), status.generation, Some(upgrade))
    }

    fn with(
        context: Arc<Context>,
        unit: Unit,
        log: Arc<PluginLog>,
        number: u64,
        upgrade: Option<Upgrade>,
    ) -> Self {
        let machine = Lifecycle::new(context.settings().policy);
        let status = Status::new(unit.key.clone(), unit.hash().to_owned());
        let (published, status_receiver) = watch::channel(status.clone());
        let (commands, command_receiver) = mpsc::unbounded_channel();
        let (sender, news) = mpsc::unbounded_channel();
        let (plugin, known) = (unit.plugin.clone(), Mutex::new(unit.clone()));
        let driver = Driver {
            context,
            unit,
            log: log.clone(),
            machine,
            since: SystemTime::now(),
            number,
            starting: None,
            generation: None,
            loaded: None,
            placed: Vec::new(),
            closing: Vec::new(),
            away: Vec::new(),
            was_lost: false,
            is_reconfiguring: false,
            is_replaced: false,
            upgrade,
            status,
            commands: command_receiver,
            news,
            sender,
            published,
        };
        let task = task::spawn("driver of a plugin", driver.run());
        Self { plugin, known, commands, status: status_receiver, log, _driver: task }
    }

    /// The plugin as it was found, which its parts share.
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Tells of each status after the current one.
    pub(crate) fn changes(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    pub(crate) fn log(&self) -> &Arc<PluginLog> {
        &self.log
    }

    /// Whether a process started for `unit` would not be as the one that serves now.
    pub(crate) fn needs_upgrade(&self, unit: &Unit) -> bool {
        unit.is_enabled && self.status().state == State::Serving && !self.runs_like(unit)
    }

    /// Whether a process started for `unit` would be as one of this.
    pub(crate) fn runs_like(&self, unit: &Unit) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).starts_like(unit)
    }

    /// What it was last told to run.
    pub(crate) fn known(&self) -> Unit {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops it before it serves. One that serves already goes on.
    pub(crate) fn abandon(&self) {
        // A driver ends only with its handle.
        let _ = self.commands.send(Command::Abandon);
    }

    /// Another process serves its instances now. To be said before it is stopped.
    pub(crate) fn replaced(&self) {
        // A driver ends only with its handle.
        let _ = self.commands.send(Command::Replaced);
    }

    pub(crate) fn note(&self, message: String) {
        // A driver ends only with its handle.
        let _ = self.commands.send(Command::Note(message));
    }

    pub(crate) fn update(&self, unit: Unit) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = unit.clone();
        // A driver ends only with its handle.
        let _ = self.commands.send(Command::Update(Box::new(unit)));
    }

    /// What the plugin says of an instance that it might get. `None`: it can't be asked now.
    pub(crate) async fn check(&self, spec: InstanceSpec) -> Option<Checked> {
        let (answer, checked) = oneshot::channel();
        // A driver ends only with its handle.
        let _ = self.commands.send(Command::Check(Box::new(spec), answer));
        checked.await.ok()
    }

    /// Makes a wish, and gives a future of what it comes to. Dropping that changes nothing.
    pub(crate) fn wish(&self, event: Event) -> impl Future<Output = Settled> + Send + use<> {
        let (answer, before) = oneshot::channel();
        let sent = self.commands.send(Command::Wish(event, answer)).is_ok();
        let mut status = self.status.clone();
        async move {
            let gone = || Settled::Failed("the supervisor is stopping".to_owned());
            let Ok(before) = before.await else { return gone() };
            debug_assert!(sent);
            let settled = status.wait_for(|status| is_settled(event, status, before)).await;
            settled.map_or_else(|_| gone(), |status| outcome(event, &status, before))
        }
    }
}

fn is_settled(event: Event, status: &Status, before: Before) -> bool {
    if status.wishes > before.wish {
        return true;
    }
    match status.state {
        State::Stopped | State::Failed => true,
        State::Serving => event != Event::Stop,
        State::Starting
        | State::Loading
        | State::Initialising
        | State::Draining { .. }
        | State::Stopping { .. }
        | State::Backoff { .. } => event != Event::Stop && status.failures > before.failures,
    }
}

fn outcome(event: Event, status: &Status, before: Before) -> Settled {
    if status.wishes > before.wish && !is_as_wished(event, status.state) {
        return Settled::Failed("another command came after this one".to_owned());
    }
    match status.state {
        State::Serving => Settled::Serving,
        State::Stopped => Settled::Stopped,
        State::Starting
        | State::Loading
        | State::Initialising
        | State::Draining { .. }
        | State::Stopping { .. }
        | State::Backoff { .. }
        | State::Failed => Settled::Failed(status.error.clone().unwrap_or_default()),
    }
}

fn is_as_wished(event: Event, state: State) -> bool {
    if event == Event::Stop { state == State::Stopped } else { state == State::Serving }
}
