//! Runs a go-plugin program under outboard-host, as an application that embeds it would.

use std::{ffi::OsString, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use outboard_host::{Launch, Output, Process, StartError, TlsMode};
use outboard_jail::{Containment, Launcher, Program};
use tempfile::TempDir;

use crate::{collect::Collected, places};

/// The cookie of go-plugin's own examples.
pub const EXAMPLE_COOKIE: (&str, &str) = ("BASIC_PLUGIN", "hello");
/// The cookie of the lab plugins.
pub const LAB_COOKIE: (&str, &str) = ("OUTBOARD_LAB", "lab");

/// How a plugin is to be started. Public, so that a test changes what it is about.
pub struct Start<'a> {
    pub program: &'a Path,
    pub args: &'a [&'a str],
    pub cookie: (&'a str, &'a str),
    pub versions: &'a [u32],
    pub tls: TlsMode,
}

/// A running plugin, its directories, and what it says.
pub struct Running {
    pub process: Process,
    pub said: Arc<Collected>,
    /// Its working directory and the directory of its sockets.
    pub work: TempDir,
    pub sockets: TempDir,
}

impl Start<'_> {
    /// Starts it. The outer error is the test's own fault.
    pub async fn run(&self, launcher: &Launcher) -> Result<Result<Running, StartError>> {
        let (work, sockets) = (directory()?, directory()?);
        let said = Collected::new();
        let mut args: Vec<OsString> = vec![self.program.as_os_str().to_owned()];
        args.extend(self.args.iter().map(OsString::from));
        let launch = Launch {
            name: "under-test".to_owned(),
            program: Program::Path(self.program.to_path_buf()),
            args,
            env: Vec::new(),
            work_dir: work.path().to_path_buf(),
            socket_dir: sockets.path().to_path_buf(),
            broker_dir: sockets.path().to_path_buf(),
            cookie: (self.cookie.0.to_owned(), self.cookie.1.to_owned()),
            versions: self.versions.to_vec(),
            tls: self.tls,
            containment: Containment::strongest(),
            user: None,
            start_timeout: Duration::from_secs(30),
            allow_remote_tcp: false,
        };
        let output: Arc<dyn Output> = said.clone();
        let started = Process::start(launcher, launch, output).await;
        Ok(started.map(|process| Running { process, said, work, sockets }))
    }
}

/// Starts the Go lab plugin.
pub async fn lab(launcher: &Launcher, tls: TlsMode) -> Result<Running> {
    let program = places::go("lab-plugin")?;
    let start = Start { program: &program, args: &[], cookie: LAB_COOKIE, versions: &[1], tls };
    start.run(launcher).await?.context("the lab plugin does not start")
}

/// Short, because sockets go into it.
fn directory() -> Result<TempDir> {
    tempfile::Builder::new().prefix("ob").tempdir_in("/tmp").context("no directory below /tmp")
}
