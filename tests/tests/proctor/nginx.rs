//! nginx, by `auth_request`.

use std::{path::Path, process::Command};

use anyhow::Result;
use e2e::{places, supervisor::stage::Stage};

use crate::{backend, matrix, proxy::Proxy};

fn nginx(stage: &Stage) -> Result<Proxy> {
    Proxy::start(stage, "nginx.conf", backend::start()?, |config| {
        let directory = config.parent().unwrap_or(Path::new("/")).display().to_string();
        // One process, so that it is gone when it is killed; and our own user, who may reach the socket.
        let more = format!(
            "daemon off; master_process off; user root; pid {directory}/pid; error_log stderr;"
        );
        let mut command = Command::new(places::client("nginx")?);
        command.args(["-p", &directory, "-e", "stderr", "-g", &more, "-c"]).arg(config);
        Ok(command)
    })
}

#[test]
fn nginx_lets_in_whom_it_should_and_nobody_else() -> Result<()> {
    matrix::while_the_plugin_is_up(nginx)
}

#[test]
fn nginx_lets_nobody_in_while_the_auth_plugin_is_stopped() -> Result<()> {
    matrix::while_the_plugin_is_stopped(nginx)
}

#[test]
fn nginx_lets_nobody_in_while_the_auth_plugin_hangs() -> Result<()> {
    matrix::while_the_plugin_hangs(nginx)
}

#[test]
fn nginx_lets_nobody_in_while_outboard_is_gone() -> Result<()> {
    matrix::while_outboard_is_gone(nginx, 503)
}
