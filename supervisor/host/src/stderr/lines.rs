//! Cuts a plugin's stderr into lines, whatever the pipe delivers.
//!
//! Pure. Holds at most one line of [`MAX_LINE`] bytes: a longer one comes out in pieces, so that a
//! plugin cannot make its host keep what it writes.

/// The longest line that is parsed, in bytes; go-plugin's own default.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// What one step of cutting gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A whole line, without its newline.
    Line(&'a [u8]),
    /// A part of a line that is longer than [`MAX_LINE`]; the last part may be short.
    Part(&'a [u8]),
}

/// A splitter, fed with whatever arrives.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pending: Vec<u8>,
    is_long: bool,
}

impl Lines {
    /// Feeds `bytes` and gives each piece that they complete to `take`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(Piece<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.finish(&bytes[..end], &mut take);
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes, &mut take);
    }

    /// What is left when the pipe has ended: an unterminated tail counts as a line.
    pub(crate) fn end(&mut self, mut take: impl FnMut(Piece<'_>)) {
        if !self.pending.is_empty() {
            self.finish(&[], &mut take);
        }
    }

    fn finish(&mut self, head: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        // The usual case, a whole line in one read, is not copied.
        if self.pending.is_empty() && !self.is_long && head.len() <= MAX_LINE {
            take(Piece::Line(without_cr(head)));
            return;
        }
        self.extend(head, take);
        let rest = without_cr(&self.pending);
        match self.is_long {
            false => take(Piece::Line(rest)),
            true if rest.is_empty() => {}
            true => take(Piece::Part(rest)),
        }
        // Not merely cleared: an idle plugin keeps no buffer.
        self.pending = Vec::new();
        self.is_long = false;
    }

    fn extend(&mut self, mut bytes: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        while self.pending.len() + bytes.len() > MAX_LINE {
            let (head, rest) = bytes.split_at(MAX_LINE - self.pending.len());
            self.pending.extend_from_slice(head);
            take(Piece::Part(&self.pending));
            self.pending.clear();
            self.is_long = true;
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces as text: a part has a `+` in front.
    fn cut(chunks: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut take = |piece: Piece<'_>| {
            found.push(match piece {
                Piece::Line(line) => String::from_utf8_lossy(line).into_owned(),
                Piece::Part(part) => format!("+{}", String::from_utf8_lossy(part)),
            });
        };
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk, &mut take);
        }
        lines.end(&mut take);
        found
    }

    #[test]
    fn s12_crlf_and_a_missing_final_newline_are_handled() {
        assert_eq!(cut(&[b"one\r\ntwo\nthree"]), ["one", "two", "three"]);
        assert_eq!(cut(&[b"one\r", b"\ntw", b"o\n"]), ["one", "two"]);
        assert_eq!(cut(&[b""]), Vec::<String>::new());
    }

    #[test]
    fn s11_a_line_of_200_kb_comes_in_pieces_that_add_up() {
        let mut text = vec![b'a'; 200_000];
        text.push(b'\n');
        text.extend_from_slice(b"next\n");
        for size in [1, 1000, 65_536, 300_000] {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let found = cut(&chunks);
            let (last, parts) = found.split_last().expect("pieces");
            assert_eq!(last, "next");
            assert!(parts.iter().all(|part| part.starts_with('+') && part.len() <= MAX_LINE + 1));
            assert_eq!(parts.iter().map(|part| part.len() - 1).sum::<usize>(), 200_000);
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_still_a_line() {
        let text = vec![b'a'; MAX_LINE];
        assert_eq!(cut(&[&text, b"\n"]), [String::from_utf8_lossy(&text)]);
    }
}
