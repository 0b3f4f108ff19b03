//! The first line of a plugin's stdout, and all that comes after it.
//!
//! The line is bounded in size and time; whatever follows is read for ever, so that a plugin that
//! prints never blocks.

use std::sync::Arc;

use outboard_proto::handshake::MAX_LINE;
use tokio::time::{Instant, timeout_at};

use crate::launch::Output;
use crate::source::Source;

/// A line, and what had already arrived after it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FirstLine {
    /// Without its newline.
    pub(crate) line: Vec<u8>,
    pub(crate) rest: Vec<u8>,
}

/// Why there was none.
#[derive(Debug)]
pub(crate) enum NoLine {
    /// stdout ended before anything was written.
    Closed,
    /// More than [`MAX_LINE`] bytes without a newline; holds the beginning.
    TooLong(Vec<u8>),
    /// The time limit came first; holds the unfinished line.
    Late(Vec<u8>),
}

/// What arrived so far, looking for the first newline.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
}

impl Gathered {
    fn push(&mut self, chunk: &[u8]) -> Option<Result<FirstLine, NoLine>> {
        let found = chunk.iter().position(|byte| *byte == b'\n');
        let line_end = self.bytes.len() + found.unwrap_or(chunk.len());
        self.bytes.extend_from_slice(chunk);
        if line_end > MAX_LINE {
            return Some(Err(NoLine::TooLong(self.take())));
        }
        let rest = self.bytes.split_off(found.map(|_| line_end + 1)?);
        self.bytes.truncate(line_end);
        Some(Ok(FirstLine { line: self.take(), rest }))
    }

    /// At the end of stdout an unfinished line counts as one.
    fn end(&mut self) -> Result<FirstLine, NoLine> {
        if self.bytes.is_empty() {
            return Err(NoLine::Closed);
        }
        Ok(FirstLine { line: self.take(), rest: Vec::new() })
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Waits for the first line until `deadline`.
pub(crate) async fn read(stdout: &mut Source, deadline: Instant) -> Result<FirstLine, NoLine> {
    let mut gathered = Gathered::default();
    loop {
        let Ok(chunk) = timeout_at(deadline, stdout.next()).await else {
            return Err(NoLine::Late(gathered.take()));
        };
        if chunk.is_empty() {
            return gathered.end();
        }
        if let Some(outcome) = gathered.push(&chunk) {
            return outcome;
        }
    }
}

/// Hands on what follows the line, to the end.
pub(crate) async fn drain(mut stdout: Source, rest: Vec<u8>, output: Arc<dyn Output>) {
    let mut chunk = rest;
    if chunk.is_empty() {
        chunk = stdout.next().await;
    }
    while !chunk.is_empty() {
        output.stdout(&chunk);
        chunk = stdout.next().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(chunks: &[&[u8]]) -> Result<FirstLine, NoLine> {
        let mut gathered = Gathered::default();
        chunks.iter().find_map(|chunk| gathered.push(chunk)).unwrap_or_else(|| gathered.end())
    }

    fn check(chunks: &[&[u8]], line: &[u8], rest: &[u8]) {
        let found = gather(chunks).expect("a line");
        assert_eq!((found.line.as_slice(), found.rest.as_slice()), (line, rest));
    }

    #[test]
    fn the_first_newline_ends_the_line_however_it_arrives() {
        check(&[b"1|1\nmore"], b"1|1", b"more");
        check(&[b"1|", b"1", b"\n"], b"1|1", b"");
        check(&[b"\n1|1\n"], b"", b"1|1\n");
    }

    #[test]
    fn h09_an_unfinished_line_counts_only_when_stdout_has_ended() {
        check(&[b"1|1"], b"1|1", b"");
        assert!(matches!(gather(&[]), Err(NoLine::Closed)));
        assert!(Gathered::default().push(b"1|1").is_none());
    }

    #[test]
    fn h25_a_line_over_the_limit_is_refused_without_being_kept() {
        let chunk = vec![b'a'; MAX_LINE];
        let Err(NoLine::TooLong(start)) = gather(&[&chunk, &chunk, &chunk]) else {
            panic!("accepted")
        };
        assert!(start.len() <= 2 * MAX_LINE);
        let mut exact = vec![b'a'; MAX_LINE];
        exact.push(b'\n');
        assert_eq!(gather(&[&exact]).expect("a line").line.len(), MAX_LINE);
    }
}
