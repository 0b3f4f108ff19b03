//! Whether a browser acts for the page that it shows, or for somebody else's.
//!
//! Pages of plugins are on the host's own site, but sandboxed: their origin is `null`, and they are no better than those
//! of strangers. What is no browser says nothing of all that, and sends a cookie only because somebody wants it to.

/// Whether a request that changes something may do so by the cookie that came with it. `allowed` are the origins that
/// may, such as `https://example.org`: the host's own and those that the operator lists.
pub fn may_act(sec_fetch_site: Option<&[u8]>, origin: Option<&[u8]>, allowed: &[&str]) -> bool {
    let is_allowed = |origin: &[u8]| {
        allowed
            .iter()
            .any(|allowed| origin.eq_ignore_ascii_case(allowed.trim_end_matches('/').as_bytes()))
    };
    match (origin, sec_fetch_site) {
        (Some(b"null"), _) => false,
        (Some(origin), _) if is_allowed(origin) => true,
        // Pages can't write it, so it is true even where a proxy has changed the host's name.
        (_, Some(site)) => matches!(site, b"same-origin" | b"none"),
        (Some(_), None) => false,
        (None, None) => true,
    }
}

/// The origin of `url`: scheme, host and port, as browsers write it.
pub fn of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    (length > 0 && !scheme.is_empty()).then(|| &url[..scheme.len() + 3 + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(site: Option<&str>, origin: Option<&str>) -> bool {
        let allowed = ["https://id.example.org", "https://app.example.com/"];
        may_act(site.map(str::as_bytes), origin.map(str::as_bytes), &allowed)
    }

    #[test]
    fn the_hosts_pages_and_those_that_are_listed_may_act() {
        assert!(check(Some("same-origin"), Some("https://id.example.org")));
        assert!(check(None, Some("https://id.example.org")));
        assert!(check(None, Some("https://ID.example.org")));
        assert!(check(Some("cross-site"), Some("https://app.example.com")));
        assert!(check(Some("none"), None), "the user has typed the address");
        assert!(check(Some("same-origin"), Some("http://behind-a-proxy")));
        assert!(check(None, None), "no browser");
    }

    #[test]
    fn nobody_else_may() {
        for site in ["same-site", "cross-site", "null", "", "Same-Origin"] {
            assert!(!check(Some(site), None), "{site}");
            assert!(!check(Some(site), Some("https://evil.example")), "{site}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "https://id.example.org.evil",
            "http://id.example.org",
            "",
        ] {
            assert!(!check(None, Some(origin)), "{origin}");
        }
        assert!(!check(Some("same-origin"), Some("null")), "a sandboxed page");
    }

    #[test]
    fn an_origin_ends_where_the_path_begins() {
        assert_eq!(of("https://example.org:8/a/b"), Some("https://example.org:8"));
        assert_eq!(of("http://[::1]"), Some("http://[::1]"));
        assert_eq!(of("https://example.org?x"), Some("https://example.org"));
        for none in ["", "example.org", "https://", "://x"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
