//! The access log: a line of JSON for each request.
//!
//! Workers never write. They put lines into a bounded channel, which one thread empties into the file a batch at
//! a time. A disk that is slower than the requests costs lines, which are counted, and never a request its time.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use http::request::Parts;
use http::{Method, Version};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::observe::series::Name;
use writer::Writer;

mod writer;

/// Lines that may wait to be written.
const WAITING: usize = 8192;
/// Of a path, in bytes; what is longer is cut, so that lines which wait need little memory.
const LONGEST_PATH: usize = 2048;
/// Whoever rotates it belongs to its group; it is nobody else's business who asked for what.
const MODE: u32 = 0o640;
/// Between two batches, so that a line is not a system call of its own, nor wakes the thread that writes.
const PAUSE: Duration = Duration::from_millis(5);

/// An access log that is open. Clones are of the same one.
#[derive(Debug, Clone)]
pub struct AccessLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    messages: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(Box<Line>),
    Reopen,
    /// Ends the thread, which answers by dropping the sender.
    Close(SyncSender<()>),
}

/// What is known of a request: one line.
#[derive(Debug)]
pub(super) struct Line {
    log: AccessLog,
    began: SystemTime,
    peer: IpAddr,
    /// Empty: the peer.
    pub(super) client: String,
    method: Method,
    path: String,
    protocol: &'static str,
    request_id: String,
    pub(super) status: u16,
    pub(super) received: Arc<AtomicU64>,
    pub(super) sent: u64,
    pub(super) took: Duration,
    pub(super) instance: Option<Arc<Name>>,
    pub(super) outcome: &'static str,
}

impl AccessLog {
    /// Opens the file, which is made if it is not there, and starts the thread that writes it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError { path: path.to_owned(), error };
        let file = open(path).map_err(failed)?;
        let (messages, inbox) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Writer::new(path.to_owned(), file, inbox, dropped.clone());
        let thread = std::thread::Builder::new().name("access log".to_owned());
        // It ends when it is told to, or when the last of these handles is dropped.
        drop(thread.spawn(move || writer.run()).map_err(failed)?);
        Ok(Self(Arc::new(Inner { messages, dropped })))
    }

    /// Opens the file anew, after what is on its way has gone into the old one. For rotation: call it when the old
    /// file has been renamed. Blocks while too many lines wait, at most for `patience`; false: nothing was done.
    pub fn reopen(&self, patience: Duration) -> bool {
        self.send(Message::Reopen, Instant::now() + patience)
    }

    /// Writes what is on its way and ends. Blocks, at most for `patience`; false: the disk took longer.
    pub fn close(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let (done, written) = sync_channel(0);
        if !self.send(Message::Close(done), until) {
            return false;
        }
        // Nothing is ever sent over it: its end is the answer.
        let left = until.saturating_duration_since(Instant::now());
        written.recv_timeout(left) != Err(RecvTimeoutError::Timeout)
    }

    /// The channel is full where the disk is slow, and who tells it something must not hang with it.
    fn send(&self, mut message: Message, until: Instant) -> bool {
        loop {
            message = match self.0.messages.try_send(message) {
                Ok(()) => return true,
                Err(TrySendError::Full(message)) if Instant::now() < until => message,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return false,
            };
            std::thread::sleep(PAUSE);
        }
    }

    /// How many lines are missing in it.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// The line of a request that has just begun.
    pub(super) fn line(&self, parts: &Parts, request_id: &str, peer: IpAddr) -> Box<Line> {
        Box::new(Line {
            log: self.clone(),
            began: SystemTime::now(),
            peer,
            client: String::new(),
            method: parts.method.clone(),
            path: cut(parts.uri.path()).to_owned(),
            protocol: protocol(parts.version),
            request_id: request_id.to_owned(),
            status: 0,
            received: Arc::default(),
            sent: 0,
            took: Duration::ZERO,
            instance: None,
            outcome: "",
        })
    }

    /// Puts a line on its way into the log that it is of, or drops it where too many are.
    pub(super) fn write(line: Box<Line>) {
        let log = line.log.clone();
        if log.0.messages.try_send(Message::Line(line)).is_err() {
            log.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn cut(path: &str) -> &str {
    &path[..path.floor_char_boundary(LONGEST_PATH)]
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Else a pipe that nobody reads would hold up the start for ever.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).mode(MODE).custom_flags(flags.bits());
    let file = options.open(path)?;
    let set = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(set - OFlag::O_NONBLOCK))?;
    Ok(file)
}

/// The access log could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("gateway.access_log {}: {error}; {}", path.display(), advice(error))]
pub struct OpenError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "create its directory, or name another file",
        io::ErrorKind::PermissionDenied => {
            "let the supervisor's user write there, or name another file"
        }
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "name a file that can be written, or none",
    }
}

#[cfg(test)]
mod tests;
