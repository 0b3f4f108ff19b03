//! What is wrong with an instance's parameters, told so that an operator can mend it.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;

use outboard_proto::plugin::v1;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The offending value, as a JSON Pointer (RFC 6901) into the parameters, such as `/smtp/port`.
    /// Empty: the whole.
    pub pointer: String,
    /// What is wrong and what to do, lower case, never a secret. Limit: 1024 characters, the rest is
    /// cut.
    pub message: String,
}

impl Problem {
    /// A problem with the value at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }

    /// The same problem, seen from one level further out: `segment` goes in front of the pointer.
    pub(crate) fn under(mut self, segment: &str) -> Self {
        let escaped = segment.replace('~', "~0").replace('/', "~1");
        self.pointer.insert_str(0, &format!("/{escaped}"));
        self
    }

    pub(crate) fn into_proto(self) -> v1::Problem {
        const LONGEST: usize = 1024;
        let message = match self.message.as_str() {
            "" => "no reason was given; see the plugin's log".to_owned(),
            message => message.chars().take(LONGEST).collect(),
        };
        v1::Problem { pointer: self.pointer, message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.message),
            pointer => write!(f, "{pointer}: {}", self.message),
        }
    }
}

/// Everything that is wrong, to be reported at once. Limit: 100, the rest is dropped.
///
/// ```
/// use outboard_sdk::Problems;
///
/// fn judge(port: u16, hosts: &[String], retries: u32) -> Result<(), Problems> {
///     let mut problems = Problems::default();
///     if port == 25 {
///         problems.add("/port", "port 25 is blocked by most providers; use 587");
///     }
///     if hosts.is_empty() {
///         problems.add("/hosts", "is empty; name at least one host");
///     }
///     problems.within("/retries", retries, 1..=10);
///     problems.or(())
/// }
///
/// let problems = judge(25, &[], 11).unwrap_err();
/// assert_eq!(problems.iter().count(), 3);
/// assert_eq!(problems.iter().last().unwrap().to_string(), "/retries: must be 1 to 10");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes one more.
    pub fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::new(pointer, message));
    }

    /// Notes a problem if `value` is out of bounds.
    pub fn within<T: Copy + PartialOrd + fmt::Display>(
        &mut self,
        pointer: impl Into<String>,
        value: T,
        bounds: RangeInclusive<T>,
    ) {
        if !bounds.contains(&value) {
            self.add(pointer, format!("must be {} to {}", bounds.start(), bounds.end()));
        }
    }

    /// Gives `value` if there is no problem.
    ///
    /// # Errors
    ///
    /// With itself, if there is one.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The problems, in the order in which they were noted.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// For the wire. Never empty: an error without a reason is a problem too.
    pub(crate) fn into_proto(mut self) -> Vec<v1::Problem> {
        const MOST: usize = 100;
        if self.0.is_empty() {
            self.add("", "");
        }
        self.0.into_iter().take(MOST).map(Problem::into_proto).collect()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// So that `?` works in `init`: a problem with the whole, which says the error and its causes. Do not
/// use it for errors that may hold a secret.
impl<E: Error> From<E> for Problems {
    fn from(error: E) -> Self {
        Problem::new("", chain(&error)).into()
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
