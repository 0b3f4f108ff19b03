//! The `url` of an endpoint: what it may look like and which paths it names.

use std::fmt;

use super::Segment;
use super::path::{PathError, decode};

/// Longest pattern, in bytes as the plugin wrote it.
const LONGEST: usize = 1024;
/// Most segments of a pattern. What a plugin adds costs the host memory for each of them.
const DEEPEST: usize = 64;

/// A checked `url`: literals are percent-decoded, variable names are unique, `*` is last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Box<[Part]>,
    takes_rest: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(Box<[u8]>),
    Variable(Box<str>),
}

/// What two patterns must share to name the same paths: variables count by their place, not their name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Shape(Box<[Option<Box<[u8]>>]>, bool);

impl Pattern {
    /// Reads what a plugin wrote.
    pub fn parse(url: &str) -> Result<Self, PatternError> {
        if url.len() > LONGEST {
            return Err(PatternError::Long);
        }
        if let Some(bad) = url.chars().find(|c| c.is_control() || matches!(c, '?' | '#')) {
            return Err(PatternError::Character(bad));
        }
        let mut segments: Vec<&str> =
            url.split('/').filter(|segment| !segment.is_empty()).collect();
        let takes_rest = segments.pop_if(|last| *last == "*").is_some();
        if segments.len() > DEEPEST {
            return Err(PatternError::Deep);
        }
        let parts = segments.into_iter().map(part).collect::<Result<Box<[_]>, _>>()?;
        let pattern = Self { parts, takes_rest };
        pattern.check_names()?;
        Ok(pattern)
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether a last `*` takes all that follows.
    pub(super) fn takes_rest(&self) -> bool {
        self.takes_rest
    }

    pub(super) fn shape(&self) -> Shape {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(literal) => Some(literal.clone()),
            Part::Variable(_) => None,
        });
        Shape(parts.collect(), self.takes_rest)
    }

    /// What the variables stand for in a path that this pattern matched, in the order of the pattern.
    pub fn variables<'a>(
        &'a self,
        segments: &'a [Segment<'_>],
    ) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.parts.iter().zip(segments).filter_map(|(part, segment)| match part {
            Part::Variable(name) => Some((&**name, &**segment)),
            Part::Literal(_) => None,
        })
    }

    fn check_names(&self) -> Result<(), PatternError> {
        let mut names: Vec<&str> = self.parts.iter().filter_map(Part::name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(PatternError::Twice(pair[0].into())),
            None => Ok(()),
        }
    }
}

impl Part {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Variable(name) => Some(name),
            Self::Literal(_) => None,
        }
    }
}

fn part(segment: &str) -> Result<Part, PatternError> {
    if segment == "*" {
        return Err(PatternError::Star);
    }
    let Some(name) = segment.strip_prefix([':', '@']) else {
        return Ok(Part::Literal(decode(segment.as_bytes())?.into()));
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(PatternError::Name(segment.into()));
    }
    Ok(Part::Variable(name.into()))
}

/// Writes the pattern as a plugin could have written it, so that messages show one spelling.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(literal) => write!(f, "/{}", encode(literal))?,
                Part::Variable(name) => write!(f, "/:{name}")?,
            }
        }
        match (self.takes_rest, self.parts.is_empty()) {
            (true, _) => f.write_str("/*"),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

fn encode(literal: &[u8]) -> percent_encoding::PercentEncode<'_> {
    const SPECIAL: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'*')
        .add(b':')
        .add(b'?')
        .add(b'@');
    percent_encoding::percent_encode(literal, SPECIAL)
}

/// Why a `url` is refused when an endpoint is added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the url is longer than {LONGEST} bytes; shorten it or use a variable or \"*\"")]
    Long,
    #[error(
        "the url has more than {DEEPEST} segments; end it with \"*\" and read the rest from the path"
    )]
    Deep,
    #[error(
        "the url holds {0:?}; it is a path, so leave query and fragment out and percent-encode the rest"
    )]
    Character(char),
    #[error("the url has a \"*\" that is not its last segment; use \":name\" for one segment")]
    Star,
    #[error(
        "segment {0:?} of the url is no variable; name it with letters, digits, \"_\", \"-\" or \".\", or write %3A or %40 for a literal \":\" or \"@\""
    )]
    Name(Box<str>),
    #[error("the url names the variable {0:?} twice; rename one")]
    Twice(Box<str>),
    #[error("the url can never match: {0}")]
    Path(#[from] PathError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Path;

    fn check(url: &str, expected: &str) {
        let pattern = Pattern::parse(url).unwrap();
        assert_eq!(pattern.to_string(), expected, "{url}");
        assert_eq!(Pattern::parse(expected).unwrap(), pattern, "{expected} reads back");
    }

    #[test]
    fn empty_segments_do_not_matter() {
        check("", "/");
        check("/", "/");
        check("a//b/", "/a/b");
        check("//a/b/*", "/a/b/*");
        check("*", "/*");
    }

    #[test]
    fn both_marks_make_a_variable_and_an_escape_makes_a_literal() {
        check("user/:name/@key", "/user/:name/:key");
        check("%3Aname/%40x/%2A", "/%3Aname/%40x/%2A");
        check("a b/é", "/a%20b/%C3%A9");
        check("a*b/x:y", "/a%2Ab/x%3Ay");
    }

    #[test]
    fn a_malformed_url_says_what_to_write_instead() {
        let error = |url: &str| Pattern::parse(url).unwrap_err();
        assert_eq!(error("a/*/b"), PatternError::Star);
        assert_eq!(error("*/*"), PatternError::Star);
        assert_eq!(error("a/:"), PatternError::Name(":".into()));
        assert_eq!(error("a/:x y"), PatternError::Name(":x y".into()));
        assert_eq!(error(":x/b/@x"), PatternError::Twice("x".into()));
        assert_eq!(error("a?b=c"), PatternError::Character('?'));
        assert_eq!(error("a\n"), PatternError::Character('\n'));
        assert_eq!(error("a/../b"), PatternError::Path(PathError::Dots));
        assert_eq!(error("a%2fb"), PatternError::Path(PathError::Slash));
        assert_eq!(error("a%"), PatternError::Path(PathError::Escape));
        assert_eq!(error(&"a".repeat(1025)), PatternError::Long);
        assert_eq!(error(&"a/".repeat(65)), PatternError::Deep);
        assert!(Pattern::parse(&format!("{}*", "a/".repeat(64))).is_ok());
    }

    #[test]
    fn names_of_variables_do_not_make_a_difference_but_the_star_does() {
        let shape = |url: &str| Pattern::parse(url).unwrap().shape();
        assert_eq!(shape("a/:x"), shape("/a//@y/"));
        assert_eq!(shape("a%62"), shape("ab"));
        assert_ne!(shape("a/:x"), shape("a/x"));
        assert_ne!(shape("a"), shape("a/*"));
        assert_ne!(shape("a"), shape("A"));
    }

    #[test]
    fn variables_come_decoded_in_the_order_of_the_pattern() {
        let pattern = Pattern::parse("user/:name/x/@key/*").unwrap();
        let path = Path::parse(b"/user/a%26b/x/%C3%A9/more").unwrap();
        let variables: Vec<_> = pattern.variables(path.segments()).collect();
        assert_eq!(variables, [("name", &b"a&b"[..]), ("key", "é".as_bytes())]);
    }
}
