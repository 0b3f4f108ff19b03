//! Events as plugins and services send and get them over gRPC.

use outboard_proto::event::v1;
use time::{Duration, OffsetDateTime};

use super::draft::{self, Draft};
use super::{Event, Fault, MOST, Received, cloud};

/// Reads what came over the wire, where empty is the same as missing.
pub fn from_proto(event: v1::Event, received: &mut Received<'_>) -> Result<Event, Fault> {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let data_content_type = text(event.data_content_type);
    let data = Some(event.data).filter(|data| !data.is_empty());
    let data =
        data.map(|data| draft::data(data.to_vec(), data_content_type.as_deref())).transpose()?;
    let draft = Draft {
        id: text(event.id),
        source: text(event.source),
        kind: text(event.r#type),
        subject: text(event.subject),
        time: event.time.map(read_time).transpose()?,
        data_content_type,
        data_schema: text(event.data_schema),
        data,
        extensions: event.extensions.into_iter().collect(),
    };
    draft.complete(received)
}

/// Reads all, or says which is wrong.
pub fn from_protos(
    events: Vec<v1::Event>,
    received: &mut Received<'_>,
) -> Result<Vec<Event>, Fault> {
    if events.len() > MOST {
        return Err(cloud::too_many(events.len()));
    }
    let events = events.into_iter().enumerate();
    events
        .map(|(index, event)| from_proto(event, received).map_err(|fault| fault.of(index)))
        .collect()
}

/// An event as it goes over the wire.
pub fn to_proto(event: &Event) -> v1::Event {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    v1::Event {
        id: event.id.clone(),
        source: event.source.clone(),
        r#type: event.kind.clone(),
        subject: text(&event.subject),
        time: Some(write_time(event.time)),
        data_content_type: text(&event.data_content_type),
        data_schema: text(&event.data_schema),
        data: event.data.as_ref().map(|data| data.as_bytes().to_vec()).unwrap_or_default().into(),
        extensions: event.extensions.clone().into_iter().collect(),
    }
}

fn read_time(time: prost_types::Timestamp) -> Result<OffsetDateTime, Fault> {
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let begun = OffsetDateTime::from_unix_timestamp(time.seconds).ok();
    let read = begun
        .zip(nanos)
        .and_then(|(begun, nanos)| begun.checked_add(Duration::nanoseconds(nanos.into())));
    read.ok_or_else(|| Fault::new("time", "not a time; send when it happened"))
}

fn write_time(time: OffsetDateTime) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.nanosecond()).unwrap_or_default();
    prost_types::Timestamp { seconds: time.unix_timestamp(), nanos }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::event::{Data, Origin};

    fn read(event: v1::Event, origin: Origin<'_>) -> Result<Event, String> {
        let mut new_id = || "made".to_owned();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        let mut received = Received { now, new_id: &mut new_id, origin };
        from_proto(event, &mut received).map_err(|fault| fault.to_string())
    }

    fn full() -> v1::Event {
        v1::Event {
            id: "1".into(),
            source: "/jobs".into(),
            r#type: "job.started".into(),
            subject: "7".into(),
            time: Some(prost_types::Timestamp { seconds: -1, nanos: 5 }),
            data_content_type: "application/json".into(),
            data_schema: "https://s.example/1".into(),
            data: "{\"a\": 1}".into(),
            extensions: [("partitionkey".to_owned(), "k".to_owned())].into(),
        }
    }

    #[test]
    fn what_goes_over_the_wire_comes_back() {
        let event = read(full(), Origin::Service).unwrap();
        assert_eq!(to_proto(&event), full());
        assert_eq!(event.key(), Some("k"));
        assert_eq!(to_proto(&Event::from_json(&event.to_json()).unwrap()), full());
    }

    #[test]
    fn what_a_service_leaves_out_the_host_writes() {
        let few = v1::Event { source: "/s".into(), r#type: "t".into(), ..Default::default() };
        let event = read(few, Origin::Service).unwrap();
        assert_eq!((event.id.as_str(), event.data, event.data_content_type), ("made", None, None));
        assert_eq!(event.time.unix_timestamp_nanos(), 1_500_000_000);
        assert_eq!(
            read(v1::Event::default(), Origin::Service).unwrap_err(),
            "source: missing or empty; write some text"
        );
    }

    #[test]
    fn source_and_time_of_a_plugin_are_the_hosts_to_say() {
        let event = read(full(), Origin::Plugin { source: "/plugins/chat/alerts" }).unwrap();
        assert_eq!(event.source, "/plugins/chat/alerts");
        assert_eq!((event.id.as_str(), event.time.unix_timestamp()), ("1", 1));
    }

    #[test]
    fn data_is_what_its_media_type_says() {
        let with = |kind: &str, data: &'static [u8]| v1::Event {
            data_content_type: kind.into(),
            data: data.into(),
            ..full()
        };
        let data = |kind: &str, bytes| {
            read(with(kind, bytes), Origin::Service).map(|event| event.data.unwrap())
        };
        assert_eq!(data("text/plain", b"hi"), Ok(Data::Text("hi".into())));
        assert_eq!(data("text/plain", b"\xff"), Ok(Data::Binary(vec![0xff])));
        assert_eq!(data("", b"[1]"), Ok(Data::Json("[1]".into())));
        assert!(data("", b"hi").unwrap_err().starts_with("data: "));
        assert!(data("application/x+json", b"\xff").unwrap_err().starts_with("data: not UTF-8"));
    }

    #[test]
    fn a_wrong_attribute_is_named() {
        let check = |event: v1::Event, attribute: &str| {
            let fault = read(event, Origin::Service).unwrap_err();
            assert!(fault.starts_with(&format!("{attribute}: ")), "{fault}");
        };
        let time = |seconds, nanos| v1::Event {
            time: Some(prost_types::Timestamp { seconds, nanos }),
            ..full()
        };
        check(time(0, -1), "time");
        check(time(0, 1_000_000_000), "time");
        check(time(i64::MAX, 0), "time");
        check(time(-62_135_596_801, 0), "time");
        check(v1::Event { id: "a\u{7f}".into(), ..full() }, "id");
        check(v1::Event { subject: "s".repeat(256), ..full() }, "subject");
        check(v1::Event { r#type: "é".into(), ..full() }, "type");
        check(v1::Event { data_schema: "x".into(), ..full() }, "dataschema");
        check(
            v1::Event { extensions: [("A".to_owned(), String::new())].into(), ..full() },
            "\"A\"",
        );
        let many = (0..33).map(|number| (format!("e{number}"), String::new())).collect();
        assert!(
            read(v1::Event { extensions: many, ..full() }, Origin::Service)
                .unwrap_err()
                .contains("33 extensions")
        );
    }

    #[test]
    fn of_several_the_wrong_one_is_named() {
        let mut new_id = || "made".to_owned();
        let mut received =
            Received { now: SystemTime::UNIX_EPOCH, new_id: &mut new_id, origin: Origin::Service };
        let fault = from_protos(vec![full(), v1::Event::default()], &mut received).unwrap_err();
        assert_eq!(fault.to_string(), "events[1].source: missing or empty; write some text");
        assert!(from_protos(vec![full(); 1001], &mut received).is_err());
    }
}
