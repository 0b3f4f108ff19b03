use proptest::prelude::*;

use super::*;

const EXTERNAL: &str = "https://sso.example.org";

fn judged_at(external: &str, registered: &[&str], text: &str) -> Result<ReturnUrl, Refused> {
    let registered: Vec<String> = registered.iter().copied().map(String::from).collect();
    let external_url = Url::parse(external).unwrap();
    let is_enabled = |instance: &str| instance == "oidc";
    let pages = &["profile.html"];
    let places = Places {
        external_url: &external_url,
        prefix: "api",
        pages,
        is_enabled: &is_enabled,
        registered: &registered,
    };
    places.judge(text)
}

fn judged(text: &str) -> Result<ReturnUrl, Refused> {
    judged_at(EXTERNAL, &[], text)
}

#[track_caller]
fn leads_to(text: &str, expected: &str) {
    match judged(text) {
        Ok(url) => assert_eq!(url.done(), expected, "{text}"),
        Err(refused) => panic!("{text}: {refused}"),
    }
}

#[test]
fn an_enabled_instance_is_told_that_the_person_was_here() {
    let base = "https://sso.example.org/api/oidc";
    leads_to(&format!("{base}/auth?a=b&c=d%20e"), &format!("{base}/auth?a=b&c=d%20e&g_continue"));
    leads_to(&format!("{base}/auth"), &format!("{base}/auth?g_continue"));
    leads_to(&format!("{base}/auth?"), &format!("{base}/auth?g_continue"));
    leads_to(&format!("{base}/"), &format!("{base}/?g_continue"));
    leads_to(&format!("{base}/auth#there"), &format!("{base}/auth?g_continue"));
    // Once is enough, and who says it beforehand has not been here.
    leads_to(&format!("{base}/a?g_continue&x=1"), &format!("{base}/a?x=1&g_continue"));
    leads_to(&format!("{base}/a?g_continue=no"), &format!("{base}/a?g_continue"));
    leads_to(&format!("{base}/a?g_continued=1"), &format!("{base}/a?g_continued=1&g_continue"));
}

#[test]
fn whoever_waits_for_an_answer_is_told_of_a_refusal() {
    let registered =
        ["https://app.example/cb", "https://app.example/cb?x=1", "org.example.app:/cb"];
    let denied = |text: &str| judged_at(EXTERNAL, &registered, text).unwrap().denied();
    let check = |text: &str, expected: &str| {
        assert_eq!(denied(text).as_deref(), Some(expected), "{text}");
    };
    let base = "https://sso.example.org/api/oidc/auth";
    check(base, &format!("{base}?error=access_denied&g_continue"));
    check(
        &format!("{base}?state=a%20b"),
        &format!("{base}?state=a%20b&error=access_denied&g_continue"),
    );
    // There is one answer, and it is the page's.
    let forged = format!("{base}?error=x&a=b&g_continue&error=y");
    check(&forged, &format!("{base}?a=b&error=access_denied&g_continue"));
    check("https://app.example/cb", "https://app.example/cb?error=access_denied");
    check("https://app.example/cb?x=1", "https://app.example/cb?x=1&error=access_denied");
    check("org.example.app:/cb", "org.example.app:/cb?error=access_denied");
    assert_eq!(denied("https://sso.example.org/profile.html"), None, "nobody waits there");
    let url = ReturnUrl::Registered("https://app.example/cb#here".to_owned());
    assert_eq!(url.denied().unwrap(), "https://app.example/cb?error=access_denied#here");
}

#[test]
fn the_same_place_may_be_written_in_other_ways() {
    let expected = "https://sso.example.org/api/oidc/auth?g_continue";
    leads_to("HTTPS://SSO.example.ORG:443/api/oidc/auth", expected);
    leads_to("https://sso.example.org/x/../api/oidc/auth", expected);
    leads_to("https://sso.example.org/api/%6fidc/../oidc/auth", expected);
    // What browsers make of one slash, or three, is what is written then.
    leads_to("https:/sso.example.org/api/oidc/auth", expected);
    leads_to("https:///sso.example.org/api/oidc/auth", expected);
}

