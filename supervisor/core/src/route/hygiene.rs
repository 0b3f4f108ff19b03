//! What of a header section may pass, towards the plugin and back.
//!
//! Framing belongs to the host alone. So whatever speaks about one connection is dropped on the way in, and
//! on the way out whatever would make a client read another message than the one that was sent is refused.

use std::borrow::Cow;

use super::cookie;
use super::method::is_token;

/// Fields about one connection (RFC 9110 section 7.6.1), with the two that the host itself fulfils.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Which fields of one request stay behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incoming {
    /// What `Connection` named, lower case.
    named: Vec<String>,
}

impl Incoming {
    /// Reads the values of the `Connection` fields.
    pub fn new<'a>(connection: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let named = connection.into_iter().flat_map(items).filter(|option| is_token(option));
        let lower = named.map(|option| String::from_utf8_lossy(option).to_ascii_lowercase());
        // The usual two name no field; leaving them out keeps this allocation-free for most requests.
        let named = lower.filter(|option| option != "keep-alive" && option != "close").collect();
        Self { named }
    }

    /// Whether the plugin gets the field `name`, which is lower case.
    pub fn passes(&self, name: &str) -> bool {
        !is_hop_by_hop(name) && !is_reserved(name) && !self.named.iter().any(|named| named == name)
    }
}

/// Whether bytes can be the name of a field.
pub fn is_name(name: &[u8]) -> bool {
    is_token(name)
}

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// Whether `name` is one that only the host could have written. `_` counts because CGI, WSGI and their like
/// make `-` and `_` the same.
fn is_reserved(name: &str) -> bool {
    let name = name.as_bytes();
    matches!(name.split_at_checked(8), Some((head, [b'-' | b'_', ..])) if head.eq_ignore_ascii_case(b"outboard"))
}

/// Most fields that a plugin's response may have. No client takes nearly as many, and a map of fields has
/// an end, too.
pub const MAX_HEADERS: usize = 1000;

/// What happens to one field of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outgoing {
    Pass,
    /// The host writes this field itself, or it is about a connection that is not the client's.
    Drop,
    /// The length of the body, which the host holds the plugin to.
    Length(u64),
    /// Names the trailers that follow: passes where some may.
    Trailer,
    /// Names the protocol of an upgraded connection: passes with status 101 alone.
    Upgrade,
}

/// Judges one field of a plugin's response.
pub fn outgoing(name: &str, value: &[u8]) -> Result<Outgoing, ResponseError> {
    let name = field(name, value)?;
    match &*name {
        "connection" | "transfer-encoding" => Err(ResponseError::Framing(name.into_owned())),
        "content-length" => length(value).map(Outgoing::Length).ok_or(ResponseError::NoLength),
        "trailer" => Ok(Outgoing::Trailer),
        "upgrade" => Ok(Outgoing::Upgrade),
        "x-request-id" => Ok(Outgoing::Drop),
        _ if is_hop_by_hop(&name) => Ok(Outgoing::Drop),
        _ => Ok(Outgoing::Pass),
    }
}

/// Judges one field of a plugin's trailer section, or of an informational response of its, which must not say
/// anything about framing either: whether it passes.
pub fn outgoing_beside(name: &str, value: &[u8]) -> Result<bool, ResponseError> {
    let name = field(name, value)?;
    Ok(may_trail(&name) && name != "x-request-id")
}

/// The name in lower case, if it is one, and the value is none that ends its line.
fn field<'a>(name: &'a str, value: &[u8]) -> Result<Cow<'a, str>, ResponseError> {
    if !is_token(name.as_bytes()) {
        return Err(ResponseError::Name(name.escape_debug().to_string()));
    }
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    let name = if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) };
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(ResponseError::Value(name.into_owned()));
    }
    Ok(name)
}

fn length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

