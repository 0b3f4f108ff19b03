//! The binary `outboard`.

use std::process::ExitCode;

use clap::Parser as _;
use outboard::cli::{self, Cli};
use outboard::environment::Environment;
use outboard_jail::Launcher;

/// A gateway allocates and frees a few kilobytes for each request, which glibc's allocator makes work of.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Never returns if this is the supervisor's launcher, started once more.
    Launcher::run_if_asked();
    cli::run(Cli::parse(), Environment::new(std::env::vars_os()))
}
