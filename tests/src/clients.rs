//! Clients that others have made: curl, h2load, and Python programs of `tests/clients` on their own libraries.

use std::{
    ffi::OsStr,
    io::Read,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{places, supervisor::processes::Process};

/// What a client printed.
#[derive(Debug)]
pub struct Done {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Done {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Itself, if the client ended well.
    pub fn good(self) -> Result<Self> {
        ensure!(self.status.success(), "{}\n{}{}", self.status, self.text(), self.stderr);
        Ok(self)
    }
}

/// curl, silent but for errors. Nothing on this machine configures it.
pub fn curl<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Command> {
    let mut command = Command::new(places::client("curl")?);
    command.args(["--disable", "--silent", "--show-error", "--noproxy", "*"]).args(arguments);
    Ok(command)
}

pub fn h2load<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Command> {
    let mut command = Command::new(places::client("h2load")?);
    command.args(arguments);
    Ok(command)
}

/// A program of `tests/clients`.
pub fn python<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<Command> {
    let mut command = Command::new(places::python()?);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    // Nothing is written beside the sources.
    command.arg("-B").arg(directory.join(program)).args(arguments);
    Ok(command)
}

/// Runs a client to its end, which must come within the limit. It is not asked whether it went well.
pub fn run(command: &mut Command, limit: Duration) -> Result<Done> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let process = Process::open(i32::try_from(child.id())?)?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let ended = process.wait(limit);
    if ended.is_err() {
        process.kill();
    }
    let status = child.wait()?;
    let (stdout, stderr) = (all(stdout)?, String::from_utf8_lossy(&all(stderr)?).into_owned());
    if ended.is_err() {
        let stdout = String::from_utf8_lossy(&stdout);
        bail!("{shown} did not end within {limit:?}:\n{stdout}{stderr}");
    }
    Ok(Done { status, stdout, stderr })
}

fn collect(from: Option<impl Read + Send + 'static>) -> JoinHandle<std::io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            from.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    })
}

fn all(reader: JoinHandle<std::io::Result<Vec<u8>>>) -> Result<Vec<u8>> {
    Ok(reader.join().ok().context("a reader panicked")??)
}
