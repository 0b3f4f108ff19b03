//! The reading end of a plugin's stdout or stderr, which always ends.
//!
//! It ends with the pipe, or shortly after the plugin's tree is gone: a process that was handed the
//! pipe and is not of that tree could hold it open for ever. Between reads it owns no buffer, so that
//! an idle plugin costs none.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::exit::Seen;

/// Read in one go; as much as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// How long after the end of the tree something may still be in the pipe: it is there already, so
/// this only has to outlast a busy runtime.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Source {
    pipe: pipe::Receiver,
    seen: watch::Receiver<Seen>,
    end: Option<Instant>,
}

impl Source {
    pub(crate) fn new(pipe: OwnedFd, seen: watch::Receiver<Seen>) -> io::Result<Self> {
        Ok(Self { pipe: pipe::Receiver::from_owned_fd(pipe)?, seen, end: None })
    }

    /// What has arrived, at most 64 KiB; empty at the end. Cancel-safe: nothing is lost.
    pub(crate) async fn next(&mut self) -> Vec<u8> {
        loop {
            tokio::select! {
                biased;
                () = over(&mut self.seen, &mut self.end) => return Vec::new(),
                ready = self.pipe.readable() => if ready.is_err() { return Vec::new() },
            }
            let mut chunk = Vec::with_capacity(CHUNK);
            match self.pipe.try_read_buf(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return chunk,
            }
        }
    }
}

async fn over(seen: &mut watch::Receiver<Seen>, end: &mut Option<Instant>) {
    if end.is_none() {
        // An error means that nobody watches the tree any more: the end, too.
        let _ = seen.wait_for(|seen| seen.is_gone).await;
        *end = Some(Instant::now() + PATIENCE);
    }
    if let Some(end) = *end {
        sleep_until(end).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn source() -> (std::io::PipeWriter, watch::Sender<Seen>, Source) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let (seen, receiver) = watch::channel(Seen::default());
        let source = Source::new(reader.into(), receiver).expect("registered");
        (writer, seen, source)
    }

    #[tokio::test]
    async fn it_ends_with_the_pipe_and_gives_all_that_was_written() {
        let (mut writer, _seen, mut source) = source();
        writer.write_all(b"text").expect("written");
        drop(writer);
        assert_eq!(source.next().await, b"text");
        assert_eq!(source.next().await, b"");
    }

    #[tokio::test]
    async fn a_stranger_who_holds_the_pipe_open_is_not_waited_for() {
        let (mut writer, seen, mut source) = source();
        writer.write_all(b"text").expect("written");
        seen.send_modify(|seen| seen.is_gone = true);
        assert_eq!(source.next().await, b"text");
        assert_eq!(source.next().await, b"");
        drop(writer);
    }

    #[tokio::test]
    async fn a_stranger_who_never_stops_writing_is_not_listened_to_for_ever() {
        let (mut writer, seen, mut source) = source();
        let stranger = std::thread::spawn(move || while writer.write_all(&[b'x'; 4096]).is_ok() {});
        seen.send_modify(|seen| seen.is_gone = true);
        while !source.next().await.is_empty() {}
        drop(source);
        stranger.join().expect("stopped by the closed pipe");
    }
}
