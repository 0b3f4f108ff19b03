//! A PostgreSQL server of our own for the length of the tests: its own directory, a free port, no fsync.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, chown, geteuid},
};
use tempfile::TempDir;

use crate::needs;

const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(20);

/// Runs until dropped.
pub(crate) struct Postgres {
    server: Child,
    port: u16,
    directory: TempDir,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let binaries = needs::postgres()?;
        let owner = unprivileged()?;
        // A directory below the temporary one: short enough for a socket's path, and open to `owner` where the
        // workspace is not.
        let directory = tempfile::Builder::new().prefix("outboard-postgres-").tempdir()?;
        if let Some(owner) = &owner {
            chown(directory.path(), Some(owner.uid), Some(owner.gid))?;
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        }
        let as_owner =
            |program: &str| command(&binaries.join(program), owner.as_ref(), directory.path());
        initialise(as_owner("initdb"), directory.path())?;
        let port = free_port()?;
        let server = serve(as_owner("postgres"), directory.path(), port)?;
        let mut postgres = Self { server, port, directory };
        postgres.wait_until_ready()?;
        Ok(postgres)
    }

    /// What the tests get as `OUTBOARD_TEST_POSTGRES_URL`.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The server writes "ready" into its pid file once it takes connections.
    fn wait_until_ready(&mut self) -> Result<()> {
        let pid_file = self.directory.path().join("data/postmaster.pid");
        let end = Instant::now() + START;
        while Instant::now() < end {
            if let Some(status) = self.server.try_wait()? {
                bail!("PostgreSQL ended at once ({status}):\n{}", self.log());
            }
            let state = fs::read_to_string(&pid_file).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("PostgreSQL was not ready within {START:?}:\n{}", self.log())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it ends sessions instead of waiting for them.
        let pid = i32::try_from(self.server.id()).map(Pid::from_raw);
        if let Ok(pid) = pid {
            let _ = kill(pid, Signal::SIGINT);
        }
        let end = Instant::now() + STOP;
        while Instant::now() < end {
            if !matches!(self.server.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// PostgreSQL refuses to run as root. `None`: we are nobody special, and it may run as us.
fn unprivileged() -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!(
        "PostgreSQL does not run as root, and there is no user \"postgres\" or \"nobody\"; make one of them"
    )
}

/// Runs a program as `owner`. `setpriv`, where there is one, also ties its life to ours.
fn command(program: &Path, owner: Option<&User>, directory: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if setpriv.is_file() {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "INT"]);
        if let Some(owner) = owner {
            command.arg(format!("--reuid={}", owner.uid)).arg(format!("--regid={}", owner.gid));
            command.arg("--clear-groups");
        }
        command.arg("--").arg(program);
        command
    } else {
        let mut command = Command::new(program);
        if let Some(owner) = owner {
            command.gid(owner.gid.as_raw()).uid(owner.uid.as_raw());
        }
        command
    };
    command.current_dir(directory).env("HOME", directory).env("LC_ALL", "C").env("TZ", "UTC");
    command
}

fn initialise(mut initdb: Command, directory: &Path) -> Result<()> {
    let output = initdb
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D"])
        .arg(directory.join("data"))
        .output()
        .context("cannot run initdb")?;
    ensure!(output.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Somebody else may take it before PostgreSQL does; then its start fails and says so.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn serve(mut postgres: Command, directory: &Path, port: u16) -> Result<Child> {
    let port = port.to_string();
    let settings: [(&str, &OsStr); 7] = [
        ("listen_addresses", "127.0.0.1".as_ref()),
        ("port", port.as_ref()),
        ("unix_socket_directories", directory.as_os_str()),
        ("fsync", "off".as_ref()),
        ("synchronous_commit", "off".as_ref()),
        ("full_page_writes", "off".as_ref()),
        ("max_connections", "200".as_ref()),
    ];
    postgres.arg("-D").arg(directory.join("data"));
    for (name, value) in settings {
        let mut setting = std::ffi::OsString::from(format!("{name}="));
        setting.push(value);
        postgres.arg("-c").arg(setting);
    }
    let log: PathBuf = directory.join("log");
    postgres
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(log)?)
        .spawn()
        .context("cannot run postgres")
}
