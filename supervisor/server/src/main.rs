//! The binary `outboard`.

use std::process::ExitCode;

use clap::Parser as _;
use outboard::cli::{self, Cli};
use outboard::environment::Environment;
use outboard_jail::Launcher;

fn main() -> ExitCode {
    // Never returns if this is the supervisor's launcher, started once more.
    Launcher::run_if_asked();
    cli::run(Cli::parse(), Environment::new(std::env::vars_os()))
}