/// Whether a field, its name in lower case, may stand in a trailer section (RFC 9110 section 6.5.1): it comes
/// too late to be about framing, routing, authentication or the handling of the message, and whoever merges it
/// into the header section would be deceived.
pub fn may_trail(name: &str) -> bool {
    const FAMILIES: [&str; 7] =
        ["accept", "access-control-", "content-", "if-", "proxy-", "sec-", "x-forwarded-"];
    const SINGLE: [&str; 20] = [
        "age",
        "authorization",
        "cache-control",
        "cookie",
        "date",
        "expires",
        "forwarded",
        "from",
        "host",
        "http2-settings",
        "location",
        "max-forwards",
        "origin",
        "pragma",
        "range",
        "retry-after",
        "set-cookie",
        "vary",
        "www-authenticate",
        "x-real-ip",
    ];
    !is_hop_by_hop(name)
        && !is_reserved(name)
        && !SINGLE.contains(&name)
        && !FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether the values of the `TE` fields say that the client takes trailers.
pub fn takes_trailers<'a>(te: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut codings = te.into_iter().flat_map(items);
    codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// The protocols that a plugin is offered: what the `Upgrade` fields name, if `Connection` says that they are
/// meant. Not those that would change what this connection itself speaks, which is the host's alone.
pub fn upgrade<'a>(
    connection: impl IntoIterator<Item = &'a [u8]>,
    upgrade: impl IntoIterator<Item = &'a [u8]>,
) -> Option<String> {
    const LONGEST: usize = 255;
    let mut options = connection.into_iter().flat_map(items);
    if !options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
        return None;
    }
    let offered = upgrade.into_iter().flat_map(items).filter(|offer| is_offered(offer));
    let offered = offered.collect::<Vec<_>>().join(&b", "[..]);
    let is_short = (1..=LONGEST).contains(&offered.len());
    String::from_utf8(offered).ok().filter(|_| is_short)
}

/// A protocol, maybe with a version, that is not one of the host's own.
fn is_offered(offer: &[u8]) -> bool {
    let mut parts = offer.splitn(2, |&byte| byte == b'/');
    let name = parts.next().unwrap_or_default();
    let is_own = ["h2c", "http", "tls"].iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()));
    is_token(name) && parts.next().is_none_or(is_token) && !is_own
}

/// Whether `chosen`, the value of an `Upgrade` field, is one of those that were `offered`.
pub fn is_chosen_from(offered: &str, chosen: &[u8]) -> bool {
    items(offered.as_bytes()).any(|offer| offer.eq_ignore_ascii_case(chosen.trim_ascii()))
}

/// The parts of a list.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether a field, its name in lower case, is about all of the site and not about the response that it comes with:
/// what browsers would forget of the host, believe of its security, tell others of its addresses, or let a plugin's
/// scripts answer for.
pub fn is_for_site(name: &str) -> bool {
    const FOR_SITE: [&str; 9] = [
        "alt-svc",
        "clear-site-data",
        "expect-ct",
        "nel",
        "public-key-pins",
        "report-to",
        "service-worker-allowed",
        "set-login",
        "strict-transport-security",
    ];
    FOR_SITE.contains(&name)
}

/// A `Set-Cookie` as it may reach the browser: without `Domain`, below `path` only, so that no plugin reads or
/// writes another's cookies. Nothing for a name that is the host's (`own` is that of its session), nor for a cookie
/// without a name: browsers send back only its value, which can look like another cookie with its name.
pub fn set_cookie(value: &[u8], path: &str, own: &str) -> Option<Vec<u8>> {
    let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let pair = parts.next()?;
    let name = pair[..pair.iter().position(|&byte| byte == b'=')?].trim_ascii();
    let is_reserved = std::str::from_utf8(name).is_ok_and(is_reserved);
    if name.is_empty() || is_reserved || cookie::is_hosts(name, own) || cookie::is_for_host(name) {
        return None;
    }
    let mut scoped = pair.to_vec();
    for attribute in parts.filter(|attribute| !attribute.is_empty() && !is_scope(attribute)) {
        scoped.extend_from_slice(b"; ");
        scoped.extend_from_slice(attribute);
    }
    scoped.extend_from_slice(b"; Path=");
    scoped.extend_from_slice(path.as_bytes());
    Some(scoped)
}

fn is_scope(attribute: &[u8]) -> bool {
    let name = attribute.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
    name.eq_ignore_ascii_case(b"domain") || name.eq_ignore_ascii_case(b"path")
}

/// The `Content-Security-Policy` of every response of a plugin: an opaque origin, so that a page of it cannot
/// act as the user on the rest of the site. A policy of the plugin's own stands beside it, and both hold.
pub const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-popups";

/// The status to send: 200 where the plugin left it open. 101 only in answer to one who would upgrade.
pub fn status(status: u32, may_upgrade: bool) -> Result<u16, ResponseError> {
    match status {
        0 => Ok(200),
        101 if may_upgrade => Ok(101),
        200..=599 => Ok(u16::try_from(status).expect("at most 599")),
        _ => Err(ResponseError::Status(status)),
    }
}

/// Whether a response of this status ends with its header section (RFC 9110 section 6.4.1; a 205 has a
/// body of no bytes, which is another thing, but no plugin's body either way).
pub fn has_no_body(status: u16) -> bool {
    matches!(status, 204 | 205 | 304)
}

