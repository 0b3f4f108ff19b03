//! What a driver has under way. Each task is bounded in time by itself and ends in one piece of news.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use outboard_jail::Exit;
use outboard_proto::plugin::v1 as wire;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Checked, News};
use crate::plugin::context::Context;
use crate::plugin::generation::{Failure, Generation};
use crate::plugin::instance::{InstanceSpec, Verdict};
use crate::plugin::log::PluginLog;
use crate::plugin::snapshot::Activation;
use crate::plugin::unit::Installed;
use crate::task;

/// How long a start may keep others waiting.
const TURN: Duration = Duration::from_millis(500);

/// Where news of one generation go.
#[derive(Clone)]
pub(super) struct Reports {
    number: u64,
    sender: mpsc::UnboundedSender<(u64, News)>,
}

impl Reports {
    pub(super) fn new(number: u64, sender: mpsc::UnboundedSender<(u64, News)>) -> Self {
        Self { number, sender }
    }

    fn send(&self, news: News) {
        // A driver that is gone has no use for news.
        let _ = self.sender.send((self.number, news));
    }
}

pub(super) fn start(
    context: Arc<Context>,
    installed: Result<Installed, String>,
    home: String,
    log: Arc<PluginLog>,
    cancel: CancellationToken,
    reports: Reports,
) {
    let number = reports.number;
    task::spawn("start of a plugin", async move {
        let starting = async {
            let installed = installed.map_err(|message| Failure { message, is_permanent: true })?;
            let waiting = context.starts.clone().acquire_owned();
            let turn = cancel.run_until_cancelled(waiting).await.ok_or_else(Failure::aborted)?;
            let starting = Generation::start(&context, &installed, &home, number, &log, &cancel);
            let mut starting = Box::pin(starting);
            let quick = tokio::time::timeout(TURN, &mut starting).await;
            // A plugin that is slow to start must not hold up the others.
            drop(turn);
            match quick {
                Ok(result) => result,
                Err(_) => starting.await,
            }
        };
        reports.send(News::Started(starting.await.map(Arc::new)));
    })
    .detach();
}

pub(super) fn watch_exit(generation: &Arc<Generation>, reports: Reports) {
    // Who drops a generation has it killed, so nothing here may keep it.
    let watched = Arc::downgrade(generation);
    let mut exited = generation.process.exited();
    task::spawn("exit of a plugin", async move {
        // The sender is gone only with the process.
        let _ = exited.wait_for(Option::is_some).await;
        if let Some(generation) = watched.upgrade() {
            // The plugin has ended; this waits until what it left behind has, too.
            let exit = generation.process.kill().await;
            reports.send(News::Exited(exit));
        }
    })
    .detach();
}

pub(super) fn load(generation: Arc<Generation>, reports: Reports) {
    task::spawn("Load", async move { reports.send(News::Loaded(generation.load().await)) })
        .detach();
}

pub(super) fn init(
    generation: Arc<Generation>,
    instances: Vec<InstanceSpec>,
    mut taken: Vec<(InstanceSpec, Verdict)>,
    reason: wire::InitReason,
    reports: Reports,
) {
    task::spawn("Init", async move {
        let mut placed = generation.init(instances, reason).await;
        placed.append(&mut taken);
        reports.send(News::Initialised(placed));
    })
    .detach();
}

/// Asks each changed instance whether it likes its parameters before it is made anew.
pub(super) fn reconfigure(
    generation: Arc<Generation>,
    changed: Vec<InstanceSpec>,
    taken: Vec<(InstanceSpec, Verdict)>,
    reports: Reports,
) {
    task::spawn("Init of changed instances", async move {
        let (mut good, mut bad) = (Vec::new(), taken);
        for spec in changed {
            match generation.check(&spec).await {
                Ok(()) => good.push(spec),
                Err(problems) => bad.push((spec, Err(problems))),
            }
        }
        let mut placed = generation.init(good, wire::InitReason::Reconfigure).await;
        placed.append(&mut bad);
        reports.send(News::Reconfigured(placed));
    })
    .detach();
}

/// Asks about an instance that nothing is made of yet.
pub(super) fn check(
    generation: Arc<Generation>,
    spec: InstanceSpec,
    answer: oneshot::Sender<Checked>,
) {
    task::spawn("Check", async move {
        // Whoever asked may have gone away.
        let _ = answer.send(generation.check(&spec).await);
    })
    .detach();
}

pub(super) fn drain(active: Vec<Arc<Activation>>, reports: Reports) {
    task::spawn("drain", async move {
        for activation in active {
            activation.drained().await;
        }
        reports.send(News::Drained);
    })
    .detach();
}

/// Ends in the news of its exit.
pub(super) fn stop(
    generation: Arc<Generation>,
    active: Vec<Arc<Activation>>,
    reason: wire::CloseReason,
) {
    task::spawn("stop of a plugin", async move {
        generation.stop(active, reason).await;
    })
    .detach();
}

/// Drains and closes activations whose process serves on. Whoever is to know when that is done gives `reports`.
pub(super) fn retire(
    generation: Arc<Generation>,
    activations: Vec<Arc<Activation>>,
    reason: wire::CloseReason,
    reports: Option<Reports>,
) {
    if activations.is_empty() {
        return;
    }
    for activation in &activations {
        generation.room.withdraw(activation.id());
    }
    task::spawn("Close of replaced instances", async move {
        join_all(activations.iter().map(async |activation| {
            generation.drain(activation).await;
            generation.close(activation, reason).await;
        }))
        .await;
        if let Some(reports) = reports {
            let closed = activations.iter().map(|activation| activation.instance().to_owned());
            reports.send(News::Closed(closed.collect()));
        }
    })
    .detach();
}

/// For an operator.
pub(super) fn describe(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("the process exited with code {code}"),
        Exit::Signal { signal, core } => {
            let name = nix::sys::signal::Signal::try_from(signal)
                .map_or_else(|_| signal.to_string(), |signal| signal.to_string());
            let dumped = if core { " and dumped core" } else { "" };
            format!("the process was killed by {name}{dumped}")
        }
    }
}
