//! Gate's answers, as its source and its own tests have them, and what others in its place may say.

use super::*;

const ANN: &str = "ann@example.org";

fn json(body: &str) -> Result<User, AuthError> {
    judge(
        ANN,
        &Answer {
            status: 200,
            content_type: "application/json; charset=utf-8",
            body: body.as_bytes(),
        },
    )
}

fn other(status: u16, content_type: &str, body: &str) -> Result<User, AuthError> {
    judge(ANN, &Answer { status, content_type, body: body.as_bytes() })
}

#[test]
fn case_35_41_a_profile_with_more_than_is_needed_is_a_user() {
    let body = r#"{"email": "ann@example.org", "id": 7, "uid": "ann", "name": "Ann", "active": true,
        "admin": false, "home_dir": null, "shell": null, "public_key": null, "user_login_id": null,
        "product_name": null,
        "groups": [{"id": 1, "name": "system"}, {"id": "2", "name": "proctor_executor"}], "new": {}}"#;
    let expected = User {
        name: "Ann".to_owned(),
        email: ANN.to_owned(),
        active: true,
        groups: vec!["system".to_owned(), "proctor_executor".to_owned()],
    };
    assert_eq!(json(body), Ok(expected));
}

#[test]
fn case_36_42_an_unknown_token_is_refused() {
    let refusal = other(401, "", "").unwrap_err();
    assert_eq!(refusal.refusal(), Some(RefusalReason::Token));
}

#[test]
fn case_37_43_an_unknown_user_is_refused_by_name() {
    let refusal = other(404, "", "").unwrap_err();
    assert_eq!(refusal.refusal(), Some(RefusalReason::User));
    assert!(refusal.message().contains(ANN), "{refusal}");
}

#[test]
fn case_44_n08_what_is_broken_says_nothing_about_anybody() {
    for status in [500, 502, 503, 504, 400, 403, 405, 429, 418] {
        let trouble = other(status, "text/plain", "secret words").unwrap_err();
        assert_eq!(trouble.refusal(), None);
        let why = trouble.message();
        assert!(why.contains(&status.to_string()) && !why.contains("secret words"), "{why}");
    }
}

#[test]
fn n09_what_is_no_profile_is_nobody() {
    let page = "<html>Sign in</html>";
    for (status, kind, body) in [
        (200, "text/html", page),
        (200, "", r#"{"email": "ann@example.org", "active": true}"#),
        (200, "text/json", r#"{"email": "ann@example.org", "active": true}"#),
        (201, "application/json", r#"{"email": "ann@example.org", "active": true}"#),
        (204, "", ""),
        (302, "text/html", page),
        (301, "", ""),
        (307, "", ""),
        (404, "text/html", page),
        (200, "application/json", ""),
        (200, "application/json", "null"),
        (200, "application/json", "[]"),
        (200, "application/json", page),
    ] {
        let trouble = other(status, kind, body).unwrap_err();
        assert_eq!(trouble.refusal(), None, "{status} {kind} {body}");
    }
}

#[test]
fn a_profile_of_the_wrong_shape_is_nobody_and_is_not_shown() {
    for body in [
        r#"{"email": "ann@example.org", "active": "sesame", "groups": []}"#,
        r#"{"email": "ann@example.org", "active": true, "groups": "sesame"}"#,
        r#"{"email": "ann@example.org", "active": true, "groups": [{"id": 1}]}"#,
        r#"{"email": "ann@example.org", "active": true, "groups": [{"id": 1, "name": null}]}"#,
        r#"{"email": "ann@example.org", "email": "sesame", "active": true}"#,
        r#"{"email": 5, "active": true}"#,
    ] {
        let trouble = json(body).unwrap_err();
        assert_eq!(trouble.refusal(), None, "{body}");
        assert!(!trouble.message().contains("sesame"), "{trouble}");
    }
}

#[test]
fn a_blank_e_mail_is_nobody_and_another_one_is_refused() {
    for email in ["null", "\"\"", "\"  \""] {
        let trouble = json(&format!(r#"{{"email": {email}, "active": true}}"#)).unwrap_err();
        assert_eq!(trouble.refusal(), None, "{email}");
    }
    for email in ["bob@example.org", "ann@example.org ", "änn@example.org", "ann@example.org.evil"]
    {
        let refusal = json(&format!(r#"{{"email": "{email}", "active": true}}"#)).unwrap_err();
        assert_eq!(refusal.refusal(), Some(RefusalReason::Owner), "{email}");
    }
    assert!(json(r#"{"email": "Ann@Example.org", "active": true}"#).is_ok());
}

#[test]
fn whoever_is_not_active_is_refused() {
    for body in [
        r#"{"email": "ann@example.org", "active": false}"#,
        r#"{"email": "ann@example.org", "active": null}"#,
        r#"{"email": "ann@example.org"}"#,
    ] {
        let refusal = json(body).unwrap_err();
        assert_eq!(refusal.refusal(), Some(RefusalReason::Inactive), "{body}");
    }
}