/// What a plugin's response may not do. The plugin's fault: 502.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    #[error(
        "the response has a header named \"{0}\", which is not a token of RFC 9110; correct the name"
    )]
    Name(String),
    #[error(
        "the value of the response header {0:?} holds CR, LF or NUL; remove them before sending"
    )]
    Value(String),
    #[error("the response has the header {0:?}; leave it out, the host frames the message")]
    Framing(String),
    #[error(
        "the response's content-length is not the length of its body ({body} bytes); leave the header out"
    )]
    Length { body: u64 },
    #[error("the response's content-length is no number, or there are two; send one, or none")]
    NoLength,
    #[error(
        "the response has status 101 without one `upgrade` field that names a protocol which the client offered; \
         choose from Request.upgrade, and leave the response open"
    )]
    Upgrade,
    #[error("the response has more than {MAX_HEADERS} headers; send fewer")]
    Many,
    #[error("the response has the status {0}; answer with 200 to 599")]
    Status(u32),
}

/// The client's own request id, where it is one that can stand in a log line.
pub fn request_id(value: &[u8]) -> Option<&str> {
    let is_visible = (1..=128).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    if is_visible { std::str::from_utf8(value).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hop_by_hop_fields_and_what_connection_names_stay_behind() {
        let incoming = Incoming::new([&b"close, X-Private"[..], b"\tKeep-Alive ,, x-other"]);
        for name in ["connection", "te", "transfer-encoding", "upgrade", "x-private", "x-other"] {
            assert!(!incoming.passes(name), "{name}");
        }
        for name in ["host", "content-type", "x-private-2", "accept"] {
            assert!(incoming.passes(name), "{name}");
        }
    }

    #[test]
    fn nobody_but_the_host_speaks_as_outboard() {
        let incoming = Incoming::default();
        for name in ["outboard-user", "outboard_user", "Outboard-User", "outboard-", "OUTBOARD_"] {
            assert!(!incoming.passes(name), "{name}");
        }
        for name in ["outboard", "outboards-x", "x-outboard-user"] {
            assert!(incoming.passes(name), "{name}");
        }
    }

    #[test]
    fn the_host_alone_frames() {
        let check = outgoing;
        assert_eq!(check("content-type", b"text/plain"), Ok(Outgoing::Pass));
        assert_eq!(check("X-Latin", b"caf\xe9"), Ok(Outgoing::Pass));
        assert_eq!(check("x-empty", b""), Ok(Outgoing::Pass));
        assert_eq!(check("Content-Length", b" 5 "), Ok(Outgoing::Length(5)));
        assert_eq!(check("x-request-id", b"mine"), Ok(Outgoing::Drop));
        assert_eq!(check("keep-alive", b"timeout=5"), Ok(Outgoing::Drop));
        assert_eq!(check("upgrade", b"h2c"), Ok(Outgoing::Upgrade));
        assert_eq!(check("Trailer", b"x-sum"), Ok(Outgoing::Trailer));
        for framing in ["connection", "Transfer-Encoding"] {
            assert!(matches!(check(framing, b"close"), Err(ResponseError::Framing(_))));
        }
        for length in [&b""[..], b"+5", b"5, 5", b"5x", b"0x5", b"99999999999999999999999"] {
            assert_eq!(check("content-length", length), Err(ResponseError::NoLength));
        }
        for value in [&b"a\r\nx: y"[..], b"a\n", b"\r", b"a\0b"] {
            assert!(matches!(check("x-a", value), Err(ResponseError::Value(_))));
        }
        for name in ["", "a b", "a:", "a\r\nb", "é"] {
            assert!(matches!(check(name, b"x"), Err(ResponseError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn a_cookie_stays_below_the_path_of_its_instance() {
        let scoped = |value: &str| {
            set_cookie(value.as_bytes(), "/api/mail/", "GLEWLWYD2_SESSION_ID")
                .map(|scoped| String::from_utf8(scoped).unwrap())
        };
        assert_eq!(scoped("a=b").as_deref(), Some("a=b; Path=/api/mail/"));
        assert_eq!(
            scoped("a=\"b c\"; Secure;;path=/; HttpOnly; DOMAIN = example.com ;Max-Age=5")
                .as_deref(),
            Some("a=\"b c\"; Secure; HttpOnly; Max-Age=5; Path=/api/mail/")
        );
        assert_eq!(
            scoped("pathology=1; domains=x").as_deref(),
            Some("pathology=1; domains=x; Path=/api/mail/")
        );
        for name in ["outboard-session=x", "Outboard_Session = x", " outboard_=x"] {
            assert_eq!(scoped(name), None, "{name}");
        }
        for own in [
            "GLEWLWYD2_SESSION_ID=x",
            "glewlwyd2_session_id=x; Secure",
            " GLEWLWYD2_SESSION_ID = x",
            "__Host-GLEWLWYD2_SESSION_ID=x; Secure; Path=/",
            "__secure-GLEWLWYD2_SESSION_ID=x; Secure",
            "\"GLEWLWYD2_SESSION_ID\"=x",
            "__Host-anything=x; Secure; Path=/",
            "__HOST-=x",
        ] {
            assert_eq!(scoped(own), None, "{own}");
        }
        assert_eq!(scoped("__Secure-a=b").as_deref(), Some("__Secure-a=b; Path=/api/mail/"));
        for nameless in ["=outboard-session=x", " \t= outboard-session=x", "outboard", "=", ""] {
            assert_eq!(scoped(nameless), None, "{nameless:?}");
        }
        assert_eq!(scoped("outboard=x").as_deref(), Some("outboard=x; Path=/api/mail/"));
    }

    #[test]
    fn what_belongs_before_the_body_does_not_come_after_it() {
        for name in ["x-sum", "digest", "server-timing", "etag", "grpc-status", "content"] {
            assert!(may_trail(name), "{name}");
        }
        for name in [
            "content-length",
            "content-type",
            "transfer-encoding",
            "trailer",
            "te",
            "connection",
            "host",
            "set-cookie",
            "authorization",
            "www-authenticate",
            "proxy-authenticate",
            "if-match",
            "range",
            "x-forwarded-for",
            "outboard-user",
            "outboard_user",
        ] {
            assert!(!may_trail(name), "{name}");
        }
        assert_eq!(outgoing_beside("X-Sum", b"1"), Ok(true));
        assert_eq!(outgoing_beside("Content-Length", b"1"), Ok(false));
        assert_eq!(outgoing_beside("x-request-id", b"1"), Ok(false));
        assert!(matches!(outgoing_beside("x-sum", b"1\r\n"), Err(ResponseError::Value(_))));
        assert!(matches!(outgoing_beside("x sum", b"1"), Err(ResponseError::Name(_))));
    }

    #[test]
    fn trailers_are_for_those_who_say_that_they_take_them() {
        let check = |te: &[&'static [u8]]| takes_trailers(te.iter().copied());
        assert!(
            check(&[b"trailers"])
                && check(&[b"gzip;q=0.5, Trailers"])
                && check(&[b"", b"trailers"])
        );
        assert!(
            !check(&[])
                && !check(&[b"gzip"])
                && !check(&[b"trailers;q=0"])
                && !check(&[b"xtrailers"])
        );
    }

    #[test]
    fn a_plugin_is_offered_what_changes_its_own_protocol_only() {
        let check = |connection: &'static str, offer: &'static str| {
            upgrade([connection.as_bytes()], [offer.as_bytes()])
        };
        assert_eq!(check("Upgrade", "websocket").as_deref(), Some("websocket"));
        assert_eq!(check("keep-alive, upgrade", "a/1,  B").as_deref(), Some("a/1, B"));
        assert_eq!(check("upgrade", "h2c, websocket, TLS/1.0").as_deref(), Some("websocket"));
        assert_eq!(check("close", "websocket"), None);
        for own in ["h2c", "H2C", "HTTP/2.0", "tls/1.2", "", ",", "a b", "a/b/c", "caf\u{e9}"] {
            assert_eq!(check("upgrade", own), None, "{own:?}");
        }
        let long = [b'a'; 256];
        assert_eq!(upgrade([&b"upgrade"[..]], [&long[..]]), None);
        assert!(upgrade([&b"upgrade"[..]], [&long[1..]]).is_some());
        assert!(is_chosen_from("a/1, B", b" b ") && is_chosen_from("a/1, B", b"A/1"));
        assert!(!is_chosen_from("a/1, B", b"a") && !is_chosen_from("a, B", b"a, b"));
        assert!(!is_chosen_from("a", b""));
    }

    #[test]
    fn a_status_is_final_or_left_open() {
        assert_eq!(status(0, false), Ok(200));
        assert_eq!(status(599, false), Ok(599));
        assert_eq!(status(101, true), Ok(101));
        for bad in [1, 100, 101, 199, 600, 65_736, u32::MAX] {
            assert_eq!(status(bad, false), Err(ResponseError::Status(bad)));
            assert!(bad == 101 || status(bad, true).is_err());
        }
    }

    #[test]
    fn a_request_id_is_visible_ascii_and_short() {
        assert_eq!(request_id(b"abc-123"), Some("abc-123"));
        assert_eq!(request_id(&[b'a'; 128]).map(str::len), Some(128));
        for bad in [&b""[..], b"a b", b"a\n", b"\xc3\xa9", &[b'a'; 129]] {
            assert_eq!(request_id(bad), None);
        }
    }
}
