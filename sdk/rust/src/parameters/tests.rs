//! What operators are told about their parameters.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::read;
use crate::problem::Problem;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Parameters {
    url: String,
    #[serde(default)]
    smtp: Option<Smtp>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    codes: BTreeMap<u16, String>,
    #[serde(default)]
    ratio: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Smtp {
    ports: Vec<u16>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Quick,
    After {
        seconds: u32,
    },
}

#[track_caller]
fn check(json: &str, pointer: &str, message: &str) {
    let problem = read::<Parameters>(json.as_bytes()).unwrap_err();
    assert_eq!(problem, Problem::new(pointer, message), "{json}");
}

#[test]
fn good_parameters_are_read() {
    let json = r#"{"url": "x", "smtp": {"ports": [25]}, "mode": {"after": {"seconds": 3}},
        "codes": {"404": "gone"}, "ratio": 1}"#;
    let read: Parameters = read(json.as_bytes()).unwrap();
    assert_eq!(read.smtp, Some(Smtp { ports: vec![25] }));
    assert_eq!(read.mode, Mode::After { seconds: 3 });
    assert_eq!(read.codes[&404], "gone");
    assert!((read.ratio - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_problem_points_at_the_offending_value() {
    check("{}", "/url", "is missing");
    check(r#"{"url": 5}"#, "/url", "must be a string, not integer");
    check(r#"{"url": "x", "smtp": {}}"#, "/smtp/ports", "is missing");
    let smtp = r#"{"url": "x", "smtp": {"ports": [25, "587"]}}"#;
    check(smtp, "/smtp/ports/1", "must be u16, not string");
    let after = r#"{"url": "x", "mode": {"after": {"seconds": null}}}"#;
    check(after, "/mode/after/seconds", "must be u32, not null");
    check(r#"{"url": "x", "mode": "slow"}"#, "/mode", r#"must be one of "quick", "after""#);
}

#[test]
fn an_unknown_name_is_escaped_in_its_pointer() {
    let message =
        r#"is not known; remove it or use one of "url", "smtp", "mode", "codes", "ratio""#;
    check(r#"{"url": "x", "a/b~c": 1}"#, "/a~1b~0c", message);
}

#[test]
fn a_problem_never_shows_the_value() {
    for json in [
        r#"{"url": "x", "smtp": "hunter2"}"#,
        r#"{"url": "x", "mode": "hunter2"}"#,
        r#"{"url": "x", "smtp": {"ports": ["hunter2"]}}"#,
        r#"{"url": "x", "smtp": {"ports": "hunter2"}}"#,
        r#"{"url": "hunter2"#,
    ] {
        let problem = read::<Parameters>(json.as_bytes()).unwrap_err();
        assert!(!problem.to_string().contains("hunter2"), "{json}: {problem}");
    }
    let json = r#"{"url": "x", "smtp": {"ports": [4711000]}}"#;
    let problem = read::<Parameters>(json.as_bytes()).unwrap_err();
    assert!(!problem.to_string().contains("4711000"), "{problem}");
}

#[test]
fn what_is_no_object_is_refused_and_nothing_is_an_empty_one() {
    check("[]", "", "must be a JSON object");
    check("{", "", "is not JSON (line 1, column 1)");
    assert_eq!(read::<BTreeMap<String, u8>>(b"").unwrap(), BTreeMap::new());
    read::<serde_json::Value>(br#"{"any": ["thing", 1, -1, 1.5, null]}"#).unwrap();
}