#[test]
fn pages_of_the_host_are_left_as_they_are() {
    leads_to(
        "https://sso.example.org/profile.html?a=b",
        "https://sso.example.org/profile.html?a=b",
    );
    assert_eq!(judged("https://sso.example.org/login.html"), Err(Refused::Elsewhere));
    assert_eq!(judged("https://sso.example.org/profile.html/x"), Err(Refused::Elsewhere));
}

#[test]
fn other_places_are_refused_however_they_are_written() {
    for text in [
        "https://evil.example/",
        "https://evil.example/api/oidc/auth",
        "http://sso.example.org/api/oidc/auth",
        "https://sso.example.org:444/api/oidc/auth",
        "https://sso.example.org.evil.example/api/oidc/auth",
        "https://sso.example.org@evil.example/api/oidc/auth",
        "https://user@sso.example.org/api/oidc/auth",
        "https://:word@sso.example.org/api/oidc/auth",
        "https://evil.example#https://sso.example.org/api/oidc/auth",
        "https://evil.example?https://sso.example.org/api/oidc/auth",
        "https://ѕѕо.example.org/api/oidc/auth",
        "https://sso.example.org./api/oidc/auth",
        "https://sso.example.org/",
        "https://sso.example.org/api",
        "https://sso.example.org/api/",
        "https://sso.example.org/api/oidc",
        "https://sso.example.org/api/other/auth",
        "https://sso.example.org/api/OIDC/auth",
        "https://sso.example.org/api/oidc2/auth",
        "https://sso.example.org/api/oidc%2f/auth",
        "https://sso.example.org/api/oidc/../other/auth",
        "https://sso.example.org/api/oidc/%2e%2e/other/auth",
        "https://sso.example.org/api/oidc/.%2E/user/",
        "https://sso.example.org/api//oidc/auth",
        "https://sso.example.org//api/oidc/auth",
        "https://sso.example.org/API/oidc/auth",
        "https://sso.example.org/apix/oidc/auth",
        "https://sso.example.org/x/api/oidc/auth",
        "https://sso.example.org/api/profile/password",
        "javascript:alert(1)//https://sso.example.org/api/oidc/auth",
        "data:text/html,https://sso.example.org/api/oidc/auth",
        "blob:https://sso.example.org/api/oidc/auth",
        "filesystem:https://sso.example.org/api/oidc/auth",
        "ftp://sso.example.org/api/oidc/auth",
        "ws://sso.example.org/api/oidc/auth",
        "view-source:https://sso.example.org/api/oidc/auth",
    ] {
        assert_eq!(judged(text), Err(Refused::Elsewhere), "{text}");
    }
}

#[test]
fn what_two_readers_may_understand_in_two_ways_is_refused() {
    for text in [
        "",
        " ",
        "/api/oidc/auth",
        "api/oidc/auth",
        "//sso.example.org/api/oidc/auth",
        "///evil.example/",
        "?",
        "https://",
        "https://[",
        "https://sso.example.org\\@evil.example/api/oidc/auth",
        "https:\\\\sso.example.org/api/oidc/auth",
        "https://sso.example.org/api\\oidc\\auth",
        " https://sso.example.org/api/oidc/auth",
        "https://sso.example.org/api/oidc/auth\n",
        "https://sso.example.org/api/oidc/a\r\nSet-Cookie: a=b",
        "https://sso.exam\tple.org/api/oidc/auth",
        "https://sso.example.org/api/oidc/\u{0}",
        "https://sso.example.org/api/oidc/\u{a0}",
        "java\nscript:alert(1)",
    ] {
        assert_eq!(judged(text), Err(Refused::Malformed), "{text:?}");
    }
    let long = format!("https://sso.example.org/api/oidc/{}", "a".repeat(LONGEST));
    assert_eq!(judged(&long), Err(Refused::TooLong));
}

