//! A configured copy of a plugin, as a row.

use outboard_core::identity::kind::InstanceKind;
use time::OffsetDateTime;

/// Most bytes of the text of [`Parameters`].
const MAX_PARAMETERS: usize = 1024 * 1024;

/// A configured copy of a plugin.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Never given to another instance, not even after this one is deleted.
    pub id: i64,
    /// The plugin that it is a copy of.
    pub plugin: String,
    /// Unique in the store.
    pub name: String,
    pub display_name: String,
    pub parameters: Parameters,
    /// The parameters that the running one has, where `parameters` are newer and wait to be applied.
    pub applied: Option<Parameters>,
    /// What is wanted, not what runs.
    pub enabled: bool,
    pub kind: InstanceKind,
    /// Of those that keep users or clients, the lowest is asked first.
    pub rank: i64,
    /// What keeps users or clients is not to be written to.
    pub readonly: bool,
    /// Begins at 1 and grows by 1 with each change of anything here.
    pub revision: i64,
    /// By the clock of the database, to the millisecond.
    pub created: OffsetDateTime,
    pub updated: OffsetDateTime,
}

impl Instance {
    /// The parameters to run with.
    pub fn running(&self) -> &Parameters {
        self.applied.as_ref().unwrap_or(&self.parameters)
    }
}

/// What an instance begins with.
#[derive(Clone, Copy, Debug)]
pub struct NewInstance<'a> {
    /// 1 to 128 bytes, no NUL.
    pub plugin: &'a str,
    /// 1 to 128 bytes, no NUL.
    pub name: &'a str,
    /// At most 256 bytes, no NUL.
    pub display_name: &'a str,
    pub parameters: &'a Parameters,
    pub enabled: bool,
    pub kind: InstanceKind,
    pub rank: i64,
    pub readonly: bool,
}

/// The text of a JSON object, at most 1 MiB, kept byte for byte: white space, order of keys and the
/// way numbers are written stay the author's.
#[derive(Clone, PartialEq, Eq)]
pub struct Parameters(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameters {
    #[error("the parameters have {0} bytes; at most {MAX_PARAMETERS} are stored")]
    TooLong(usize),
    #[error("the parameters are not a JSON object: {0}; write {{\"key\": value, …}}")]
    NotAnObject(String),
}

impl Parameters {
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidParameters> {
        let text = text.into();
        if text.len() > MAX_PARAMETERS {
            return Err(InvalidParameters::TooLong(text.len()));
        }
        // Read whole: a check that skips values would let nesting pass that no reader can take.
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(InvalidParameters::NotAnObject(position(&error))),
        }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Only ever written through [`Parameters::parse`].
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl Default for Parameters {
    /// `{}`
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

/// Parameters may hold secrets.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parameters({} bytes)", self.0.len())
    }
}

/// Where and what kind, without serde's quotes from the text itself.
fn position(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it ends early",
        serde_json::error::Category::Data => "it is another kind of value",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "wrong syntax",
    };
    format!("{kind} at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_byte_for_byte() {
        for text in
            ["{}", " {\"b\" : 1.50,\n\t\"a\":1e2, \"b\":2}\n", r#"{"\u0000":"\ud83d\ude00"}"#]
        {
            assert_eq!(Parameters::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        for text in [
            "",
            "null",
            "[]",
            "\"{}\"",
            "1",
            "{",
            "{}}",
            "{'a':1}",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "{\"a\":\"\0\"}",
            &deep,
        ] {
            let error = Parameters::parse(text).unwrap_err();
            assert!(matches!(error, InvalidParameters::NotAnObject(_)), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_error_says_where_and_shows_none_of_the_text() {
        let error = Parameters::parse("{\n  \"password\": s3cret}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the parameters are not a JSON object: wrong syntax at line 2 column 15; \
             write {\"key\": value, …}"
        );
    }

    #[test]
    fn one_mebibyte_is_the_limit() {
        let text = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(Parameters::parse(text(MAX_PARAMETERS)).is_ok());
        let error = Parameters::parse(text(MAX_PARAMETERS + 1)).unwrap_err();
        assert_eq!(error, InvalidParameters::TooLong(MAX_PARAMETERS + 1));
    }

    #[test]
    fn debug_output_shows_no_parameters() {
        let parameters = Parameters::parse(r#"{"password":"s3cret"}"#).unwrap();
        assert_eq!(format!("{parameters:?}"), "Parameters(21 bytes)");
    }
}
