//! A duration in parameters, such as `"10s"`.

use std::time::Duration;

use outboard_sdk::Problems;
use serde::{Deserialize, Deserializer, de::Error as _};

/// At least a millisecond; written as `outboard.toml` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Notes a problem if it is out of bounds.
    pub fn judge(self, pointer: &str, least: Duration, most: Duration, problems: &mut Problems) {
        if self.0 < least || most < self.0 {
            let (least, most) =
                (humantime::format_duration(least), humantime::format_duration(most));
            problems.add(pointer, format!("must be {least} to {most}"));
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom("must be a duration such as \"10s\" or \"500ms\"");
        humantime::parse_duration(text.trim()).map(Self).map_err(|_| wrong())
    }
}
