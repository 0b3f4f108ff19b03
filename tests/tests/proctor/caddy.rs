//! Caddy, by `forward_auth`.

use std::{path::Path, process::Command};

use anyhow::Result;
use e2e::{places, supervisor::stage::Stage};

use crate::{backend, matrix, proxy::Proxy};

fn caddy(stage: &Stage) -> Result<Proxy> {
    Proxy::start(stage, "Caddyfile", backend::start()?, |config| {
        let mut command = Command::new(places::client("caddy")?);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
        // What it writes stays here.
        let directory = config.parent().unwrap_or(Path::new("/"));
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, directory);
        }
        Ok(command)
    })
}

#[test]
fn caddy_lets_in_whom_it_should_and_nobody_else() -> Result<()> {
    matrix::while_the_plugin_is_up(caddy)
}

#[test]
fn caddy_lets_nobody_in_while_the_auth_plugin_is_stopped() -> Result<()> {
    matrix::while_the_plugin_is_stopped(caddy)
}

#[test]
fn caddy_lets_nobody_in_while_the_auth_plugin_hangs() -> Result<()> {
    matrix::while_the_plugin_hangs(caddy)
}

#[test]
fn caddy_lets_nobody_in_while_outboard_is_gone() -> Result<()> {
    matrix::while_outboard_is_gone(caddy, 502)
}
