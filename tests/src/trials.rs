//! Runs tests that embed outboard-host: the launcher is forked while the process has one thread, then the tests
//! run, some at a time, on one runtime.

use std::{future::Future, pin::Pin, process::ExitCode};

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use outboard_jail::Launcher;
use tokio::runtime::Runtime;

/// What a test gets.
pub type Lab = &'static Launcher;

type Outcome = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A named test.
pub struct Case {
    name: &'static str,
    run: Box<dyn FnOnce(Lab) -> Outcome + Send>,
    ignored: bool,
}

/// A test that runs each time.
pub fn case<F>(name: &'static str, run: impl FnOnce(Lab) -> F + Send + 'static) -> Case
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    Case { name, run: Box::new(move |lab| Box::pin(run(lab))), ignored: false }
}

impl Case {
    /// Only runs when asked for with `--ignored`.
    #[must_use]
    pub fn on_request(self) -> Self {
        Self { ignored: true, ..self }
    }
}

/// The whole `main` of a test program.
pub fn main(cases: Vec<Case>) -> ExitCode {
    Launcher::run_if_asked();
    let started = Launcher::fork().and_then(|launcher| Ok((launcher, Runtime::new()?)));
    let (launcher, runtime) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("cannot begin: {error}");
            return ExitCode::FAILURE;
        }
    };
    // For the life of the process: the tests run on threads that cannot borrow from here.
    let launcher: Lab = Box::leak(Box::new(launcher));
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    let trials = cases.into_iter().map(|case| {
        let trial = Trial::test(case.name, move || {
            let outcome = runtime.block_on((case.run)(launcher));
            outcome.map_err(|error| Failed::from(format!("{error:#}")))
        });
        trial.with_ignored_flag(case.ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
