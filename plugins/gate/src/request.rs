//! The one question that is put to Gate: where it goes, and what it carries. It knows no network.
//!
//! Gate takes a token from the query, too, where every proxy on the way would log it; so it goes in a header.

use reqwest::Url;
use reqwest::header::HeaderValue;

/// Where Gate tells profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profiles(Url);

/// What is wrong with one of the parts of an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    Protocol(String),
    Host(String),
    Path(String),
}

impl Profiles {
    /// The parts as an operator writes them: `https`, `gate.example.org:8443`, `api/v1/users/profile`.
    pub(crate) fn new(protocol: &str, host: &str, path: &str) -> Result<Self, Mistake> {
        if !matches!(protocol, "http" | "https") {
            return Err(Mistake::Protocol("must be \"https\" or \"http\"".to_owned()));
        }
        if !is_host(host) {
            let what =
                "must be a name or an address, with a port or without: \"gate.example.org:8443\"";
            return Err(Mistake::Host(what.to_owned()));
        }
        let path = path.trim_start_matches('/');
        if !is_path(path) {
            let what = "must be a path without query, such as \"api/v1/users/profile\"";
            return Err(Mistake::Path(what.to_owned()));
        }
        let url = Url::parse(&format!("{protocol}://{host}/{path}"));
        url.map(Self).map_err(|error| Mistake::Host(format!("{error}; write it as host:port")))
    }

    /// Where this user's profile is. Whatever the e-mail holds, it stays one value of the query.
    pub(crate) fn of(&self, email: &str) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("email", email);
        url
    }

    /// Without a user, for people.
    pub(crate) fn shown(&self) -> &str {
        self.0.as_str()
    }

    /// Whether tokens travel where others can read them.
    pub(crate) fn is_open(&self) -> bool {
        self.0.scheme() == "http"
    }
}

/// The header that carries a token. `None`: Gate would read something else out of it, since it takes the last
/// word, or it can't be in a header at all.
pub(crate) fn authorization(token: &str) -> Option<HeaderValue> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|it| it.is_alphanumeric() || ".-_:[]".contains(it))
}

fn is_path(path: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_graphic() && !"?#\\".contains(it);
    !path.is_empty() && path.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles() -> Profiles {
        Profiles::new("https", "gate.example.org:8443", "api/v1/users/profile").unwrap()
    }

    #[test]
    fn the_e_mail_is_in_the_query_and_the_token_in_a_header() {
        let url = profiles().of("ann+1@example.org");
        let expected =
            "https://gate.example.org:8443/api/v1/users/profile?email=ann%2B1%40example.org";
        assert_eq!(url.as_str(), expected);
        let header = authorization("TOKEN").unwrap();
        assert_eq!(header, "Bearer TOKEN");
        assert!(!format!("{header:?}").contains("TOKEN"));
    }

    #[test]
    fn an_e_mail_never_becomes_a_second_parameter() {
        let url = profiles().of("ann@example.org&access_token=x#y\r\nz");
        let pairs: Vec<_> = url.query_pairs().collect();
        assert_eq!(pairs, [("email".into(), "ann@example.org&access_token=x#y\r\nz".into())]);
        assert_eq!(url.fragment(), None);
    }

    #[test]
    fn a_token_that_gate_would_read_otherwise_is_not_sent() {
        for token in ["", "two words", "a\r\nx: y", "tab\tbed", "ünïcode", "nul\0"] {
            assert_eq!(authorization(token), None, "{token:?}");
        }
    }

    #[test]
    fn a_slash_before_the_path_is_no_second_one() {
        let with = Profiles::new("http", "[::1]:80", "/api/v1/users/profile").unwrap();
        assert_eq!(with.shown(), "http://[::1]/api/v1/users/profile");
        assert!(with.is_open() && !profiles().is_open());
    }

    #[test]
    fn each_part_of_an_address_is_judged() {
        let made = |protocol, host, path| Profiles::new(protocol, host, path).unwrap_err();
        assert!(matches!(made("ftp", "gate", "p"), Mistake::Protocol(_)));
        for host in ["", "me@gate", "gate/x", "gate?x", "gate#x", "gate gate", "gate:port"] {
            assert!(matches!(made("https", host, "p"), Mistake::Host(_)), "{host:?}");
        }
        for path in ["", "/", "p?email=x", "p#x", "p q", "p\\q"] {
            assert!(matches!(made("https", "gate", path), Mistake::Path(_)), "{path:?}");
        }
    }
}
