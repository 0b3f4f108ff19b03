//! What an event looks like as a mail. Pure: events and the time go in, messages come out.
//!
//! Headers are written by the library; what an event says gets into one of them only, the subject, as a single line
//! of visible characters.

use std::fmt::Write as _;
use std::time::SystemTime;

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use outboard_sdk::{Delivery, Event, NotifyError};
use outboard_sending::{Templates, context};
use serde_json::Value;

/// Of a subject, in characters.
const MOST_SUBJECT: usize = 200;
/// Of a text, in bytes.
const MOST_TEXT: usize = 256 * 1024;
const CUT: &str = "\n… (cut)\n";

/// From whom, to whom, and in whose words.
pub(crate) struct Letters {
    pub(crate) from: Mailbox,
    /// Never empty.
    pub(crate) to: Vec<Mailbox>,
    pub(crate) subjects: Templates,
    pub(crate) texts: Templates,
}

impl Letters {
    /// `None`: the operator's template says nothing about this event.
    pub(crate) fn write(
        &self,
        delivery: &Delivery,
        now: SystemTime,
    ) -> Result<Option<Message>, NotifyError> {
        let event = &delivery.event;
        let subject = own(&self.subjects, delivery).unwrap_or_else(|| subject(event));
        let text = own(&self.texts, delivery).unwrap_or_else(|| text(event));
        if text.trim().is_empty() {
            return Ok(None);
        }
        let message = self
            .addressed()
            .date(now)
            .subject(line(&subject))
            .message_id(Some(self.message_id(&delivery.id)))
            .raw_header(automatic())
            .header(ContentType::TEXT_PLAIN)
            .body(cut(&text));
        let wrong = |error| NotifyError::reject(format!("it can't be written as a mail: {error}"));
        message.map(Some).map_err(wrong)
    }

    fn addressed(&self) -> MessageBuilder {
        let from = Message::builder().from(self.from.clone());
        self.to.iter().cloned().fold(from, MessageBuilder::to)
    }

    /// The same for each attempt, so that mailboxes can drop repeats.
    fn message_id(&self, delivery: &str) -> String {
        let id: String =
            delivery.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        format!("<{id}@{}>", self.from.email.domain())
    }
}

/// Out-of-office replies would only come back to nobody (RFC 3834).
fn automatic() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

/// What the operator's template says; nothing if there is none, or none that can be used.
fn own(templates: &Templates, delivery: &Delivery) -> Option<String> {
    let event = &delivery.event;
    match templates.render(&event.kind, &context(delivery), MOST_TEXT + CUT.len())? {
        Ok(text) => Some(text),
        Err(why) => {
            // Better told in another form than not at all.
            tracing::warn!(id = event.id, kind = event.kind, why, "a template was not used");
            None
        }
    }
}

fn subject(event: &Event) -> String {
    match event.subject.as_str() {
        "" => event.kind.clone(),
        subject => format!("{}: {subject}", event.kind),
    }
}

/// All of it, the data last.
fn text(event: &Event) -> String {
    let cloud_event = event.to_cloud_event();
    let members = cloud_event.as_object().into_iter().flatten();
    let (data, attributes): (Vec<_>, Vec<_>) =
        members.partition(|(name, _)| name.as_str() == "data" || name.as_str() == "data_base64");
    let mut text = String::new();
    for (name, value) in attributes.iter().filter(|(name, _)| name.as_str() != "specversion") {
        let value = value.as_str().map_or_else(|| value.to_string(), line);
        // To a String nothing fails.
        let _ = writeln!(text, "{name}: {value}");
    }
    for (_, value) in data {
        let value = match value {
            Value::String(data) => data.clone(),
            data => format!("{data:#}"),
        };
        let _ = write!(text, "\n{value}\n");
    }
    text
}

/// One line of visible characters, never empty.
fn line(text: &str) -> String {
    let blank = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
    let line: String = text.chars().map(|c| if blank(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.join(" ").chars().take(MOST_SUBJECT).collect::<String>() {
        line if line.is_empty() => "(empty)".to_owned(),
        line => line,
    }
}

/// Without what only a terminal would understand, and not too long.
fn cut(text: &str) -> String {
    let visible = |c: &char| !c.is_control() || *c == '\n' || *c == '\t';
    let mut text: String = text.chars().filter(visible).collect();
    if text.len() > MOST_TEXT {
        let end = (0..=MOST_TEXT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push_str(CUT);
    }
    text
}
