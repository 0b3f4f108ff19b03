//! The last moments before a plugin's program takes over its process, in the order that the kernel
//! asks for.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{Gid, Uid, chdir, getppid, setgroups, setresgid, setresuid, setsid};

use crate::launcher::process::Plan;
use crate::message::Report;
use crate::spec::{Step, User};
use crate::sys;

/// Becomes the plugin, or says on `failure` why not.
pub(super) fn become_plugin(plan: &Plan<'_>, guard: i32, failure: BorrowedFd<'_>) -> ! {
    let (step, errno) = match prepare(plan, guard) {
        Err(failed) => failed,
        Ok(()) => (Step::Program, execute(plan)),
    };
    let report = Report::Failed { step, errno: errno as i32 };
    // Nothing is left to do if the guard is gone.
    let _ = nix::unistd::write(failure, &report.encode());
    sys::exit(127)
}

fn prepare(plan: &Plan<'_>, guard: i32) -> Result<(), (Step, Errno)> {
    let step = |step| move |errno| (step, errno);
    setsid().map_err(step(Step::Confine))?;
    connect_stdio(plan).map_err(step(Step::Stdio))?;
    sys::close_all_on_exec();
    let limit = plan.open_files;
    setrlimit(Resource::RLIMIT_NOFILE, limit.soft, limit.hard).map_err(step(Step::OpenFiles))?;
    if let Some(user) = plan.user {
        switch_to(user).map_err(step(Step::User))?;
    }
    // After the switch, so that a directory the plugin could not enter itself is refused.
    chdir(plan.dir).map_err(step(Step::Directory))?;
    confine(plan, guard).map_err(step(Step::Confine))?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).map_err(step(Step::Confine))
}

fn connect_stdio(plan: &Plan<'_>) -> Result<(), Errno> {
    for (descriptor, number) in plan.stdio.iter().zip(0..) {
        sys::copy_to(descriptor.as_fd(), number)?;
    }
    Ok(())
}

fn switch_to(user: User) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&[gid])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

fn confine(plan: &Plan<'_>, guard: i32) -> Result<(), Errno> {
    // A guard without privilege could not kill what a set-user-id program made of the plugin.
    if !plan.is_root {
        prctl::set_no_new_privs()?;
    }
    if plan.containment.has_namespace() {
        return Ok(());
    }
    // After the switch of user, which clears it.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The guard may have died before that.
    if getppid().as_raw() == guard { Ok(()) } else { Err(Errno::ESRCH) }
}

fn execute(plan: &Plan<'_>) -> Errno {
    let file = plan.file.as_ref().map(AsFd::as_fd);
    // SAFETY: the plan's arrays end with null, and point into strings that the request's decoding
    // has found to end with NUL.
    unsafe { sys::exec(plan.path, file, &plan.argv, &plan.envp) }
}
