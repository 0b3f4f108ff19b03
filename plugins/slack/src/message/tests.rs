use outboard_sdk::Event;
use serde_json::{Value, json};

use super::Message;
use crate::tests::validator::validate;

fn execution(content: &Value) -> Event {
    Event::new("EXECUTION_EVENT")
        .about("7")
        .json(&json!({"user": {"email": "ann@example.org"}, "content": content}))
}

fn proctors_own() -> Event {
    execution(&json!({
        "Status": "CREATED", "ExecutionID": "7", "JobName": "a-job", "ImageTag": "test",
        "Args": r#"{"a":"1 \u0026 2","b":"\u003c\\u003e"}"#,
    }))
}

/// What Slack would take, as JSON.
fn valid(message: &Message) -> Value {
    let json = message.to_json();
    validate(&json).unwrap_or_else(|fault| panic!("{fault}: {json:#}"));
    json
}

fn values(json: &Value) -> Vec<String> {
    let blocks = json["blocks"].as_array().unwrap().iter();
    let fields = blocks.filter_map(|block| block["fields"].as_array()).flatten();
    fields.map(|field| field["text"].as_str().unwrap().to_owned()).collect()
}

/// 54, and the layout of 5.2.
#[test]
fn case_54_an_execution_is_a_headline_and_a_table_in_the_order_of_its_names() {
    let json = valid(&Message::of_event(&proctors_own()));
    let block = &json["blocks"][0];
    assert_eq!(json["blocks"].as_array().unwrap().len(), 1);
    assert_eq!((&block["type"], &block["text"]["type"]), (&json!("section"), &json!("plain_text")));
    let headline = block["text"]["text"].as_str().unwrap();
    assert!(headline.starts_with("ann@example.org "), "{headline}");
    assert_eq!(json["text"], headline, "notifications show it");
    let kinds: Vec<_> = block["fields"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
    assert_eq!(kinds, ["mrkdwn", "plain_text"].repeat(5));
    let names: Vec<String> = values(&json).into_iter().step_by(2).collect();
    assert_eq!(names, ["*Args*", "*ExecutionID*", "*ImageTag*", "*JobName*", "*Status*"]);
}

#[test]
fn n18_arguments_are_shown_as_they_were_typed_and_escaped_for_slack() {
    let json = valid(&Message::of_event(&proctors_own()));
    assert_eq!(values(&json)[1], r#"{"a":"1 &amp; 2","b":"&lt;\\u003e"}"#);
    let odd = r#"{"n":1234567890123456789012345.10,"s":"\"\u00e9\\"}"#;
    let json = valid(&Message::of_event(&execution(&json!({"Args": odd, "Text": "\\u0026"}))));
    assert_eq!(values(&json)[1], odd, "nothing else is touched");
    assert_eq!(values(&json)[3], "\\u0026", "a text that is no JSON is as it is");
}

#[test]
fn n17_an_empty_value_has_a_placeholder() {
    for empty in ["", "  \n"] {
        let json = valid(&Message::of_event(&execution(&json!({"ImageTag": empty, " ": "x"}))));
        assert!(values(&json).contains(&"(empty)".to_owned()), "{json}");
    }
}

#[test]
fn n17_a_long_value_is_cut_and_never_within_an_escape() {
    for long in ["x".repeat(2001), "&".repeat(401), "<>".repeat(5000), "🦀".repeat(1500)] {
        let json = valid(&Message::of_event(&execution(&json!({"Args": long}))));
        assert!(values(&json)[1].ends_with("… (cut)"));
    }
    let fits = "&".repeat(400);
    let json = valid(&Message::of_event(&execution(&json!({"Args": fits}))));
    assert_eq!(values(&json)[1], "&amp;".repeat(400));
}

#[test]
fn n17_six_values_and_more_take_further_sections_and_far_too_many_are_told_of() {
    for (count, blocks) in [(0, 1), (5, 1), (6, 2), (11, 3), (250, 50), (251, 50), (1000, 50)] {
        let content = (0..count).map(|it| (format!("key{it:04}"), json!("value")));
        let json = valid(&Message::of_event(&execution(&content.collect())));
        assert_eq!(json["blocks"].as_array().unwrap().len(), blocks, "{count} values");
        let last = json["blocks"][blocks - 1]["text"]["text"].as_str().unwrap_or_default();
        assert_eq!(last.contains("sections more"), count > 250, "{count}: {last}");
    }
}

#[test]
fn values_of_other_types_and_names_of_any_kind_are_shown() {
    let content =
        json!({"*b*\n<!here>": 1, "list": [1, "<"], "nothing": null, "x".repeat(3000): true});
    let json = valid(&Message::of_event(&execution(&content)));
    let shown = values(&json);
    assert_eq!(shown[0], "*∗b∗ &lt;!here&gt;*");
    assert_eq!(shown[3], "[1,\"&lt;\"]");
}

/// 55: what is no execution is no table.
#[test]
fn case_55_and_56_another_event_is_a_text_of_two_lines() {
    let event = Event::new("deploy.done").json(
        &json!({"user": {"email": "ann@example.org"}, "content": {"b": "<!channel>", "a": "&"}}),
    );
    let json = valid(&Message::of_event(&event));
    let text = "User: ann@example.org\ndeploy.done {\"a\":\"&amp;\",\"b\":\"&lt;!channel&gt;\"}";
    assert_eq!(json, json!({ "text": text }));
}

#[test]
fn an_event_of_no_known_shape_says_where_it_is_from_and_what_it_has() {
    let with_source = |mut event: Event| {
        "/shop".clone_into(&mut event.source);
        valid(&Message::of_event(&event))["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(with_source(Event::new("t")), "Source: /shop\nt");
    let text = with_source(Event::new("t").about("order-1").json(&json!([1])));
    assert_eq!(text, "Source: /shop\nt (order-1) [1]");
    let text = with_source(Event::new("EXECUTION_EVENT").json(&json!({"user": 1})));
    assert_eq!(text, "Source: /shop\nEXECUTION_EVENT {\"user\":1}", "no content, no table");
    let mut event = Event::new("t");
    (event.data, event.data_content_type) = (vec![0xff, 0xfe].into(), "image/png".to_owned());
    assert_eq!(with_source(event), "Source: /shop\nt (2 bytes of data)");
}

#[test]
fn nothing_that_an_event_says_is_markup() {
    for text in ["<!channel>", "<@U1>", "<https://x|y>", "a&b", "\u{7}\u{1b}[2J"] {
        let event = |kind: &str| {
            let user = json!({"email": text});
            Event::new(kind).about(text).json(&json!({"user": user, "content": {text: text}}))
        };
        valid(&Message::of_event(&event("EXECUTION_EVENT")));
        valid(&Message::of_event(&event("other")));
    }
}

#[test]
fn a_huge_event_is_a_message_all_the_same() {
    let event = Event::new("t".repeat(255)).json(&json!("<".repeat(1024 * 1024)));
    let json = valid(&Message::of_event(&event));
    assert!(json["text"].as_str().unwrap().ends_with("… (cut)"));
}

#[test]
fn a_text_of_a_template_takes_as_many_sections_as_it_needs() {
    let line = format!("{}\n", "x".repeat(99));
    for (lines, blocks) in [(1, 1), (30, 1), (31, 2), (61, 3), (10_000, 50)] {
        let message = Message::of_text(&line.repeat(lines)).unwrap();
        let json = valid(&message);
        assert_eq!(json["blocks"].as_array().unwrap().len(), blocks, "{lines} lines");
    }
    for one_line in
        ["x".repeat(7000), "&amp;".repeat(3000), format!("{}<!here|abc>", "x".repeat(2995))]
    {
        let message = Message::of_text(&one_line).unwrap();
        valid(&message);
    }
}

#[test]
fn a_template_that_says_nothing_sends_nothing() {
    assert_eq!(Message::of_text(" \n\t"), None);
}
