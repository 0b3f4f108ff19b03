//! Drives one unit: feeds the lifecycle with what happens and carries out what it decides.
//!
//! All decisions are in `outboard_core::lifecycle`; what takes time runs in tasks, each bounded by itself,
//! that send their news back with the generation they are about.

mod handle;
mod instances;
mod report;
mod tasks;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use outboard_core::lifecycle::{Action, Event, Lifecycle, State};
use outboard_jail::Exit;
use outboard_proto::plugin::v1 as wire;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub(super) use handle::{Handle, Settled};

use super::context::Context;
use super::generation::{Failure, Generation, Loaded};
use super::instance::{InstanceSpec, Verdict};
use super::log::PluginLog;
use super::status::Status;
use super::unit::Unit;

/// What somebody wants of a unit.
#[derive(Debug)]
pub(super) enum Command {
    /// Answers what there was before it.
    Wish(Event, oneshot::Sender<Before>),
    /// Nobody wants it any more, unless it serves already.
    Abandon,
    /// Another process serves its instances now; it is about to be stopped.
    Replaced,
    /// The directory or the configuration changed.
    Update(Box<Unit>),
    /// Something that an operator should know.
    Note(String),
    /// Whether the plugin would take this instance. Not answered while it does not serve.
    Check(Box<InstanceSpec>, oneshot::Sender<Checked>),
}

/// What a plugin says of an instance that it might get: nothing, or what is wrong, a line each.
pub(super) type Checked = Result<(), Vec<String>>;

/// How things stood when a wish was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    failures: u64,
    /// Its own number: a later wish goes before it.
    wish: u64,
}

/// What became of something under way.
pub(super) enum News {
    Started(Result<Arc<Generation>, Failure>),
    Loaded(Result<Loaded, Failure>),
    Initialised(Vec<(InstanceSpec, Verdict)>),
    /// Instances that were initialised, or given up, beside those that serve.
    Reconfigured(Vec<(InstanceSpec, Verdict)>),
    /// Instances that are gone, and whose `Close` was answered.
    Closed(Vec<String>),
    Drained,
    Exited(Exit),
}

/// What a driver takes over.
#[derive(Debug)]
struct Upgrade {
    active: Vec<String>,
}

/// An instance, and what its last `Init` came to.
struct Placed {
    spec: InstanceSpec,
    verdict: Verdict,
    /// What it was to become, while it serves on as it was.
    refused: Option<Refused>,
}

/// A change that the plugin refused.
struct Refused {
    spec: InstanceSpec,
    problems: Vec<String>,
}

struct Driver {
    context: Arc<Context>,
    unit: Unit,
    log: Arc<PluginLog>,
    machine: Lifecycle,
    since: SystemTime,
    number: u64,
    /// Cancels the start under way.
    starting: Option<CancellationToken>,
    generation: Option<Arc<Generation>>,
    loaded: Option<wire::LoadResponse>,
    placed: Vec<Placed>,
    /// Instances that are gone, but whose `Close` is not answered yet.
    closing: Vec<String>,
    /// Activations whose clients are told to come back later.
    away: Vec<String>,
    /// The process before this one was lost.
    was_lost: bool,
    /// Instances are being made anew; what the configuration says meanwhile waits.
    is_reconfiguring: bool,
    /// See [`Command::Replaced`].
    is_replaced: bool,
    /// Set in one that is to take over from another: what serves there must serve here.
    upgrade: Option<Upgrade>,
    status: Status,
    commands: mpsc::UnboundedReceiver<Command>,
    news: mpsc::UnboundedReceiver<(u64, News)>,
    sender: mpsc::UnboundedSender<(u64, News)>,
    published: watch::Sender<Status>,
}

