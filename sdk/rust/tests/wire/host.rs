//! A host that does exactly what a test says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outboard_proto::env::{COOKIE_KEY, COOKIE_VALUE};
use outboard_proto::goplugin::Empty;
use outboard_proto::goplugin::grpc_controller_client::GrpcControllerClient;
use outboard_proto::handshake::{Expect, Handshake};
use outboard_proto::transport::{PeerCheck, Tls, connect};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A start to be.
pub(crate) struct Start {
    program: PathBuf,
    vars: BTreeMap<String, String>,
    /// Where the plugin makes its sockets.
    pub(crate) dir: TempDir,
}

/// What a process left behind that never served.
pub(crate) struct Refusal {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process that has printed its line.
pub(crate) struct Plugin {
    child: Child,
    pub(crate) line: String,
    pub(crate) dir: TempDir,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: Lines,
}

impl Start {
    /// An example program, as Outboard starts it.
    pub(crate) fn example(name: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let vars = [
            (COOKIE_KEY, COOKIE_VALUE),
            ("PLUGIN_PROTOCOL_VERSIONS", "1"),
            ("PLUGIN_MIN_PORT", "10000"),
            ("PLUGIN_MAX_PORT", "25000"),
            ("PLUGIN_UNIX_SOCKET_DIR", dir.path().to_str().unwrap()),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { program: example(name), vars, dir }
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.vars.remove(name);
        self
    }

    fn spawn(&self) -> Child {
        Command::new(&self.program)
            .env_clear()
            .envs(&self.vars)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Starts it and waits until it has ended.
    pub(crate) async fn refused(self) -> Refusal {
        let ended = timeout(SOON, self.spawn().wait_with_output()).await;
        let ended = ended.expect("it does not end").unwrap();
        Refusal {
            status: ended.status,
            stdout: String::from_utf8(ended.stdout).unwrap(),
            stderr: String::from_utf8(ended.stderr).unwrap(),
        }
    }

    /// Starts it and reads its line.
    pub(crate) async fn run(self) -> Plugin {
        let mut child = self.spawn();
        let stderr = Lines::of(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(SOON, stdout.read_line(&mut line)).await.expect("no line").unwrap();
        assert!(line.ends_with('\n'), "{line:?}; stderr: {:#?}", stderr.so_far());
        let stdin = child.stdin.take();
        Plugin { child, line: line.trim_end().to_owned(), dir: self.dir, stdin, stdout, stderr }
    }
}

/// Cargo puts examples beside the directory of the test programs, and builds them only when it is not
/// told which tests to build.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    let shown = program.display();
    assert!(program.exists(), "{shown} is missing; run `cargo build -p outboard-sdk --examples`");
    program
}

impl Plugin {
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.line.split('|').collect()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        PathBuf::from(self.fields()[3])
    }

    pub(crate) fn handshake(&self, auto_mtls: bool) -> Handshake {
        let expect = Expect { versions: &[1, 2, 3, 5], auto_mtls, multiplex: false };
        Handshake::parse(self.line.as_bytes(), &expect).unwrap()
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.channel_with(None).await
    }

    pub(crate) async fn channel_with(&self, tls: Option<&Tls>) -> Channel {
        let address = self.handshake(tls.is_some()).address;
        connect(&address, tls, &PeerCheck::any(), SOON).await.unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for its end, which must come within that time.
    pub(crate) async fn ended_within(&mut self, limit: Duration) -> ExitStatus {
        timeout(limit, self.child.wait()).await.expect("it does not end").unwrap()
    }

    /// There is no event to wait for when something must not happen.
    pub(crate) async fn lives_on_for(&mut self, time: Duration) {
        let ended = timeout(time, self.child.wait()).await;
        assert!(ended.is_err(), "it ended: {ended:?}");
    }

    /// All of the real stdout after the line; the process must have ended.
    pub(crate) async fn rest_of_stdout(&mut self) -> String {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).await.unwrap();
        rest
    }

    /// Waits for a log line with that text in it.
    pub(crate) async fn logged(&mut self, text: &str) -> serde_json::Value {
        self.stderr.wait_for(text).await
    }
}

/// What a process writes on stderr, line by line, as it comes.
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    news: watch::Receiver<usize>,
}

impl Lines {
    fn of(stderr: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, news) = watch::channel(0);
        let filled = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut stderr = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = stderr.next_line().await {
                filled.lock().unwrap().push(line);
                sender.send_modify(|count| *count += 1);
            }
        });
        Self { lines, news }
    }

    fn so_far(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    async fn wait_for(&mut self, text: &str) -> serde_json::Value {
        let lines = Arc::clone(&self.lines);
        let find = || lines.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
        let is_found = timeout(SOON, self.news.wait_for(|_| find().is_some()))
            .await
            .is_ok_and(|found| found.is_ok());
        assert!(is_found, "no {text:?} among {:#?}", self.so_far());
        serde_json::from_str(&find().unwrap()).expect("every line is JSON")
    }
}

pub(crate) async fn health(channel: Channel, service: &str) -> Result<i32, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel).check(request).await.map(|reply| reply.into_inner().status)
}

pub(crate) async fn shutdown(channel: Channel) -> Result<Response<Empty>, Status> {
    GrpcControllerClient::new(channel).shutdown(Empty {}).await
}
