//! What a plugin's process is started with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use outboard_core::manifest;
use outboard_host::{Launch, TlsMode};
use outboard_proto::env;

use super::Failure;
use crate::dirs::GenerationDir;
use crate::plugin::context::Context;
use crate::plugin::unit::Installed;

/// Of `OUTBOARD_HOST_ADDRESS`, in bytes: what every gRPC client takes, whatever its language.
const LONGEST_HOST_ADDRESS: usize = 100;

/// A plugin that runs as root can do what the supervisor can.
pub(super) fn warn_of_root(installed: &Installed) {
    if installed.user.is_none_or(|user| user.uid == 0) && nix::unistd::geteuid().is_root() {
        let plugin = installed.name();
        tracing::warn!(plugin, "runs as root; name another with `user` in its [[plugin]] entry");
    }
}

/// What is started, with exactly the environment and directories that are a plugin's.
pub(super) fn launch(
    context: &Context,
    installed: &Installed,
    home: &str,
    dir: &GenerationDir,
    host_socket: &Path,
) -> Result<Launch, Failure> {
    let manifest = &installed.manifest;
    let program = installed.program.open().map_err(|error| {
        let path = installed.program.path.display();
        Failure::permanent(format!("{path}: {error}; send SIGHUP to import the plugin again"))
    })?;
    let work_dir = context.dirs.work(home, installed.user).map_err(Failure::passing)?;
    let host_address = format!("unix://{}", host_socket.display());
    if host_address.len() > LONGEST_HOST_ADDRESS {
        return Err(Failure::permanent(
            "the runtime directory is too long for OUTBOARD_HOST_ADDRESS; choose a shorter runtime_dir",
        ));
    }
    let mut variables: BTreeMap<_, _> =
        context.environment.for_plugin(&manifest.env).into_iter().collect();
    // The operator's word goes before the environment's, and the host's before both.
    variables.extend(installed.env.iter().cloned());
    variables.extend([
        (OsString::from("HOME"), work_dir.clone().into_os_string()),
        (OsString::from("TMPDIR"), dir.temporary().into_os_string()),
        (OsString::from(env::HOST_ADDRESS), OsString::from(host_address)),
    ]);
    let settings = context.settings();
    let go_plugin = &manifest.go_plugin;
    Ok(Launch {
        name: installed.name().to_owned(),
        program,
        args: installed.program.args.clone(),
        env: variables.into_iter().collect(),
        work_dir,
        socket_dir: dir.sockets(),
        broker_dir: dir.host(),
        cookie: (go_plugin.cookie_key.clone(), go_plugin.cookie_value.clone()),
        versions: go_plugin.versions.clone(),
        tls: match manifest.tls {
            manifest::Tls::Auto => TlsMode::Auto,
            manifest::Tls::Required => TlsMode::Required,
            manifest::Tls::Off => TlsMode::Off,
        },
        containment: context.containment,
        user: installed.user,
        start_timeout: manifest.start_timeout.unwrap_or(settings.start_timeout),
        allow_remote_tcp: installed.remote_tcp,
    })
}
