//! `CloudEvents` in HTTP's binary mode: the attributes are headers, `ce-…`, and the body is the data.

use percent_encoding::percent_decode_str;

use super::draft::{self, Draft};
use super::{Event, Fault, Received, attribute, cloud};

/// The beginning of each attribute's header.
pub const PREFIX: &str = "ce-";

/// Reads one event. `headers` are all of the message's, with names in lower case.
pub fn read<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    body: &[u8],
    received: &mut Received<'_>,
) -> Result<Event, Fault> {
    let mut draft = Draft::default();
    let mut version = None;
    let mut seen: Vec<&str> = Vec::new();
    for (header, value) in headers {
        let name = if header == "content-type" {
            "datacontenttype"
        } else {
            header.strip_prefix(PREFIX).unwrap_or("")
        };
        if name.is_empty() {
            continue;
        }
        attribute::name(name)?;
        if seen.contains(&name) {
            return Err(Fault::new(name, "there twice; send it once"));
        }
        seen.push(name);
        let value = Some(text(name, value)?);
        match name {
            "specversion" => version = value,
            _ => cloud::set(&mut draft, name, value)?,
        }
    }
    cloud::check_version(version.as_deref())?;
    if !body.is_empty() {
        draft.data = Some(draft::data(body.to_vec(), draft.data_content_type.as_deref())?);
    }
    draft.complete(received)
}

/// The text that a header stands for: with percent escapes, and in quotes where an old sender does so.
fn text(name: &str, value: &[u8]) -> Result<String, Fault> {
    let wrong = || Fault::new(name, "not UTF-8; send UTF-8 in percent escapes");
    let text = std::str::from_utf8(value).map_err(|_| wrong())?.trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    if name == "datacontenttype" {
        return Ok(text.to_owned());
    }
    percent_decode_str(quoted.unwrap_or(text)).decode_utf8().map(Into::into).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::event::{Data, Origin};

    const HEADERS: [(&str, &str); 5] = [
        ("host", "localhost"),
        ("ce-specversion", "1.0"),
        ("ce-type", "job.started"),
        ("ce-source", "/jobs"),
        ("content-type", "application/json"),
    ];

    fn read_with(more: &[(&str, &str)], body: &[u8]) -> Result<Event, String> {
        let mut new_id = || "made".to_owned();
        let mut received =
            Received { now: SystemTime::UNIX_EPOCH, new_id: &mut new_id, origin: Origin::Service };
        let headers = HEADERS.iter().chain(more).map(|(name, value)| (*name, value.as_bytes()));
        read(headers, body, &mut received).map_err(|fault| fault.to_string())
    }

    #[test]
    fn headers_are_attributes_and_the_body_is_the_data() {
        let more = [
            ("ce-subject", "Euro%20%E2%82%AC"),
            ("ce-partitionkey", "7"),
            ("ce-time", "2026-01-02T03:04:05Z"),
        ];
        let event = read_with(&more, b"[1]").unwrap();
        assert_eq!(
            (event.id.as_str(), event.kind.as_str(), event.key()),
            ("made", "job.started", Some("7"))
        );
        assert_eq!(event.subject.as_deref(), Some("Euro €"));
        assert_eq!(
            (event.data, event.time.unix_timestamp()),
            (Some(Data::Json("[1]".into())), 1_767_323_045)
        );
        let nothing = read_with(&[], b"").unwrap();
        assert_eq!(
            (nothing.data, nothing.data_content_type.as_deref()),
            (None, Some("application/json"))
        );
        assert_eq!(
            read_with(&[("ce-subject", "\"a b\"")], b"").unwrap().subject.as_deref(),
            Some("a b")
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |more: &[(&str, &str)], body: &[u8], expected: &str| {
            let fault = read_with(more, body).unwrap_err();
            assert!(fault.starts_with(expected), "{fault}");
        };
        check(&[("ce-type", "other")], b"", "type: there twice");
        check(&[("ce-id", "")], b"", "id: missing or empty");
        check(&[("ce-id", "a%0Ab")], b"", "id: ");
        check(&[("ce-id", "%ff")], b"", "id: not UTF-8");
        check(&[("ce-a_b", "1")], b"", "\"a_b\": not the name");
        check(&[("ce-time", "now")], b"", "time: ");
        check(&[], b"{", "data: ");
        check(&[("ce-data", "x")], b"", "\"data\": not the name");
    }
}