impl Driver {
    async fn run(mut self) {
        loop {
            let timeout = self.machine.poll_timeout().map(tokio::time::Instant::from_std);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some((number, news)) = self.news.recv() => self.hear(number, news),
                () = tokio::time::sleep_until(timeout.unwrap_or_else(far)), if timeout.is_some() => {
                    self.step(Event::Timeout);
                }
            }
            self.publish_status();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Wish(event, answer) => {
                self.status.wishes += 1;
                let before = Before { failures: self.status.failures, wish: self.status.wishes };
                self.step(event);
                self.publish_status();
                // Whoever asked may have gone away.
                let _ = answer.send(before);
            }
            Command::Abandon => {
                if self.machine.state() != State::Serving {
                    self.step(Event::Stop);
                }
            }
            Command::Replaced => self.is_replaced = true,
            Command::Update(unit) => self.update(*unit),
            Command::Note(message) => self.status.error = Some(message),
            Command::Check(spec, answer) => {
                if self.machine.state() == State::Serving && !self.status.is_foreign {
                    self.with_generation(|generation, _| tasks::check(generation, *spec, answer));
                }
            }
        }
    }

    /// News of an earlier generation are about a process that no longer matters.
    fn hear(&mut self, number: u64, news: News) {
        if number != self.number {
            return;
        }
        match news {
            News::Started(result) => self.started(result),
            News::Loaded(result) => self.has_loaded(result),
            News::Initialised(placed) => {
                let placed = placed.into_iter();
                self.placed = placed.map(|(spec, verdict)| Placed::new(spec, verdict)).collect();
                self.initialised();
            }
            News::Reconfigured(placed) => self.reconfigured(placed),
            News::Closed(names) => self.closing.retain(|name| !names.contains(name)),
            News::Drained => self.step(Event::Drained),
            News::Exited(exit) => self.exited(exit),
        }
    }

    fn step(&mut self, event: Event) {
        let before = self.machine.state();
        self.machine.set_policy(self.context.settings().policy);
        let actions = self.machine.step(Instant::now(), event);
        let after = self.machine.state();
        if std::mem::discriminant(&before) != std::mem::discriminant(&after) {
            self.since = SystemTime::now();
            tracing::debug!(plugin = self.unit.key, ?event, ?after, "plugin changed its state");
        }
        for action in actions {
            self.carry_out(*action);
        }
        if after == State::Stopped {
            self.give_up_away();
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Spawn => self.spawn(),
            Action::Abort => {
                if let Some(starting) = self.starting.take() {
                    starting.cancel();
                }
            }
            Action::Load => self.with_generation(tasks::load),
            Action::Init => self.init(),
            Action::Publish => self.publish(),
            Action::Withdraw => self.withdraw(),
            Action::Drain => self.drain(),
            Action::Terminate => self.terminate(),
            Action::Forget => self.forget(),
        }
    }

    fn spawn(&mut self) {
        self.number += 1;
        let cancel = CancellationToken::new();
        self.starting = Some(cancel.clone());
        let reports = self.reports();
        let installed = self.unit.installed.clone();
        let home = self.unit.plugin.clone();
        tasks::start(self.context.clone(), installed, home, self.log.clone(), cancel, reports);
    }

    fn started(&mut self, result: Result<Arc<Generation>, Failure>) {
        self.starting = None;
        match result {
            Ok(generation) => {
                tasks::watch_exit(&generation, self.reports());
                self.generation = Some(generation);
                if self.machine.state() == State::Starting {
                    self.step(Event::Connected);
                } else {
                    // It was aborted at the very moment it was done.
                    self.terminate();
                }
            }
            Err(failure) => {
                let is_permanent = failure.is_permanent;
                if self.machine.state() == State::Starting {
                    self.fail(failure.message);
                }
                self.step(Event::StartFailed { permanent: is_permanent });
            }
        }
    }

    fn has_loaded(&mut self, result: Result<Loaded, Failure>) {
        match result.and_then(|loaded| self.accept(loaded)) {
            Ok(Some(response)) => {
                self.loaded = Some(response);
                self.step(Event::Loaded);
            }
            Ok(None) => {
                self.status.is_foreign = true;
                self.serving();
                self.step(Event::Foreign);
            }
            Err(failure) => {
                self.fail(failure.message);
                self.step(Event::LoadFailed { permanent: failure.is_permanent });
            }
        }
    }

    /// A plugin is who its manifest says; without one it is who it says, if nobody else is.
    fn accept(&mut self, loaded: Loaded) -> Result<Option<wire::LoadResponse>, Failure> {
        let Loaded::Plugin(response) = loaded else { return Ok(None) };
        let refused = |message| Err(Failure { message, is_permanent: true });
        let Ok(installed) = &mut self.unit.installed else { return Ok(Some(response)) };
        let name = match outboard_core::name::PluginName::new(&response.name) {
            Ok(name) => name,
            Err(error) => return refused(format!("Load answered a wrong name: {error}")),
        };
        if !installed.is_lone && installed.manifest.name != name {
            return refused(format!(
                "Load answered the name {:?}, but plugin.toml says {:?}; make them equal",
                response.name,
                installed.name()
            ));
        }
        if let Err(other) = self.context.claim(name.as_str(), &self.unit.plugin) {
            return refused(format!(
                "Load answered the name {:?}, which the plugin {other:?} has already; remove one of them",
                response.name
            ));
        }
        installed.manifest.name = name;
        Ok(Some(response))
    }

    fn serving(&mut self) {
        let took = self.generation.as_ref().map(|live| live.began.elapsed());
        self.was_lost = false;
        self.status.start_time = took;
        self.status.error = None;
        let pid = self.generation.as_ref().map(|generation| generation.process.pid());
        let took = took.unwrap_or_default();
        tracing::info!(plugin = self.unit.key, pid, ?took, "plugin serves");
    }

    fn terminate(&mut self) {
        let active = self.active();
        let reason = if self.is_replaced {
            wire::CloseReason::Replaced
        } else {
            wire::CloseReason::Shutdown
        };
        self.with_generation(|generation, _| tasks::stop(generation, active, reason));
    }

    fn forget(&mut self) {
        if let Some(generation) = self.generation.take() {
            for activation in self.active() {
                generation.room.dismiss(activation.id());
            }
        }
        self.loaded = None;
        self.placed.clear();
        self.closing.clear();
        self.is_reconfiguring = false;
        self.status.is_foreign = false;
    }

    fn exited(&mut self, exit: Exit) {
        if !matches!(self.machine.state(), State::Draining { .. } | State::Stopping { .. }) {
            self.was_lost = true;
            let last_words = self.generation.as_ref().and_then(|it| it.process.last_words().pop());
            let last_words =
                last_words.map(|line| format!(", saying {line:?}")).unwrap_or_default();
            let (exit, key) = (tasks::describe(exit), &self.unit.key);
            self.fail(format!("{exit}{last_words}; see `outboard plugin logs {key}`"));
        }
        self.step(Event::Exited);
    }

    fn fail(&mut self, message: String) {
        tracing::error!(plugin = self.unit.key, "{message}");
        self.status.failures += 1;
        self.status.error = Some(message);
    }

    /// A process that would be started otherwise now is restarted; else only its instances change.
    fn update(&mut self, unit: Unit) {
        let is_same = self.unit.starts_like(&unit);
        let name =
            self.unit.installed.as_ref().ok().map(|installed| installed.manifest.name.clone());
        let was_enabled = self.unit.is_enabled;
        self.unit = unit;
        if let (true, Ok(installed), Some(name)) = (is_same, &mut self.unit.installed, name) {
            // What Load answered holds as long as the process.
            installed.manifest.name = name;
        }
        if self.unit.is_enabled != was_enabled {
            let wish = if self.unit.is_enabled { Event::Start } else { Event::Stop };
            self.step(wish);
        } else if !is_same && self.machine.state() != State::Stopped {
            self.step(Event::Restart);
        } else if is_same && self.machine.state() == State::Serving {
            // What kept an upgrade from starting is gone with the upgrade.
            self.status.error = None;
            self.reconfigure();
        }
    }

    fn reports(&self) -> tasks::Reports {
        tasks::Reports::new(self.number, self.sender.clone())
    }

    /// Does nothing without a process: the lifecycle asks for it only while there is one.
    fn with_generation(&self, act: impl FnOnce(Arc<Generation>, tasks::Reports)) {
        if let Some(generation) = &self.generation {
            act(generation.clone(), self.reports());
        }
    }
}

fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_hours(24)
}
