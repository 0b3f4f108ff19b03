//! What each attribute of an event may be.

use super::Fault;
use super::types::LONGEST;
use crate::route::hygiene::is_name;
use crate::written::shown;

/// The longest value of an extension, in bytes.
const LONGEST_EXTENSION: usize = 1024;

/// The longest name of an extension.
const LONGEST_NAME: usize = 20;

/// Names that are no extensions.
const OWN: [&str; 9] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
];

/// Text that is there, in at most so many bytes.
pub(super) fn text(attribute: &str, value: &str) -> Result<(), Fault> {
    if value.is_empty() {
        return Err(Fault::new(attribute, "missing or empty; write some text"));
    }
    plain(attribute, value, LONGEST)
}

/// The type.
pub(super) fn kind(value: &str) -> Result<(), Fault> {
    text("type", value)?;
    if value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Fault::new("type", format!("{}: write visible ASCII characters only", shown(value))))
}

/// A URI reference (RFC 3986): what of it every reader relies on.
pub(super) fn reference(attribute: &str, value: &str) -> Result<(), Fault> {
    text(attribute, value)?;
    let is_plain =
        value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    let mut escapes = value.split('%').skip(1);
    let is_escaped = escapes
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    if is_plain && is_escaped {
        return Ok(());
    }
    Err(Fault::new(
        attribute,
        format!(
            "{}: not a URI reference; write one such as \"/jobs\" or \"https://jobs.example.org\"",
            shown(value)
        ),
    ))
}

/// A URI with its scheme.
pub(super) fn uri(attribute: &str, value: &str) -> Result<(), Fault> {
    reference(attribute, value)?;
    let scheme = value.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if is_scheme {
        return Ok(());
    }
    Err(Fault::new(
        attribute,
        format!("{}: not a URI; begin it with a scheme such as \"https:\"", shown(value)),
    ))
}

/// A media type, with or without parameters.
pub(super) fn media_type(value: &str) -> Result<(), Fault> {
    const NAME: &str = "datacontenttype";
    text(NAME, value)?;
    let is_visible = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let is_type = essence(value)
        .split_once('/')
        .is_some_and(|(main, sub)| is_name(main.as_bytes()) && is_name(sub.as_bytes()));
    if is_visible && is_type {
        return Ok(());
    }
    Err(Fault::new(
        NAME,
        format!("{}: not a media type; write one such as \"application/json\"", shown(value)),
    ))
}

/// Whether data of this media type is JSON.
pub(super) fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type).to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim_matches(' ')
}

/// The name and value of an extension.
pub(super) fn extension(name: &str, value: &str) -> Result<(), Fault> {
    extension_name(name)?;
    plain(name, value, LONGEST_EXTENSION)
}

/// The name of any attribute: one of an event's own, or of an extension.
pub(super) fn name(name: &str) -> Result<(), Fault> {
    if OWN.contains(&name) { Ok(()) } else { extension_name(name) }
}

fn extension_name(name: &str) -> Result<(), Fault> {
    let is_extension = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && !OWN.contains(&name);
    if is_extension {
        return Ok(());
    }
    Err(Fault::new(
        shown(name),
        format!(
            "not the name of an attribute; extensions have 1 to {LONGEST_NAME} characters of a-z and 0-9"
        ),
    ))
}

/// Characters that text of an attribute may have (`CloudEvents` 1.0, "Type System").
fn plain(attribute: &str, value: &str, limit: usize) -> Result<(), Fault> {
    if value.len() > limit {
        return Err(Fault::new(attribute, format!("{} bytes; keep it to {limit}", value.len())));
    }
    let is_none = |c: char| {
        let code = u32::from(c);
        c.is_control() || code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code)
    };
    if value.contains(is_none) {
        return Err(Fault::new(
            attribute,
            format!("{}: has a control character or one that is none; leave it out", shown(value)),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_uri_reference() {
        for good in ["/proctor", "https://a.example/b?c=%20#d", "urn:x:1", "a", "//h/p", "mail@x"] {
            assert_eq!(reference("source", good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "é", "a%", "a%2", "a%zz", "<a>", "a\n", &"a".repeat(256)] {
            assert!(reference("source", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_schema_has_a_scheme() {
        assert_eq!(uri("dataschema", "https://s.example/1"), Ok(()));
        for bad in ["/schema", "1a:b", ":b", ""] {
            assert!(uri("dataschema", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_is_known_by_its_media_type() {
        for json in [
            "application/json",
            "APPLICATION/JSON; charset=utf-8",
            "application/x+json",
            "text/json ;a=b",
        ] {
            assert!(media_type(json).is_ok() && is_json(json), "{json}");
        }
        for other in ["text/plain", "application/jsonl", "application/json-seq"] {
            assert!(media_type(other).is_ok() && !is_json(other), "{other}");
        }
        for bad in ["json", "a/", "/b", "a b/c", "a/b\r\n", ""] {
            assert!(media_type(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn extensions_have_short_lower_case_names() {
        assert_eq!(extension("partitionkey", ""), Ok(()));
        for bad in ["", "A", "a_b", "data", "type", "aaaaaaaaaaaaaaaaaaaaa"] {
            assert!(extension(bad, "x").is_err(), "{bad}");
        }
        assert!(extension("a", &"x".repeat(1025)).is_err());
        assert!(extension("a", "x\u{0}").is_err() && extension("a", "\u{fffe}").is_err());
    }
}
