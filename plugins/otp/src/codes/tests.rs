//! The vectors of the RFCs, and what makes a code good only once.

use serde_json::json;

use super::*;
use crate::parameters::Parameters;

/// `12345678901234567890`, the secret of both RFCs, in base 32.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn rules(parameters: Value) -> Rules {
    serde_json::from_value::<Parameters>(parameters).unwrap().read().unwrap()
}

fn strict() -> Rules {
    rules(json!({ "totp-window": 0, "hotp-window": 0 }))
}

fn hotp(next: u64) -> Registration {
    Registration { kind: Kind::Hotp, secret: SECRET.to_owned(), digits: 6, next, period: 30 }
}

fn totp(digits: u8) -> Registration {
    Registration { kind: Kind::Totp, secret: SECRET.to_owned(), digits, next: 0, period: 30 }
}

#[test]
fn hotp_is_as_in_appendix_d_of_rfc_4226() {
    let codes = [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
        "520489",
    ];
    for (counter, code) in (0..).zip(codes) {
        let after = hotp(counter).accept(code, 0, &strict());
        assert_eq!(after.map(|it| it.next), Some(counter + 1), "{counter}");
    }
}

#[test]
fn totp_is_as_in_appendix_b_of_rfc_6238() {
    for (now, code) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let after = totp(8).accept(code, now, &strict());
        assert_eq!(after.map(|it| it.next), Some(now / 30 + 1), "{now}");
    }
}

#[test]
fn a_code_is_good_once() {
    let rules = rules(json!({}));
    for (registration, code) in [(hotp(3), "969429"), (totp(6), "287082")] {
        let after = registration.accept(code, 59, &rules).unwrap();
        assert!(after.accept(code, 59, &rules).is_none(), "{:?}", registration.kind);
        assert!(after.accept(code, 89, &rules).is_none(), "{:?}", registration.kind);
    }
}

#[test]
fn codes_before_one_that_was_used_are_used_too() {
    let rules = rules(json!({}));
    let after = hotp(0).accept("969429", 0, &rules).unwrap();
    assert_eq!(after.next, 4);
    assert!(after.accept("359152", 0, &rules).is_none());
    assert_eq!(after.accept("338314", 0, &rules).unwrap().next, 5);
}

#[test]
fn codes_may_have_been_shown_and_not_used_but_not_too_many() {
    assert!(hotp(0).accept("254676", 0, &rules(json!({ "hotp-window": 5 }))).is_some());
    assert!(hotp(0).accept("254676", 0, &rules(json!({ "hotp-window": 4 }))).is_none());
}

#[test]
fn a_clock_may_be_a_little_wrong() {
    // 287082 is of the step that begins at 30 and ends at 60.
    let accepted = |now, window| {
        totp(6).accept("287082", now, &rules(json!({ "totp-window": window }))).is_some()
    };
    assert!(accepted(30, 0) && accepted(59, 0));
    assert!(!accepted(29, 0) && !accepted(60, 0));
    assert!(accepted(0, 30) && accepted(89, 30));
    assert!(!accepted(90, 30) && accepted(90, 31), "a part of a step counts as one");
}

#[test]
fn time_may_begin_later() {
    let rules = rules(json!({ "totp-window": 0, "totp-start-offset": 1000 }));
    assert!(totp(6).accept("287082", 1059, &rules).is_some());
    assert!(totp(6).accept("287082", 59, &rules).is_none());
}

#[test]
fn what_is_no_code_is_wrong_and_nothing_else() {
    for code in ["", "28708", "2870822", "+87082", "28708a", "２８７０８２", "287082\0"] {
        assert!(totp(6).accept(code, 59, &strict()).is_none(), "{code:?}");
    }
    let broken = Registration { secret: "1".to_owned(), ..totp(6) };
    assert!(broken.accept("287082", 59, &strict()).is_none());
    let end = Registration { period: 0, ..hotp(u64::MAX) };
    assert!(end.accept("287082", u64::MAX, &strict()).is_none());
    let end = Registration { period: 0, ..totp(6) };
    assert!(end.accept("287082", u64::MAX, &rules(json!({}))).is_none());
}

#[test]
fn a_code_is_typed_under_either_name_and_with_spaces() {
    let code = Some("287082".to_owned());
    assert_eq!(typed(&json!({ "code": "287 082" })), code);
    assert_eq!(typed(&json!({ "value": " 287082\n" })), code);
    for none in [json!({}), json!(null), json!("287082"), json!({ "code": 287_082 })] {
        assert_eq!(typed(&none), None, "{none}");
    }
    assert_eq!(typed(&json!({ "code": "1".repeat(33) })), None);
}

#[test]
fn secrets_are_read_as_people_write_them() {
    let plain = Some((SECRET.to_owned(), 20));
    assert_eq!(secret("gezd gnbv gy3t qojq-gezd gnbv gy3t qojq"), plain);
    assert_eq!(secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ======"), plain);
    assert_eq!(secret("1!"), None);
    assert_eq!(secret(&"A".repeat(256)), None);
}

#[test]
fn new_secrets_are_of_that_size_and_never_the_same() {
    let (one, other) = (new_secret(20), new_secret(20));
    assert_eq!(secret(&one), Some((one.clone(), 20)));
    assert_ne!(one, other);
    assert_eq!(secret(&new_secret(64)).unwrap().1, 64);
}

#[test]
fn what_is_told_holds_no_secret() {
    for registration in [totp(6), hotp(7)] {
        let told = registration.told().to_string();
        assert!(!told.contains(SECRET), "{told}");
    }
}
