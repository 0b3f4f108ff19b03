//! `cargo xtask run`: the supervisor and the bundled plugins, as a newcomer meets them.

use std::{fs, os::unix::process::CommandExt as _};

use anyhow::{Context, Result};

use crate::{
    command::{cargo, run as run_command},
    needs, plugins, tree,
};

/// Paths begin at the file's directory; all else has its default.
const CONFIG: &str = "plugins = \"plugins\"\ndata_dir = \"data\"\n";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    needs::python()?;
    eprintln!("xtask: building (the first time takes some minutes, later ones seconds)");
    run_command(&mut cargo(&[
        "build",
        "--release",
        "-p",
        "outboard",
        "-p",
        "outboard-plugin-mock",
        "--bins",
    ]))?;
    let built = tree::target().join("release");
    let home = tree::target().join("run");
    eprintln!("xtask: assembling the bundled plugins in {}", home.join("plugins").display());
    plugins::assemble(&home.join("plugins"), &built)?;
    fs::create_dir_all(home.join("data"))?;
    let config = home.join("outboard.toml");
    fs::write(&config, CONFIG)?;
    // In our place, so that Ctrl-C and a closed terminal reach the supervisor itself.
    let mut serve = std::process::Command::new(built.join("outboard"));
    serve.arg("serve").arg("--config").arg(config).args(arguments).current_dir(tree::root());
    // What this machine says about another supervisor is not about this one.
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|name| name.to_string_lossy().starts_with("OUTBOARD_")) {
        serve.env_remove(name);
    }
    Err(serve.exec()).context("cannot run the supervisor that was just built")
}
