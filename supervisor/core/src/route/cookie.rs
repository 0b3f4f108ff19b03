//! The host's own cookie: found among what a client sends, and kept from plugins, both ways.

/// Prefixes that browsers give a meaning to. A name behind one is still the name.
const PREFIXES: [&str; 4] = ["__host-http-", "__host-", "__secure-", "__http-"];

/// The value of the cookie `name` in the `Cookie` fields of a request. Nothing where two of them differ: one was
/// planted, and nobody can tell which.
pub fn find<'a>(fields: impl IntoIterator<Item = &'a [u8]>, name: &str) -> Option<&'a str> {
    let pairs = fields.into_iter().flat_map(pairs);
    let mut values = pairs.filter(|pair| name_of(pair) == name.as_bytes()).map(value_of);
    let value = values.next()?;
    let is_clear = values.all(|other| other == value);
    std::str::from_utf8(value).ok().filter(|_| is_clear)
}

/// All `Cookie` fields of a request as one, without the host's `name` in whatever spelling. Nothing if nothing is
/// left. (HTTP/2 splits them: RFC 9113 section 8.2.3.)
pub fn without<'a>(fields: impl IntoIterator<Item = &'a [u8]>, name: &str) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    for pair in fields.into_iter().flat_map(pairs) {
        if !pair.is_empty() && !is_hosts(name_of(pair), name) && !is_nameless(pair, name) {
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

/// Whether a cookie called `candidate` would be taken for the host's `name`, by anybody.
pub fn is_hosts(candidate: &[u8], name: &str) -> bool {
    let candidate = bare(candidate);
    !name.is_empty() && candidate.eq_ignore_ascii_case(bare(name.as_bytes()))
}

/// Whether a cookie of this name promises to be for the whole host and nobody else's, which no plugin's is.
pub fn is_for_host(candidate: &[u8]) -> bool {
    let prefix = b"__host-";
    unquoted(candidate).get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// The name without quotes and prefixes.
fn bare(name: &[u8]) -> &[u8] {
    let name = unquoted(name);
    let prefix = PREFIXES.iter().find(|prefix| {
        name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    });
    &name[prefix.map_or(0, |prefix| prefix.len())..]
}

fn unquoted(name: &[u8]) -> &[u8] {
    let name = name.trim_ascii();
    let inner = name.strip_prefix(b"\"").map(|name| name.strip_suffix(b"\"").unwrap_or(name));
    inner.unwrap_or(name).trim_ascii()
}

/// A cookie without a name whose value looks like the host's.
fn is_nameless(pair: &[u8], name: &str) -> bool {
    pair.strip_prefix(b"=").is_some_and(|value| is_hosts(name_of(value), name))
}

fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|&byte| byte == b';').map(<[u8]>::trim_ascii)
}

fn name_of(pair: &[u8]) -> &[u8] {
    let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
    pair[..end].trim_ascii()
}

/// Quotes are no part of a value (RFC 6265 section 4.1.1).
fn value_of(pair: &[u8]) -> &[u8] {
    let value = pair.iter().position(|&byte| byte == b'=').map_or(&b""[..], |at| &pair[at + 1..]);
    let value = value.trim_ascii();
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "GLEWLWYD2_SESSION_ID";

    fn fields<'a>(fields: &[&'a str]) -> Vec<&'a [u8]> {
        fields.iter().map(|field| field.as_bytes()).collect()
    }

    #[test]
    fn the_hosts_cookie_is_found_wherever_it_stands() {
        for sent in [
            &["GLEWLWYD2_SESSION_ID=abc"][..],
            &["a=b; GLEWLWYD2_SESSION_ID=abc"],
            &["a=b;GLEWLWYD2_SESSION_ID = abc ;c=d"],
            &["a=b", "GLEWLWYD2_SESSION_ID=\"abc\""],
            &["GLEWLWYD2_SESSION_ID=abc; GLEWLWYD2_SESSION_ID=abc"],
        ] {
            assert_eq!(find(fields(sent), NAME), Some("abc"), "{sent:?}");
        }
        for sent in [
            &["glewlwyd2_session_id=abc"][..],
            &["a=GLEWLWYD2_SESSION_ID=abc"],
            &["=GLEWLWYD2_SESSION_ID=abc"],
            &["GLEWLWYD2_SESSION_ID=abc; GLEWLWYD2_SESSION_ID=def"],
            &["GLEWLWYD2_SESSION_ID=abc", "GLEWLWYD2_SESSION_ID=def"],
            &[""],
            &[],
        ] {
            assert_eq!(find(fields(sent), NAME), None, "{sent:?}");
        }
    }

    #[test]
    fn a_plugin_gets_every_cookie_but_the_hosts() {
        let without = |sent: &[&str]| {
            without(fields(sent), NAME).map(|kept| String::from_utf8(kept).unwrap())
        };
        assert_eq!(without(&["a=b", "c=d; e"]).as_deref(), Some("a=b; c=d; e"));
        for hidden in [
            "GLEWLWYD2_SESSION_ID=abc",
            " GLEWLWYD2_SESSION_ID = abc ",
            "\tGLEWLWYD2_SESSION_ID\t=abc",
            "glewlwyd2_session_ID=abc",
            "\"GLEWLWYD2_SESSION_ID\"=abc",
            "\"GLEWLWYD2_SESSION_ID=abc",
            "__Host-GLEWLWYD2_SESSION_ID=abc",
            "__secure-GLEWLWYD2_SESSION_ID=abc",
            "GLEWLWYD2_SESSION_ID",
            "=GLEWLWYD2_SESSION_ID=abc",
            "GLEWLWYD2_SESSION_ID=\"a",
        ] {
            let around = format!("a=b;{hidden}; c=d;;");
            assert_eq!(without(&[&around]).as_deref(), Some("a=b; c=d"), "{hidden}");
            assert_eq!(without(&[hidden, hidden]), None, "{hidden}");
        }
        assert_eq!(
            without(&["xGLEWLWYD2_SESSION_ID=1; GLEWLWYD2_SESSION_IDx=2"]).as_deref(),
            Some("xGLEWLWYD2_SESSION_ID=1; GLEWLWYD2_SESSION_IDx=2")
        );
    }

    #[test]
    fn a_prefix_is_known_however_it_is_written() {
        for name in ["__Host-a", "__HOST-", " \"__host-x\""] {
            assert!(is_for_host(name.as_bytes()), "{name}");
        }
        for name in ["__Secure-a", "Host-a", "_Host-", ""] {
            assert!(!is_for_host(name.as_bytes()), "{name}");
        }
    }
}
