use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::event::{Origin, PARTITION_KEY};

/// Reads with ids that are counted, half a second into the Unix epoch.
fn with<T>(read: impl FnOnce(&mut Received<'_>) -> Result<T, Fault>) -> Result<T, String> {
    let mut count = 0;
    let mut new_id = || {
        count += 1;
        format!("made-{count}")
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(500);
    let mut received = Received { now, new_id: &mut new_id, origin: Origin::Service };
    read(&mut received).map_err(|fault| fault.to_string())
}

fn event(text: &str) -> Result<Event, String> {
    with(|received| read(text.as_bytes(), received))
}

/// An event with these members besides the usual ones.
fn event_with(members: &str) -> Result<Event, String> {
    event(&format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{members}}}"#))
}

#[test]
fn the_example_of_the_specification_is_read_and_written() {
    let text = r#"{
        "specversion" : "1.0",
        "type" : "com.example.someevent",
        "source" : "/mycontext",
        "subject": null,
        "id" : "C234-1234-1234",
        "time" : "2018-04-05T17:31:00.5+02:00",
        "comexampleextension1" : "value",
        "comexampleothervalue" : 5,
        "datacontenttype" : "application/vnd.apache.thrift.binary",
        "data_base64" : "AAH/"
    }"#;
    let read = event(text).unwrap();
    assert_eq!((read.subject.as_deref(), read.key()), (None, None));
    assert_eq!(read.data, Some(Data::Binary(vec![0, 1, 255])));
    assert_eq!(read.extensions["comexampleothervalue"], "5");
    let written = r#"{"specversion":"1.0","id":"C234-1234-1234","source":"/mycontext","type":"com.example.someevent","time":"2018-04-05T15:31:00.5Z","datacontenttype":"application/vnd.apache.thrift.binary","comexampleextension1":"value","comexampleothervalue":"5","data_base64":"AAH/"}"#;
    assert_eq!(read.to_json(), written);
    assert_eq!(Event::from_json(written).unwrap(), read);
}

