//! `outboard-host` with real processes: this program executes itself as scripted plugins.
//!
//! It has its own `main` because the launcher must be forked before there are threads, which the
//! usual test harness starts first.

mod badinput;
mod broker;
mod connector;
mod environment;
mod handshake;
mod lifecycle;
mod output;
mod plugin;
mod stage;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use outboard_host::{Containment, Launcher};
use tokio::runtime::Runtime;

use stage::Stage;

fn main() -> ExitCode {
    Launcher::run_if_asked();
    plugin::run_if_asked();
    let launcher = Launcher::fork().expect("this process has one thread");
    let launcher: &'static Launcher = Box::leak(Box::new(launcher));
    let runtime: &'static Runtime = Box::leak(Box::new(Runtime::new().expect("a runtime")));

    let mut trials = Vec::new();
    // Once with what this machine's kernel and user give, and the tree's own tests once more with
    // what every machine gives.
    let strongest = Containment::strongest();
    let weakest = Some(Containment::SubReaper).filter(|weakest| *weakest != strongest);
    for containment in std::iter::once(strongest).chain(weakest) {
        let mut add = |name: &str, test: fn(Stage)| {
            let name = format!("{name} in a {containment}");
            trials.push(Trial::test(name, move || {
                test(Stage::new(launcher, runtime, containment));
                Ok(())
            }));
        };
        lifecycle::tests(&mut add);
        if containment == strongest {
            badinput::tests(&mut add);
            broker::tests(&mut add);
            connector::tests(&mut add);
            environment::tests(&mut add);
            handshake::tests(&mut add);
            output::tests(&mut add);
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Names tests and hands them over: `tests! { add; h09_…, h10_… }`. Each is `async fn(Stage)`.
#[macro_export]
macro_rules! tests {
    ($($test:ident),+ $(,)?) => {
        /// Hands over each test with its name.
        pub(crate) fn tests(add: &mut impl FnMut(&str, fn($crate::stage::Stage))) {
            $(add(stringify!($test), |stage| stage.runtime.block_on($test(stage)));)+
        }
    };
}
