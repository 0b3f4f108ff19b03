use proptest::prelude::*;
use serde_json::json;

use super::*;

fn label(scheme: &str) -> Option<Label> {
    (scheme != "gone")
        .then(|| Label { module: format!("{scheme}-module"), display_name: scheme.to_uppercase() })
}

fn errors(value: &Value) -> Vec<String> {
    Scope::from_json(value, None).unwrap_err()
}

#[test]
fn a_name_is_enough_and_the_password_is_asked_for() {
    let scope = Scope::from_json(&json!({ "name": "mail:read" }), None).unwrap();
    assert_eq!(scope, Scope::by_password("mail:read", "", ""));
    assert!(scope.needs_no_scheme());
}

#[test]
fn what_is_shown_is_read_again() {
    let scope = Scope {
        password_required: false,
        password_max_age_s: 600,
        groups: vec![
            Group { name: "1".into(), required: 2, schemes: vec!["otp".into(), "webauthn".into()] },
            Group { name: "2".into(), required: 1, schemes: vec!["gone".into()] },
        ],
        ..Scope::by_password("s", "Scope", "What it is")
    };
    let shown = scope.to_json(label);
    assert_eq!(
        shown,
        json!({
            "name": "s", "display_name": "Scope", "description": "What it is",
            "password_required": false, "password_max_age": 600,
            "scheme": {
                "1": [
                    { "scheme_type": "otp-module", "scheme_name": "otp", "scheme_display_name": "OTP" },
                    { "scheme_type": "webauthn-module", "scheme_name": "webauthn",
                      "scheme_display_name": "WEBAUTHN" },
                ],
                "2": [{ "scheme_type": null, "scheme_name": "gone", "scheme_display_name": null }],
            },
            "scheme_required": { "1": 2, "2": 1 },
        })
    );
    assert_eq!(Scope::from_json(&shown, None), Ok(scope.clone()));
    assert_eq!(scope.schemes(), ["gone", "otp", "webauthn"].into());
}

#[test]
fn a_change_does_not_rename() {
    let changed = Scope::from_json(&json!({ "name": "\n", "description": "d" }), Some("s"));
    assert_eq!(changed, Ok(Scope::by_password("s", "", "d")));
}

#[test]
fn all_mistakes_are_told_at_once_and_name_their_key() {
    let errors = errors(&json!({
        "name": "two words", "display_name": "x".repeat(257), "description": 1,
        "password_required": "yes", "password_max_age": -1, "scheme": [], "scheme_required": {},
    }));
    let keys: Vec<_> = errors.iter().filter_map(|error| error.split(' ').next()).collect();
    assert_eq!(
        keys,
        ["name", "display_name", "description", "password_required", "password_max_age", "scheme"]
    );
}

#[test]
fn names_are_tokens() {
    for name in ["a", "g_admin", "https://example.org/x#y", &"x".repeat(128), "a'b--;"] {
        assert!(is_scope_name(name), "{name}");
    }
    for name in ["", " ", "a b", "a\"b", "a\\b", "a\n", "ä", "a\0", &"x".repeat(129)] {
        assert!(!is_scope_name(name), "{name}");
    }
    assert_eq!(names(" b a  b\tc "), ["b", "a", "c"]);
    assert!(names(" ").is_empty());
}

#[test]
fn groups_that_nobody_could_satisfy_are_refused() {
    let scheme = |name: &str| json!({ "scheme_type": "mock", "scheme_name": name });
    let with = |scheme: Value, required: Value| {
        errors(&json!({ "name": "s", "scheme": scheme, "scheme_required": required }))
    };
    let check = |scheme: Value, required: Value, words: &str| {
        let errors = with(scheme, required);
        assert!(errors.len() == 1 && errors[0].contains(words), "{words}: {errors:?}");
    };
    check(json!({ "1": [] }), json!(null), "a list of 1 to 32 schemes");
    check(json!({ "1": "otp" }), json!(null), "a list of 1 to 32 schemes");
    check(json!({ "1": vec![scheme("x"); 33] }), json!(null), "a list of 1 to 32 schemes");
    check(json!({ "": [scheme("x")] }), json!(null), "whose name is not");
    check(json!({ "1": [{ "scheme_type": "x" }] }), json!(null), "without a scheme_name");
    check(json!({ "1": ["x"] }), json!(null), "without a scheme_name");
    check(json!({ "1": [scheme("x"), scheme("x")] }), json!(null), "twice");
    check(json!({ "1": [scheme("x")] }), json!({ "1": 2 }), "from 1 to 1");
    check(json!({ "1": [scheme("x")] }), json!({ "1": 0 }), "from 1 to 1");
    check(json!({ "1": [scheme("x")] }), json!({ "1": "1" }), "from 1 to 1");
    check(json!({ "1": [scheme("x")] }), json!({ "2": 1 }), "the group \"2\"");
    check(json!({ "1": [scheme("x")] }), json!([1]), "an object of numbers");
    let many: Map<_, _> = (0..33).map(|n| (n.to_string(), json!([scheme("x")]))).collect();
    check(Value::Object(many), json!(null), "more than 32 groups");
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = prop_oneof!["scheme|scheme_required|scheme_name|name|password_max_age", ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_read_of_anything_can_be_shown_and_read(value in anything()) {
        if let Ok(scope) = Scope::from_json(&value, Some("s")) {
            prop_assert_eq!(Scope::from_json(&scope.to_json(label), None), Ok(scope));
        }
    }
}