#[test]
fn a_host_below_a_path_sends_nobody_beside_it() {
    for external in ["https://example.org/sso", "https://example.org/sso/"] {
        let check = |text: &str| judged_at(external, &[], text);
        let done = check("https://example.org/sso/api/oidc/auth").unwrap();
        assert_eq!(done.done(), "https://example.org/sso/api/oidc/auth?g_continue");
        assert!(check("https://example.org/sso/profile.html").is_ok());
        for text in [
            "https://example.org/api/oidc/auth",
            "https://example.org/ssoapi/oidc/auth",
            "https://example.org/sso2/api/oidc/auth",
            "https://example.org/sso/../api/oidc/auth",
            "https://example.org/profile.html",
        ] {
            assert_eq!(check(text), Err(Refused::Elsewhere), "{text}");
        }
    }
}

#[test]
fn what_a_client_has_registered_is_followed_as_it_is() {
    let registered = ["https://app.example/cb?x=1", "org.example.app:/cb", "http://127.0.0.1/cb"];
    for text in registered {
        let url = judged_at(EXTERNAL, &registered, text).unwrap();
        assert_eq!(url, ReturnUrl::Registered(text.to_owned()));
        assert_eq!(url.done(), text, "nothing is added");
    }
    for text in [
        "https://app.example/cb",
        "https://app.example/cb?x=1&y=2",
        "https://app.example/cb?x=1#",
        "https://APP.example/cb?x=1",
        "org.example.app:/cb/",
        "http://127.0.0.1:8080/cb",
    ] {
        assert_eq!(judged_at(EXTERNAL, &registered, text), Err(Refused::Elsewhere), "{text}");
    }
}

#[test]
fn what_runs_in_the_page_is_not_followed_even_if_it_was_registered() {
    for text in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "blob:https://a.example/x",
        "file:///etc/passwd",
        "about:blank",
    ] {
        assert_eq!(judged_at(EXTERNAL, &[text], text), Err(Refused::Elsewhere), "{text}");
    }
    let broken = "https://a.example/\r\nx";
    assert_eq!(judged_at(EXTERNAL, &[broken], broken), Err(Refused::Malformed));
}

#[test]
fn people_are_shown_a_host() {
    let shown = |text: &str| judged_at(EXTERNAL, &[text], text).unwrap().shown();
    assert_eq!(shown("https://app.example:8443/cb"), "app.example");
    assert_eq!(shown("org.example.app:/cb"), "org.example.app");
    assert_eq!(judged("https://sso.example.org/api/oidc/").unwrap().shown(), "sso.example.org");
}

/// Whatever a text is made of, who follows the answer stays where he may be.
fn stays(text: &str) -> Result<(), TestCaseError> {
    let Ok(url) = judged(text) else { return Ok(()) };
    let done = Url::parse(&url.done()).unwrap();
    prop_assert_eq!(done.origin(), Url::parse(EXTERNAL).unwrap().origin());
    prop_assert!(done.path().starts_with("/api/oidc/") || done.path() == "/profile.html");
    prop_assert!(url.done().bytes().all(|byte| byte.is_ascii_graphic()), "{}", url.done());
    Ok(())
}

proptest! {
    #[test]
    fn any_text_stays_here(text in ".*") {
        stays(&text)?;
    }

    #[test]
    fn any_text_made_of_tricks_stays_here(pieces in prop::collection::vec(prop::sample::select(vec![
        "https:", "http:", "javascript:", "/", "//", "\\", "@", ":", ".", "..", "%2e", "%2f", "%5c", "?", "#", "&",
        "sso.example.org", "evil.example", "api", "oidc", "user", "profile.html", "\t", "\n", " ", "443", "é", "[::1]",
    ]), 0..14)) {
        stays(&pieces.concat())?;
        stays(&format!("https://sso.example.org{}", pieces.concat()))?;
        stays(&format!("https://sso.example.org/api/oidc/{}", pieces.concat()))?;
    }
}
