//! The path of a request as segments, or the reason why it is refused.
//!
//! Refusing here is what lets everything behind this file compare bytes: a path that could mean two
//! things to two readers is a 400, never a guess.

use std::borrow::Cow;

/// One percent-decoded segment; borrowed where nothing had to be decoded.
pub type Segment<'a> = Cow<'a, [u8]>;

/// The path of a request, cut at `/`, empty segments dropped, percent-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    segments: Vec<Segment<'a>>,
}

impl<'a> Path<'a> {
    /// Reads the path part of a request target, without the query.
    pub fn parse(path: &'a [u8]) -> Result<Self, PathError> {
        let segments = path.split(|&byte| byte == b'/').filter(|raw| !raw.is_empty());
        // Most paths have a handful of segments; one allocation holds them.
        let mut decoded = Vec::with_capacity(8);
        for raw in segments {
            decoded.push(decode(raw)?);
        }
        Ok(Self { segments: decoded })
    }

    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// What follows `prefix`, or nothing if the path does not begin with it.
    pub fn strip(&self, prefix: &[impl AsRef<[u8]>]) -> Option<&[Segment<'a>]> {
        let (head, rest) = self.segments.split_at_checked(prefix.len())?;
        let is_equal = head.iter().zip(prefix).all(|(have, want)| **have == *want.as_ref());
        is_equal.then_some(rest)
    }
}

/// Why a path is no path. The client's mistake or trick: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error(
        "the path holds a \"%\" that two hexadecimal digits do not follow; write a percent sign as %25"
    )]
    Escape,
    #[error("the path holds a \".\" or \"..\" segment; send the resolved path")]
    Dots,
    #[error("the path holds an encoded \"/\" (%2F); a segment cannot contain one")]
    Slash,
    #[error("the path holds a NUL byte (%00)")]
    Nul,
}

/// Decodes one segment. The checks come after decoding, so that `%2e%2E` is `..` here too.
pub(super) fn decode(raw: &[u8]) -> Result<Segment<'_>, PathError> {
    let segment = if raw.contains(&b'%') { Cow::Owned(unescape(raw)?) } else { Cow::Borrowed(raw) };
    if segment.contains(&0) {
        return Err(PathError::Nul);
    }
    if segment.contains(&b'/') {
        return Err(PathError::Slash);
    }
    if matches!(&*segment, b"." | b"..") {
        return Err(PathError::Dots);
    }
    Ok(segment)
}

fn unescape(raw: &[u8]) -> Result<Vec<u8>, PathError> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let [high, low, after @ ..] = after else { return Err(PathError::Escape) };
        decoded.push(hex(*high)? << 4 | hex(*low)?);
        rest = after;
    }
    Ok(decoded)
}

fn hex(digit: u8) -> Result<u8, PathError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(PathError::Escape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&[&str], PathError>) {
        let parsed = Path::parse(path.as_bytes());
        let segments = parsed.as_ref().map_err(|error| *error).map(|path| {
            path.segments()
                .iter()
                .map(|s| String::from_utf8_lossy(s).into_owned())
                .collect::<Vec<_>>()
        });
        let expected = expected.map(|segments| segments.iter().map(ToString::to_string).collect());
        assert_eq!(segments, expected, "{path}");
    }

    #[test]
    fn empty_segments_and_a_trailing_slash_do_not_matter() {
        check("/", Ok(&[]));
        check("", Ok(&[]));
        check("/api/x", Ok(&["api", "x"]));
        check("//api///x//", Ok(&["api", "x"]));
    }

    #[test]
    fn segments_are_decoded_once() {
        check("/a%20b/%C3%A9", Ok(&["a b", "é"]));
        check("/%2525", Ok(&["%25"]));
        check("/%252F", Ok(&["%2F"]));
        check("/a+b", Ok(&["a+b"]));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for path in ["/a/../b", "/a/./b", "/..", "/.", "/%2e%2E/x", "/.%2e", "/%2E"] {
            check(path, Err(PathError::Dots));
        }
        check("/a%2Fb", Err(PathError::Slash));
        check("/%2f", Err(PathError::Slash));
        check("/a%00", Err(PathError::Nul));
        check("/a\0", Err(PathError::Nul));
        for path in ["/%", "/%2", "/%zz", "/%-1", "/a%2/b", "/%%41"] {
            check(path, Err(PathError::Escape));
        }
    }

    #[test]
    fn dots_inside_a_segment_are_just_bytes() {
        check("/.well-known/...", Ok(&[".well-known", "..."]));
    }

    #[test]
    fn the_prefix_is_compared_by_segment() {
        let path = Path::parse(b"/a%70i/mail/x").unwrap();
        assert_eq!(path.strip(&["api"]).unwrap().len(), 2);
        assert_eq!(path.strip(&["api", "mail", "x"]).unwrap().len(), 0);
        assert!(path.strip(&["ap"]).is_none());
        assert!(path.strip(&["api", "mail", "x", "y"]).is_none());
        assert_eq!(path.strip(&[""; 0]).unwrap().len(), 3);
    }
}
