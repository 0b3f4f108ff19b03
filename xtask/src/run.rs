//! `cargo xtask run`: the supervisor and the bundled plugins, as a newcomer meets them.

use std::{fs, os::unix::process::CommandExt as _};

use anyhow::{Context, Result};

use crate::{
    command::{cargo, run as run_command},
    needs, plugins, tree,
};

/// Paths begin at the file's directory; all else has its default. What has to be configured first is there to be
/// looked at, and not started.
fn config() -> String {
    let head = "plugins = \"plugins\"\ndata_dir = \"data\"\n".to_owned();
    plugins::TO_CONFIGURE.iter().fold(head, |config, name| {
        config + &format!("\n[[plugin]]\nname = \"{name}\"\nenabled = false\n")
    })
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    needs::python()?;
    eprintln!("xtask: building (the first time takes some minutes, later ones seconds)");
    let packages = ["mock"].iter().chain(plugins::TO_CONFIGURE);
    let packages: Vec<String> = packages.map(|name| format!("outboard-plugin-{name}")).collect();
    let packages = packages.iter().flat_map(|package| ["-p", package]);
    let mut build = cargo(&["build", "--profile", "trial", "-p", "outboard", "--bins"]);
    run_command(build.args(packages))?;
    let built = tree::target().join("trial");
    let home = tree::target().join("run");
    eprintln!("xtask: assembling the bundled plugins in {}", home.join("plugins").display());
    plugins::assemble(&home.join("plugins"), &built)?;
    plugins::assemble_to_configure(&home.join("plugins"), &built)?;
    fs::create_dir_all(home.join("data"))?;
    let config = home.join("outboard.toml");
    fs::write(&config, self::config())?;
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
