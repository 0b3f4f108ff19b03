//! What pages tell people: names, times, and which browser it was.

use std::fmt::Write as _;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A person, in a list or on top of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Person {
    pub username: String,
    /// The name, or else the user name.
    pub shown: String,
    pub initial: String,
    pub is_current: bool,
}

/// A moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    iso: String,
    shown: String,
}

impl Person {
    pub(super) fn new(username: &str, name: Option<&str>, is_current: bool) -> Self {
        let shown = name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(username);
        let initial = shown.chars().next().map(String::from).unwrap_or_default();
        Self { username: username.to_owned(), shown: shown.to_owned(), initial, is_current }
    }
}

impl Moment {
    /// None for a time that no calendar has.
    pub(super) fn of_ms(ms: i64) -> Option<Self> {
        let at = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).ok()?;
        let (day, month, year) = (at.day(), at.month(), at.year());
        let shown = format!("{day} {month} {year}, {:02}:{:02} UTC", at.hour(), at.minute());
        Some(Self { iso: at.format(&Rfc3339).ok()?, shown })
    }
}

/// Browsers that name others, too, come before those that they name.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];
const LONGEST_AGENT: usize = 40;

/// A browser as people call it, by what it says of itself.
pub(super) fn browser(user_agent: &str) -> String {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(word, _)| user_agent.contains(word)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) if user_agent.is_empty() => "Unknown browser".to_owned(),
        (None, None) => user_agent.chars().take(LONGEST_AGENT).collect(),
    }
}

/// Bytes as two digits each.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is wrong with fields, each error beginning with the name of one, as sentences.
pub(super) fn sentences(errors: &[String]) -> String {
    errors.iter().map(|error| sentence(error)).collect::<Vec<_>>().join(" ")
}

fn sentence(error: &str) -> String {
    let end = if error.ends_with(['.', '!', '?']) { "" } else { "." };
    let is_field = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    match error.split_once([':', ' ']) {
        Some((field, rest)) if is_field(field) => format!("The {field} {}{end}", rest.trim_start()),
        _ => format!("{error}{end}"),
    }
}

/// What a scheme of a bundled plugin is, in few words and in a sentence.
pub(super) fn scheme(module: &str) -> (&'static str, &'static str) {
    match module {
        "otp" => ("Code", "A code from an app on your phone, or from a small device."),
        "email-code" => ("E-mail", "A code that is sent to your e-mail address."),
        "webauthn" => ("Key", "A security key, a passkey, or what unlocks this device."),
        "mock" => ("Test", "A way for tests, that is not safe."),
        _ => ("", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_shown_by_their_names() {
        let person = Person::new("alice", Some(" Älice Liddell "), true);
        assert_eq!((person.shown.as_str(), person.initial.as_str()), ("Älice Liddell", "Ä"));
        assert_eq!(Person::new("bob", Some(" "), false).shown, "bob");
        assert_eq!(Person::new("", None, false).initial, "");
    }

    #[test]
    fn what_is_wrong_is_a_sentence() {
        let check = |errors: &[&str], expected: &str| {
            let errors: Vec<_> = errors.iter().map(|error| (*error).to_owned()).collect();
            assert_eq!(sentences(&errors), expected);
        };
        check(
            &["password must have at least 8 characters"],
            "The password must have at least 8 characters.",
        );
        check(&["code: is wrong", "Try again!"], "The code is wrong. Try again!");
        check(&["Nonsense"], "Nonsense.");
    }

    #[test]
    fn a_moment_is_one_that_people_read() {
        let moment = Moment::of_ms(1_795_341_660_999).unwrap();
        assert_eq!(moment.shown, "22 November 2026, 10:01 UTC");
        assert_eq!(moment.iso, "2026-11-22T10:01:00Z");
        assert_eq!(Moment::of_ms(i64::MAX), None);
    }

    #[test]
    fn a_browser_is_called_as_people_call_it() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(browser(&format!("{chrome} Edg/126.0")), "Edge on Linux");
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605 Version/17.5 Mobile Safari/604.1";
        assert_eq!(browser(iphone), "Safari on iPhone");
        assert_eq!(browser("curl/8.5.0"), "curl");
        assert_eq!(browser(""), "Unknown browser");
        assert_eq!(browser(&"x".repeat(100)).len(), LONGEST_AGENT);
    }
}
