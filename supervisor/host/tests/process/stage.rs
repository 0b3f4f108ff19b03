//! What a test needs on the host's side: a place, a launch of scripted steps, and witnesses.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outboard_host::{
    Cause, Containment, Launch, Launcher, LogLine, Output, Process, Program, StartError, TlsMode,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::plugin::{COOKIE, ROLE};

/// Within so long everything that a test waits for has come, however busy the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Stage {
    pub(crate) launcher: &'static Launcher,
    pub(crate) runtime: &'static Runtime,
    pub(crate) record: Arc<Record>,
    containment: Containment,
    beacons: UnixListener,
    dir: TempDir,
}

impl Stage {
    pub(crate) fn new(
        launcher: &'static Launcher,
        runtime: &'static Runtime,
        containment: Containment,
    ) -> Self {
        let dir = tempfile::Builder::new().prefix("ob").tempdir().expect("a directory");
        let beacons = UnixListener::bind(dir.path().join("beacons")).expect("a socket");
        Self { launcher, runtime, record: Arc::default(), containment, beacons, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A start of this program as a plugin that takes `steps`; see [`crate::plugin`].
    pub(crate) fn launch(&self, steps: &[&str]) -> Launch {
        let own = std::env::current_exe().expect("own path");
        let args = ["scripted", ROLE].into_iter().chain(steps.iter().copied());
        Launch {
            name: "scripted".to_owned(),
            program: Program::Path(own),
            args: args.map(OsString::from).collect(),
            env: vec![("BEACONS".into(), self.dir().join("beacons").into())],
            work_dir: self.dir().to_owned(),
            socket_dir: self.dir().to_owned(),
            broker_dir: self.dir().to_owned(),
            cookie: (COOKIE.0.to_owned(), COOKIE.1.to_owned()),
            versions: vec![1],
            tls: TlsMode::Auto,
            containment: self.containment,
            user: None,
            start_timeout: PATIENCE,
            allow_remote_tcp: false,
        }
    }

    pub(crate) async fn begin(&self, launch: Launch) -> Result<Process, StartError> {
        Process::start(self.launcher, launch, Arc::clone(&self.record) as Arc<dyn Output>).await
    }

    pub(crate) async fn start(&self, steps: &[&str]) -> Process {
        self.begin(self.launch(steps)).await.expect("the plugin starts")
    }

    /// A start that must fail; what is said about it names the plugin.
    pub(crate) async fn refusal(&self, launch: Launch) -> Cause {
        let error = self.begin(launch).await.expect_err("the start fails");
        assert!(error.to_string().starts_with("plugin \"scripted\": "), "{error}");
        *error.cause
    }

    /// A start that must fail saying all of `words`.
    pub(crate) async fn fails(&self, launch: Launch, words: &[&str]) -> Cause {
        let cause = self.refusal(launch).await;
        let text = cause.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        cause
    }

    /// The next process that takes the step `beacon`.
    pub(crate) async fn beacon(&self) -> Beacon {
        let listener = self.beacons.try_clone().expect("a descriptor");
        let accepted = tokio::task::spawn_blocking(move || listener.accept());
        let (stream, _) = timeout(PATIENCE, accepted)
            .await
            .expect("the process lights its beacon")
            .expect("no panic")
            .expect("accepted");
        stream.set_nonblocking(true).expect("non-blocking");
        Beacon(stream)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir().join(name);
        std::fs::write(&path, bytes).expect("written");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode).expect("mode set");
        path
    }
}

/// A connection that a process holds for as long as it lives.
pub(crate) struct Beacon(UnixStream);

impl Beacon {
    pub(crate) fn is_out(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }

    pub(crate) async fn out(self) {
        let stream = tokio::net::UnixStream::from_std(self.0).expect("registered");
        timeout(PATIENCE, stream.readable()).await.expect("the process ends").expect("readable");
    }
}

/// Everything a plugin put out, and a bell that rings with each piece.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) lines: Mutex<Vec<LogLine>>,
    pub(crate) stdout: Mutex<Vec<u8>>,
    pub(crate) stderr: Mutex<Vec<u8>>,
    pub(crate) raw: Mutex<u64>,
    pub(crate) dropped: Mutex<u64>,
    bell: watch::Sender<()>,
}

impl Record {
    /// Waits until `is_there`.
    pub(crate) async fn until(&self, is_there: impl Fn(&Self) -> bool) {
        let mut bell = self.bell.subscribe();
        let there = async {
            while !is_there(self) {
                bell.changed().await.expect("the record is kept");
            }
        };
        timeout(PATIENCE, there).await.expect("the output arrives");
    }

    pub(crate) fn has_line(&self, text: &str) -> bool {
        self.lines.lock().expect("lock").iter().any(|line| line.message == text)
    }
}

impl Output for Record {
    fn line(&self, line: LogLine) {
        self.lines.lock().expect("lock").push(line);
        self.bell.send_replace(());
    }

    fn dropped(&self, count: u64) {
        *self.dropped.lock().expect("lock") += count;
        self.bell.send_replace(());
    }

    fn stdout(&self, bytes: &[u8]) {
        self.stdout.lock().expect("lock").extend_from_slice(bytes);
        self.bell.send_replace(());
    }

    fn stderr(&self, bytes: &[u8]) {
        self.stderr.lock().expect("lock").extend_from_slice(bytes);
        self.bell.send_replace(());
    }

    fn stderr_raw(&self, bytes: &[u8]) {
        *self.raw.lock().expect("lock") += bytes.len() as u64;
        self.bell.send_replace(());
    }
}

/// Has the plugin carry out `command`; see [`crate::plugin`].
pub(crate) async fn command(process: &Process, command: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: command.to_owned() };
    let mut client = HealthClient::new(process.channel());
    let answer = timeout(PATIENCE, client.check(request)).await.expect("the plugin answers");
    Ok(answer?.into_inner().status())
}
