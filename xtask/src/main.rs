//! `cargo xtask`: everything that a developer or CI does with the workspace, one command each.

mod arrows;
mod bench;
mod command;
mod golang;
mod needs;
mod plugins;
mod postgres;
mod python;
mod run;
mod steps;
mod test;
mod tidy;
mod tree;

use std::{env, process::ExitCode};

use anyhow::{Result, bail};

const USAGE: &str = "cargo xtask COMMAND

  run [ARGS]    build everything, assemble the bundled plugins, and serve them on 127.0.0.1:4593;
                ARGS go to `outboard serve`
  test [ARGS]   format, lints, and all tests, with all that they need; ARGS go to `cargo test`
  prepare       builds what the tests run besides themselves; then `cargo test -p e2e` works alone
  tidy          the rules that no compiler checks
  bench [PARTS] measure, and write bench/RESULTS.md; http, calls, starts, idle, route or memory: only those, and
                write nothing";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match dispatch(&command, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> Result<()> {
    match command {
        "run" => run::run(rest),
        "test" => test::test(rest),
        "prepare" => test::prepare(),
        "tidy" => tidy::tidy(),
        "bench" => bench::bench(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        "" => bail!("say what to do\n\n{USAGE}"),
        unknown => bail!("there is no command {unknown:?}\n\n{USAGE}"),
    }
}
