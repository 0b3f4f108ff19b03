//! `application/json` without a word of what is in it: `CloudEvents` or Proctor's events, one or a list.

use super::{Event, Fault, MOST, Received, cloud, json, proctor};

/// Reads one event or a list of them, each in either shape.
pub fn read_any(bytes: &[u8], received: &mut Received<'_>) -> Result<Vec<Event>, Fault> {
    let text = json::text(bytes)?;
    if !text.trim_ascii_start().starts_with('[') {
        return read_one(text, received).map(|event| vec![event]);
    }
    let items = json::items(text)?;
    if items.len() > MOST {
        return Err(cloud::too_many(items.len()));
    }
    let events = items.into_iter().enumerate();
    events
        .map(|(index, item)| read_one(item.get(), received).map_err(|fault| fault.of(index)))
        .collect()
}

fn read_one(text: &str, received: &mut Received<'_>) -> Result<Event, Fault> {
    let fields = json::fields(text)?;
    let has = |name: &str| fields.0.iter().any(|(key, _)| key == name);
    if !has("specversion") && has("content") {
        proctor::read(text.as_bytes(), received)
    } else {
        cloud::read(text.as_bytes(), received)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::event::Origin;

    fn read(text: &str) -> Result<Vec<Event>, String> {
        let mut count = 0;
        let mut new_id = || {
            count += 1;
            format!("made-{count}")
        };
        let now = SystemTime::UNIX_EPOCH;
        let mut received = Received { now, new_id: &mut new_id, origin: Origin::Service };
        read_any(text.as_bytes(), &mut received).map_err(|fault| fault.to_string())
    }

    #[test]
    fn both_shapes_are_told_apart_alone_and_in_a_list() {
        let cloud = r#"{"specversion":"1.0","type":"a","source":"/s"}"#;
        let proctor = r#"{"type":"b","user":{"email":"u@x"},"content":{}}"#;
        assert_eq!(read(cloud).unwrap()[0].kind, "a");
        assert_eq!(read(proctor).unwrap()[0].source, "/proctor");
        let both = read(&format!(" [{proctor}, {cloud}]")).unwrap();
        let ids: Vec<_> =
            both.iter().map(|event| (event.kind.as_str(), event.id.as_str())).collect();
        assert_eq!(ids, [("b", "made-1"), ("a", "made-2")]);
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn what_is_neither_is_told_which_one_it_is() {
        assert_eq!(read(r#"{"type":"a"}"#).unwrap_err(), "specversion: missing; write \"1.0\"");
        let second = r#"[{"type":"b","user":{"email":""},"content":{}},{"type":"b","content":{"a":1},"user":{}}]"#;
        assert!(read(second).unwrap_err().starts_with("events[1]."), "{:?}", read(second));
        assert!(read("5").is_err() && read("").is_err() && read("[1]").is_err());
        let many = format!("[{}1]", "1,".repeat(1000));
        assert_eq!(read(&many).unwrap_err(), "1001 events at once; send at most 1000");
    }
}
