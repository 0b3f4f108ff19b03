//! Why a body did not arrive whole.

use std::error::Error;
use std::fmt;
use std::io;

/// An error of any type.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A body that can't be read on.
#[derive(Debug)]
pub struct BodyError(Kind);

#[derive(Debug)]
enum Kind {
    CutOff(String),
    Taken,
    TooLarge(usize),
    Source(BoxError),
}

impl BodyError {
    pub(crate) fn cut_off(message: impl Into<String>) -> Self {
        Self(Kind::CutOff(message.into()))
    }

    pub(crate) fn taken() -> Self {
        Self(Kind::Taken)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self(Kind::TooLarge(limit))
    }

    /// What a stream that makes a body failed with.
    pub(crate) fn source(error: impl Into<BoxError>) -> Self {
        // One that only passes through stays what it is.
        match error.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self(Kind::Source(error)),
        }
    }

    /// The request was given up: its client is gone, or its time is up.
    pub fn is_cut_off(&self) -> bool {
        matches!(self.0, Kind::CutOff(_))
    }

    /// It was taken already, by this handler or by an endpoint before it.
    pub fn is_taken(&self) -> bool {
        matches!(self.0, Kind::Taken)
    }

    /// It is larger than the reader wanted to have at once.
    pub fn is_too_large(&self) -> bool {
        matches!(self.0, Kind::TooLarge(_))
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::CutOff(message) => write!(f, "the body was cut off: {message}"),
            Kind::Taken => {
                f.write_str("the body was taken already; whoever reads it whole leaves it")
            }
            Kind::TooLarge(limit) => write!(f, "the body is larger than {limit} bytes"),
            Kind::Source(error) => write!(f, "the body's source failed: {error}"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Source(error) => Some(&**error),
            Kind::CutOff(_) | Kind::Taken | Kind::TooLarge(_) => None,
        }
    }
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error.0 {
            Kind::CutOff(_) => io::ErrorKind::ConnectionAborted,
            Kind::Taken | Kind::TooLarge(_) | Kind::Source(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
