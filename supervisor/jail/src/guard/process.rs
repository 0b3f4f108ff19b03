//! The guard process: starts one plugin, tells how it ends, and ends whatever is left of it.
//!
//! It is a fork of the launcher that never executes anything, so every page it touches is paid for
//! once per plugin: no allocation, no formatting, no environment. Nothing in it may panic, as the
//! C library has not seen the clone that made it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{getpid, pipe2, setsid};

use super::plugin::become_plugin;
use crate::children;
use crate::containment::Containment;
use crate::launcher::process::Plan;
use crate::message::{Order, Report};
use crate::spec::Step;
use crate::sys::{self, Branch, Reaped};

/// How long a killed process may take to die before the tree is looked at again.
const RETRY: Duration = Duration::from_millis(10);

/// Runs in the process that the launcher has just cloned.
pub(crate) fn run(plan: Plan<'_>) -> ! {
    match set_up(&plan) {
        Err((step, errno)) => {
            report(&plan.control, Report::Failed { step, errno: errno as i32 });
            report(&plan.control, Report::Gone);
        }
        Ok(started) => {
            let mut guard = Guard {
                control: plan.control,
                ended: started.ended,
                exec: Some(started.exec),
                plugin: started.plugin,
                has_namespace: plan.containment.has_namespace(),
                is_running: false,
            };
            // The plugin's ends of its pipes: while they are open here, its output never ends.
            drop(plan.stdio);
            drop(plan.file);
            guard.watch();
            guard.end_tree();
        }
    }
    sys::exit(0)
}

struct Started {
    ended: SignalFd,
    exec: OwnedFd,
    plugin: i32,
}

fn set_up(plan: &Plan<'_>) -> Result<Started, (Step, Errno)> {
    let step = |step| move |errno| (step, errno);
    hold_together(plan)?;
    let ended = children::ended().map_err(step(Step::Guard))?;
    let (exec, failure) = pipe2(OFlag::O_CLOEXEC).map_err(step(Step::Guard))?;
    let guard = getpid().as_raw();
    // SAFETY: this process has one thread; the child makes system calls until it executes the
    // program or exits.
    match unsafe { sys::clone(0, libc::SIGCHLD) }.map_err(step(Step::Fork))? {
        Branch::Child => become_plugin(plan, guard, failure.as_fd()),
        Branch::Parent { pid, .. } => Ok(Started { ended, exec, plugin: pid }),
    }
}

fn hold_together(plan: &Plan<'_>) -> Result<(), (Step, Errno)> {
    // Out of the terminal's reach: the supervisor alone decides when plugins stop.
    setsid().map_err(|errno| (Step::Guard, errno))?;
    prctl::set_name(c"outboard-guard").map_err(|errno| (Step::Guard, errno))?;
    match plan.containment {
        Containment::PidNamespace => Ok(()),
        // Fatal: unmapped, the plugin would start all the same, as nobody.
        Containment::UserPidNamespace => {
            plan.owner.map_into_namespace().map_err(|errno| (Step::UserNamespace, errno))
        }
        Containment::SubReaper => {
            prctl::set_child_subreaper(true).map_err(|errno| (Step::Guard, errno))
        }
    }
}

struct Guard {
    /// Liveness and status in one: its end means that the supervisor is gone.
    control: OwnedFd,
    ended: SignalFd,
    /// Open until the program runs; carries the report if it does not.
    exec: Option<OwnedFd>,
    plugin: i32,
    has_namespace: bool,
    /// The program was executed, so how the process ends is its own word.
    is_running: bool,
}

impl Guard {
    /// Returns when the tree has to go: the plugin ended, or the supervisor is gone or said so.
    fn watch(&mut self) {
        loop {
            let ready = sys::poll(
                [
                    Some(self.control.as_fd()),
                    Some(self.ended.as_fd()),
                    self.exec.as_ref().map(AsFd::as_fd),
                ],
                None,
            );
            let Ok([ordered, died, executed]) = ready else { return };
            if executed {
                self.settle();
            }
            if ordered && !self.obey() {
                return;
            }
            if died && self.reap() {
                return;
            }
        }
    }

    /// Learns whether the program runs, and says so. Before anything is reaped: the kernel
    /// translates the plugin's process id only while it is in use.
    fn settle(&mut self) {
        let Some(exec) = self.exec.take() else { return };
        let mut bytes = [0; Report::SIZE];
        let failed = matches!(nix::unistd::read(&exec, &mut bytes), Ok(len) if len > 0);
        drop(exec);
        if failed {
            // The child's own words, passed on.
            report_bytes(&self.control, &bytes, None);
        } else {
            self.is_running = true;
            // The credential needs the privilege that a namespace's first process has, and nothing
            // needs translating without one.
            let sender = self.has_namespace.then_some(self.plugin);
            let started = Report::Started { pid: self.plugin };
            report_bytes(&self.control, &started.encode(), sender);
        }
    }

    /// False at the end of the supervisor's side.
    fn obey(&mut self) -> bool {
        let mut bytes = [0; Order::SIZE];
        match sys::receive(self.control.as_fd(), &mut bytes) {
            Ok(received) if received.len > 0 => {
                if let Some(Order { signal }) = Order::decode(&bytes[..received.len]) {
                    self.signal(signal);
                }
                true
            }
            Err(Errno::EAGAIN | Errno::EMSGSIZE) => true,
            _ => false,
        }
    }

    /// Only this process reaps the plugin, so its id cannot have passed to another.
    fn signal(&self, signal: i32) {
        // It may have ended already; then the report is on its way.
        sys::kill(self.plugin, signal);
    }

    /// Takes every status there is; true if the plugin's was among them.
    fn reap(&mut self) -> bool {
        self.settle();
        children::acknowledge(&self.ended);
        let mut ended = false;
        while let Ok(Some(child)) = sys::reap() {
            ended |= self.note(&child);
        }
        ended
    }

    /// Reports the plugin's end; orphans it left pass in silence.
    fn note(&mut self, child: &Reaped) -> bool {
        let Reaped { pid, status, usage } = *child;
        if pid == self.plugin && self.is_running {
            report(&self.control, Report::Exited { status, usage });
        }
        pid == self.plugin
    }

    /// Kills until nobody is left, and says so.
    fn end_tree(&mut self) {
        loop {
            kill_everyone();
            self.settle();
            children::acknowledge(&self.ended);
            loop {
                match sys::reap() {
                    Ok(Some(child)) => _ = self.note(&child),
                    Ok(None) => break,
                    Err(_) => return report(&self.control, Report::Gone),
                }
            }
            // A listing of children can miss one that is being born; hence not for ever.
            let _ = sys::poll([Some(self.ended.as_fd())], Some(RETRY));
        }
    }
}

/// Kills every process of the tree but this one.
///
/// `kill(-1)` means "everybody in my namespace" only to its first process. To any other it means
/// everybody on the machine, so the test and the call stay together in this function.
fn kill_everyone() {
    const EVERYONE: i32 = -1;
    if getpid().as_raw() == 1 {
        sys::kill(EVERYONE, libc::SIGKILL);
    } else {
        children::for_each(|child| sys::kill(child, libc::SIGKILL));
    }
}

fn report(control: &OwnedFd, report: Report) {
    report_bytes(control, &report.encode(), None);
}

/// The supervisor may be gone; then there is nobody to tell, and the socket's end says so.
fn report_bytes(control: &OwnedFd, bytes: &[u8; Report::SIZE], sender: Option<i32>) {
    let _ = sys::send(control.as_fd(), bytes, &[], sender);
}
