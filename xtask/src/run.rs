//! `cargo xtask run`: the supervisor and the bundled plugins, as a newcomer meets them.

use std::{fs, os::unix::process::CommandExt as _};

use anyhow::{Context, Result};

use crate::{
    command::{cargo, run as run_command},
    needs, plugins, tree,
};

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
    // In our place, so that Ctrl-C and a closed terminal reach the supervisor itself.
    let error = std::process::Command::new(built.join("outboard"))
        .arg("serve")
        .arg("--plugins")
        .arg(home.join("plugins"))
        .arg("--data-dir")
        .arg(home.join("data"))
        .args(arguments)
        .current_dir(tree::root())
        .exec();
    Err(error).context("cannot run the supervisor that was just built")
}
