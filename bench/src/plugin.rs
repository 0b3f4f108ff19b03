//! Starts a plugin in the two ways that are compared: through outboard-host, and bare.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use outboard_host::{Launch, Process, TlsMode};
use outboard_jail::{Containment, Launcher, Program};
use tempfile::TempDir;

use crate::program::{built, directory};

/// The cookie of the lab service.
const COOKIE: (&str, &str) = ("OUTBOARD_LAB", "lab");

/// Our plugin of the lab service.
pub(crate) fn ours() -> Result<PathBuf> {
    built("bench-plugin")
}

/// Under outboard-host. Stopped when dropped, as the process is.
pub(crate) struct Supervised {
    pub(crate) process: Process,
    _directory: TempDir,
}

/// A plugin of the lab service.
pub(crate) async fn supervised(
    launcher: &Launcher,
    program: &Path,
    tls: TlsMode,
) -> Result<Supervised> {
    supervised_with(launcher, program, tls, COOKIE, Vec::new()).await
}

/// Any plugin, with variables of its own.
pub(crate) async fn supervised_with(
    launcher: &Launcher,
    program: &Path,
    tls: TlsMode,
    cookie: (&str, &str),
    env: Vec<(OsString, OsString)>,
) -> Result<Supervised> {
    let directory = directory()?;
    let path = directory.path().to_path_buf();
    let launch = Launch {
        name: "bench".to_owned(),
        program: Program::Path(program.to_path_buf()),
        args: vec![program.as_os_str().to_owned()],
        env,
        work_dir: path.clone(),
        socket_dir: path.clone(),
        broker_dir: path,
        cookie: (cookie.0.to_owned(), cookie.1.to_owned()),
        versions: vec![1],
        tls,
        containment: Containment::strongest(),
        user: None,
        start_timeout: Duration::from_secs(30),
        allow_remote_tcp: false,
    };
    let process = Process::start(launcher, launch, Arc::new(())).await?;
    Ok(Supervised { process, _directory: directory })
}

/// Spawned by the standard library, connected to, one byte read, and nothing more. Killed when dropped.
pub(crate) struct Bare {
    child: Child,
    _connection: UnixStream,
    _directory: TempDir,
}

impl Bare {
    pub(crate) fn start(program: &Path, argument: Option<&str>) -> Result<Self> {
        let directory = directory()?;
        let mut child = Command::new(program)
            .args(argument)
            .env_clear()
            .env(COOKIE.0, COOKIE.1)
            .env("PLUGIN_PROTOCOL_VERSIONS", "1")
            .env("PLUGIN_UNIX_SOCKET_DIR", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.as_mut().context("no stdout")?);
        stdout.read_line(&mut line)?;
        let path = line.split('|').nth(3).context("no address in the first line")?;
        let mut connection = UnixStream::connect(path)?;
        // Servers of HTTP/2 speak first, as the bare mode of our plugin does.
        connection.read_exact(&mut [0])?;
        Ok(Self { child, _connection: connection, _directory: directory })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
