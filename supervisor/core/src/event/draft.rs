//! An event that is not yet one: read, but neither completed nor checked.

use std::collections::BTreeMap;
use std::time::SystemTime;

use time::{OffsetDateTime, UtcOffset};

use super::{Data, Event, Fault, Origin, Received, attribute, json};

/// The most extensions of an event.
const MOST_EXTENSIONS: usize = 32;

/// The media type of data that has none written.
const JSON: &str = "application/json";

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) time: Option<OffsetDateTime>,
    pub(super) data_content_type: Option<String>,
    pub(super) data_schema: Option<String>,
    pub(super) data: Option<Data>,
    pub(super) extensions: BTreeMap<String, String>,
}

impl Draft {
    /// The event, with what was left out, if all of it is within its limits.
    pub(super) fn complete(self, received: &mut Received<'_>) -> Result<Event, Fault> {
        let now = instant(received.now);
        let (source, time) = match received.origin {
            Origin::Service => (self.source.unwrap_or_default(), self.time.unwrap_or(now)),
            Origin::Plugin { source } => (source.to_owned(), now),
        };
        let has_data = self.data.is_some();
        let event = Event {
            id: self.id.unwrap_or_else(|| (received.new_id)()),
            source,
            kind: self.kind.unwrap_or_default(),
            subject: self.subject,
            time: in_utc(time)?,
            data_content_type: self.data_content_type.or_else(|| has_data.then(|| JSON.to_owned())),
            data_schema: self.data_schema,
            data: self.data,
            extensions: self.extensions,
        };
        check(&event).map(|()| event)
    }
}

/// The data that bytes of a media type are; `None` for the type stands for JSON.
pub(super) fn data(bytes: Vec<u8>, media_type: Option<&str>) -> Result<Data, Fault> {
    let is_json = media_type.is_none_or(attribute::is_json);
    match String::from_utf8(bytes) {
        Ok(text) if is_json => json::check("data", &text).map(|()| Data::Json(text)),
        Ok(text) => Ok(Data::Text(text)),
        Err(_) if is_json => {
            Err(Fault::new("data", "not UTF-8, as JSON is; send UTF-8, or name another media type"))
        }
        Err(error) => Ok(Data::Binary(error.into_bytes())),
    }
}

/// A clock that is set before 1970, or beyond all years, says nothing.
fn instant(now: SystemTime) -> OffsetDateTime {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = time::Duration::try_from(since).unwrap_or_default();
    OffsetDateTime::UNIX_EPOCH.checked_add(since).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn in_utc(time: OffsetDateTime) -> Result<OffsetDateTime, Fault> {
    let utc =
        time.checked_to_offset(UtcOffset::UTC).filter(|time| (1..=9999).contains(&time.year()));
    utc.ok_or_else(|| Fault::new("time", "not in the years 1 to 9999; send when it happened"))
}

fn check(event: &Event) -> Result<(), Fault> {
    attribute::text("id", &event.id)?;
    attribute::reference("source", &event.source)?;
    attribute::kind(&event.kind)?;
    event.subject.iter().try_for_each(|subject| attribute::text("subject", subject))?;
    event.data_content_type.iter().try_for_each(|kind| attribute::media_type(kind))?;
    event.data_schema.iter().try_for_each(|schema| attribute::uri("dataschema", schema))?;
    if event.extensions.len() > MOST_EXTENSIONS {
        let problem = format!("{} extensions; keep to {MOST_EXTENSIONS}", event.extensions.len());
        return Err(Fault::new("", problem));
    }
    event.extensions.iter().try_for_each(|(name, value)| attribute::extension(name, value))
}
