//! What an app scans: a registration as an `otpauth` URL, and that as a QR code.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::{Color, EcLevel, QrCode};

use crate::codes::{Kind, Registration};

/// Whatever RFC 3986 does not call unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Of a name, in characters: an app shows no more, and a code with too much in it can't be scanned.
const MOST_NAME: usize = 40;

/// The white border around a QR code, in modules.
const QUIET: usize = 4;

/// The registration as apps read it.
pub(crate) fn url(registration: &Registration, issuer: &str, username: &str) -> String {
    let account: String = username.chars().filter(|c| *c != ':').take(MOST_NAME).collect();
    let (kind, last) = match registration.kind {
        Kind::Totp => ("totp", format!("period={}", registration.period)),
        Kind::Hotp => ("hotp", format!("counter={}", registration.next)),
    };
    let Registration { secret, digits, .. } = registration;
    let issuer = utf8_percent_encode(issuer, ESCAPED);
    let account = utf8_percent_encode(&account, ESCAPED);
    format!(
        "otpauth://{kind}/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={digits}&{last}"
    )
}

/// The text as a picture, in a `data:` URL. `None`, if there is no QR code that large.
pub(crate) fn qr(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let svg = svg(&code.to_colors(), code.width());
    Some(format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg)))
}

/// Each run of dark modules of a row is a bar.
fn svg(modules: &[Color], width: usize) -> String {
    let size = width + 2 * QUIET;
    let mut bars = String::new();
    for (row, modules) in modules.chunks(width).enumerate() {
        let mut column = 0;
        for run in modules.chunk_by(|one, next| one == next) {
            if run[0] == Color::Dark {
                // To a String nothing fails.
                let _ = write!(bars, "M{} {}h{}v1h-{2}z", column + QUIET, row + QUIET, run.len());
            }
            column += run.len();
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" \
         shape-rendering=\"crispEdges\"><rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/>\
         <path d=\"{bars}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(kind: Kind) -> Registration {
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned();
        Registration { kind, secret, digits: 6, next: 7, period: 30 }
    }

    #[test]
    fn an_url_is_as_apps_read_it() {
        assert_eq!(
            url(&registration(Kind::Totp), "Example Org", "ann@example.org"),
            "otpauth://totp/Example%20Org:ann%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Example%20Org&algorithm=SHA1&digits=6&period=30"
        );
        let hotp = url(&registration(Kind::Hotp), "Ex", "ann");
        assert!(hotp.starts_with("otpauth://hotp/Ex:ann?secret="), "{hotp}");
        assert!(hotp.ends_with("&counter=7"), "{hotp}");
    }

    #[test]
    fn a_name_adds_nothing_to_an_url() {
        let url = url(&registration(Kind::Totp), "Ex", "a:b&issuer=Evil/\"<>#\u{0}");
        assert!(
            url.starts_with("otpauth://totp/Ex:ab%26issuer%3DEvil%2F%22%3C%3E%23%00?"),
            "{url}"
        );
    }

    #[test]
    fn a_picture_holds_every_dark_module_once() {
        let code = QrCode::with_error_correction_level("otpauth://totp/a", EcLevel::L).unwrap();
        let (modules, width) = (code.to_colors(), code.width());
        let svg = svg(&modules, width);
        let bars = svg.split_once("d=\"").unwrap().1.split_once("\"/>").unwrap().0;
        let mut drawn = vec![Color::Light; modules.len()];
        for bar in bars.split('z').filter(|bar| !bar.is_empty()) {
            let (place, length) = bar[1..].split_once('h').unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            let at = |text: &str| text.parse::<usize>().unwrap();
            let start = (at(y) - QUIET) * width + at(x) - QUIET;
            let length = at(length.split_once('v').unwrap().0);
            drawn[start..start + length].fill(Color::Dark);
        }
        assert!(drawn == modules);
    }

    #[test]
    fn the_largest_picture_leaves_room_in_an_answer() {
        let longest = url(&registration(Kind::Totp), &"x".repeat(64), &"\u{1f980}".repeat(128));
        assert!(qr(&longest).unwrap().len() < 48 * 1024, "{}", qr(&longest).unwrap().len());
        assert_eq!(qr(&"x".repeat(4000)), None);
    }
}
