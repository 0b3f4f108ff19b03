//! `CloudEvents` 1.0 as JSON: one event, or a list of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::draft::{self, Draft};
use super::{Data, Event, Fault, MOST, Received, attribute, json};
use crate::written::shown;

/// The version that is read and written.
pub(super) const VERSION: &str = "1.0";

/// Reads one event (`application/cloudevents+json`).
pub fn read(bytes: &[u8], received: &mut Received<'_>) -> Result<Event, Fault> {
    read_text(json::text(bytes)?, received)
}

/// Reads a list of events (`application/cloudevents-batch+json`). None is a list, too.
pub fn read_batch(bytes: &[u8], received: &mut Received<'_>) -> Result<Vec<Event>, Fault> {
    let items = json::items(json::text(bytes)?)?;
    if items.len() > MOST {
        return Err(too_many(items.len()));
    }
    let events = items.into_iter().enumerate();
    events
        .map(|(index, item)| read_text(item.get(), received).map_err(|fault| fault.of(index)))
        .collect()
}

pub(super) fn too_many(events: usize) -> Fault {
    Fault::new("", format!("{events} events at once; send at most {MOST}"))
}

fn read_text(text: &str, received: &mut Received<'_>) -> Result<Event, Fault> {
    let mut draft = Draft::default();
    let mut version = None;
    let mut data = None;
    let mut base64 = None;
    for (name, value) in json::fields(text)?.0 {
        match name.as_str() {
            "specversion" => version = json::scalar("specversion", value)?,
            "data" => data = Some(value),
            "data_base64" => base64 = json::scalar("data_base64", value)?,
            _ => {
                attribute::name(&name)?;
                set(&mut draft, &name, json::scalar(&name, value)?)?;
            }
        }
    }
    check_version(version.as_deref())?;
    draft.data = read_data(data, base64, &mut draft.data_content_type)?;
    draft.complete(received)
}

pub(super) fn check_version(version: Option<&str>) -> Result<(), Fault> {
    match version {
        Some(VERSION) => Ok(()),
        Some(other) => Err(Fault::new(
            "specversion",
            format!("{}: write \"{VERSION}\", the only one known here", shown(other)),
        )),
        None => Err(Fault::new("specversion", format!("missing; write \"{VERSION}\""))),
    }
}

/// Takes up one attribute, whose name was checked.
pub(super) fn set(draft: &mut Draft, name: &str, value: json::Scalar) -> Result<(), Fault> {
    let slot = match name {
        "id" => &mut draft.id,
        "source" => &mut draft.source,
        "type" => &mut draft.kind,
        "subject" => &mut draft.subject,
        "datacontenttype" => &mut draft.data_content_type,
        "dataschema" => &mut draft.data_schema,
        "time" => {
            draft.time = value.map(|time| read_time(&time)).transpose()?;
            return Ok(());
        }
        _ => {
            draft.extensions.extend(value.map(|value| (name.to_owned(), value)));
            return Ok(());
        }
    };
    *slot = value;
    Ok(())
}

fn read_time(text: &str) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        Fault::new(
            "time",
            format!("{}: not a time; write one such as \"2026-03-01T12:00:00Z\"", shown(text)),
        )
    })
}

/// What is there as JSON, as text, or as bytes in base64: the media type says how it is meant.
fn read_data(
    data: Option<&RawValue>,
    base64: Option<String>,
    media_type: &mut Option<String>,
) -> Result<Option<Data>, Fault> {
    match (data, base64) {
        (Some(_), Some(_)) => Err(Fault::new("data", "there with data_base64; send one of them")),
        (None, None) => Ok(None),
        (Some(value), None) if media_type.as_deref().is_none_or(attribute::is_json) => {
            json::check("data", value.get())?;
            Ok(Some(Data::Json(value.get().to_owned())))
        }
        (Some(value), None) => json::string("data", value).map(|text| Some(Data::Text(text))),
        (None, Some(base64)) => {
            let bytes = STANDARD.decode(&base64).map_err(|error| {
                Fault::new(
                    "data_base64",
                    format!("{error}; send base64 of RFC 4648 with its padding"),
                )
            })?;
            // Nobody says what it is; it need not be JSON only because that is the usual.
            let kind = media_type.get_or_insert_with(|| "application/octet-stream".to_owned());
            draft::data(bytes, Some(kind)).map(Some)
        }
    }
}

/// One event as JSON, without line breaks but those in its data.
pub(super) fn write(event: &Event) -> String {
    // Made of a time that is in its bounds; see `Draft::complete`.
    let time = event.time.format(&Rfc3339).unwrap_or_default();
    let mut text = format!("{{\"specversion\":\"{VERSION}\"");
    let own = [
        ("id", Some(&event.id)),
        ("source", Some(&event.source)),
        ("type", Some(&event.kind)),
        ("subject", event.subject.as_ref()),
        ("time", Some(&time)),
        ("datacontenttype", event.data_content_type.as_ref()),
        ("dataschema", event.data_schema.as_ref()),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let extensions = event.extensions.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in own.chain(extensions) {
        push(&mut text, name, &json::quoted(value));
    }
    match &event.data {
        None => {}
        Some(Data::Json(json)) => push(&mut text, "data", json),
        Some(Data::Text(data)) => push(&mut text, "data", &json::quoted(data)),
        Some(Data::Binary(bytes)) => {
            push(&mut text, "data_base64", &json::quoted(&STANDARD.encode(bytes)));
        }
    }
    text.push('}');
    text
}

fn push(text: &mut String, name: &str, json: &str) {
    for part in [",\"", name, "\":", json] {
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests;