#[test]
fn what_is_left_out_is_filled_in() {
    let event = event(r#"{"specversion":"1.0","source":"/s","type":"t","data":{}}"#).unwrap();
    assert_eq!(event.id, "made-1");
    assert_eq!(event.time.unix_timestamp_nanos(), 500_000_000);
    assert_eq!(event.data_content_type.as_deref(), Some("application/json"));
    assert_eq!(event_with("").unwrap().data_content_type, None);
}

#[test]
fn data_is_kept_as_it_was_written() {
    let json = r#"{"big":123456789012345678901234567890, "small" : 1.10, "text":"\u0026é"}"#;
    let read = event_with(&format!(",\"data\": {json} ")).unwrap();
    assert_eq!(read.data, Some(Data::Json(json.to_owned())));
    assert!(read.to_json().ends_with(&format!("\"data\":{json}}}")));
    let text = event_with(r#","datacontenttype":"text/plain","data":"a\u0000b\n""#).unwrap();
    assert_eq!(text.data, Some(Data::Text("a\u{0}b\n".to_owned())));
    assert_eq!(Event::from_json(&text.to_json()).unwrap(), text);
    let bytes = event_with(r#","data_base64":"aGk=""#).unwrap();
    assert_eq!(bytes.data_content_type.as_deref(), Some("application/octet-stream"));
    let json = event_with(r#","datacontenttype":"application/json","data_base64":"WzFd""#).unwrap();
    assert_eq!(json.data, Some(Data::Json("[1]".to_owned())));
    assert_eq!(event_with(r#","data":null"#).unwrap().data, Some(Data::Json("null".to_owned())));
}

#[test]
fn the_partition_key_goes_before_the_subject() {
    let key = |members: &str| event_with(members).unwrap().key().map(str::to_owned);
    assert_eq!(key(r#","subject":"s","partitionkey":"p""#).as_deref(), Some("p"));
    assert_eq!(key(r#","subject":"s""#).as_deref(), Some("s"));
    assert_eq!(key(r#","partitionkey":7"#).as_deref(), Some("7"));
    assert_eq!(key(""), None);
}

#[test]
fn every_fault_names_its_attribute() {
    let check = |members: &str, expected: &str| {
        let fault = event_with(members).unwrap_err();
        assert!(fault.starts_with(expected), "{members}: {fault}");
    };
    check(r#","id":"2""#, "the key \"id\" is there twice");
    check(r#","subject":"""#, "subject: missing or empty");
    check(r#","subject":{}"#, "subject: \"{}\": write text, in quotes");
    check(r#","subject":"a\u0007""#, "subject: ");
    check(r#","subject":"\ud800""#, "subject: ");
    check(r#","time":"yesterday""#, "time: \"yesterday\": not a time");
    check(r#","time":"2018-04-05T17:31:00""#, "time: ");
    check(r#","time":"0000-04-05T17:31:00Z""#, "time: not in the years");
    check(r#","datacontenttype":"json""#, "datacontenttype: ");
    check(r#","dataschema":"/s""#, "dataschema: ");
    check(r#","Extension":"x""#, "\"Extension\": not the name of an attribute");
    check(r#","a_b":"x""#, "\"a_b\": not the name");
    check(r#","ext":1.5"#, "ext: \"1.5\": write text");
    check(r#","ext":[]"#, "ext: ");
    check(r#","data":{"a":1,"a":2}"#, "data: the key \"a\" is there twice");
    check(r#","data":1,"data_base64":"aGk=""#, "data: there with data_base64");
    check(r#","datacontenttype":"text/plain","data":{}"#, "data: \"{}\": write text");
    check(r#","datacontenttype":"application/json","data_base64":"aGk=""#, "data: ");
    check(r#","data_base64":"a""#, "data_base64: ");
    check(r#","data_base64":5x"#, "");
}

#[test]
fn what_is_required_must_be_there() {
    let check = |text: &str, expected: &str| {
        assert!(event(text).unwrap_err().starts_with(expected), "{text}");
    };
    check(r#"{"id":"1","source":"/s","type":"t"}"#, "specversion: missing; write \"1.0\"");
    check(
        r#"{"specversion":"0.3","source":"/s","type":"t"}"#,
        "specversion: \"0.3\": write \"1.0\"",
    );
    check(r#"{"specversion":1.0,"source":"/s","type":"t"}"#, "specversion: ");
    check(r#"{"specversion":"1.0","type":"t"}"#, "source: missing");
    check(r#"{"specversion":"1.0","source":"/s"}"#, "type: missing");
    check(r#"{"specversion":"1.0","source":"/s","type":"t","id":""}"#, "id: missing or empty");
    check("[]", "invalid type");
    check("{}x", "trailing characters");
}

#[test]
fn a_message_that_is_not_utf_8_is_refused() {
    let fault = with(|received| read(b"{\"specversion\":\"1.0\xff\"}", received)).unwrap_err();
    assert_eq!(fault, "not UTF-8 at byte 19; send UTF-8");
}

#[test]
fn of_a_list_the_wrong_one_is_named() {
    let batch = |text: &str| with(|received| read_batch(text.as_bytes(), received));
    let good = r#"{"specversion":"1.0","source":"/s","type":"t"}"#;
    let ids: Vec<_> =
        batch(&format!("[{good},{good}]")).unwrap().into_iter().map(|event| event.id).collect();
    assert_eq!(ids, ["made-1", "made-2"]);
    assert_eq!(batch("[]").unwrap(), []);
    let fault = batch(&format!(r#"[{good},{{"specversion":"1.0","source":"/s"}}]"#)).unwrap_err();
    assert_eq!(fault, "events[1].type: missing or empty; write some text");
    assert!(batch(&format!("[{good},5]")).unwrap_err().starts_with("events[1]: "));
    assert!(batch(good).unwrap_err().contains("send well-formed JSON"));
    let many = format!("[{}{good}]", format!("{good},").repeat(1000));
    assert_eq!(batch(&many).unwrap_err(), "1001 events at once; send at most 1000");
}

fn any_event() -> impl Strategy<Value = Event> {
    let data = prop_oneof![
        Just(None),
        "[ -~é]{0,20}".prop_map(|text| Some((Data::Json(json::quoted(&text)), "application/json"))),
        "\\PC{0,20}".prop_map(|text| Some((Data::Text(text), "text/plain"))),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|mut bytes| {
            bytes.push(0xff);
            Some((Data::Binary(bytes), "application/octet-stream"))
        }),
    ];
    let extensions = prop::collection::btree_map("[a-z]{2}[0-9]{1,5}", "[ -~é]{0,20}", 0..4);
    let time = (-62_135_596_800_i64..253_402_300_800, 0..1_000_000_000_u32);
    (
        "[ -~é]{1,20}",
        "/[a-z]{0,9}",
        "[!-~]{1,9}",
        prop::option::of("[ -~é]{1,9}"),
        data,
        extensions,
        time,
    )
        .prop_map(
            |(id, source, kind, subject, data, extensions, (seconds, nanos)): (
                _,
                _,
                _,
                _,
                _,
                BTreeMap<_, _>,
                _,
            )| Event {
                id,
                source,
                kind,
                subject,
                time: OffsetDateTime::from_unix_timestamp(seconds)
                    .unwrap()
                    .replace_nanosecond(nanos)
                    .unwrap(),
                data_content_type: data.as_ref().map(|(_, kind)| (*kind).to_owned()),
                data_schema: None,
                data: data.map(|(data, _)| data),
                extensions,
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(event in any_event()) {
        prop_assert_eq!(Event::from_json(&event.to_json()), Ok(event.clone()));
        prop_assert!(event.extensions.contains_key(PARTITION_KEY) || event.key() == event.subject.as_deref());
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = with(|received| read(&bytes, received));
        let _ = with(|received| read_batch(&bytes, received));
    }

    #[test]
    fn no_members_do_harm(members in "(,\"[a-z_]{1,9}\":(null|1|\"[ -~]{0,5}\"|\\{\\}|\\[1\\])){0,5}") {
        if let Ok(event) = event_with(&members) {
            prop_assert_eq!(Event::from_json(&event.to_json()), Ok(event));
        }
    }
}
