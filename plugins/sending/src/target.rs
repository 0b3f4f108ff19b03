//! A URL that is a secret: whoever knows it can send. It is never shown, and taken out of what others say.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// Longer than any that is meant.
const MOST_BYTES: usize = 2048;

/// Shorter parts of a URL are words that an error may well have for other reasons.
const LEAST_SECRET: usize = 6;

/// Where to send to.
#[derive(Clone)]
pub struct Target {
    url: Url,
    /// What must not be shown, longest first.
    secrets: Vec<String>,
}

impl Target {
    /// Reads a URL. `plain_http`: http is good for any host, and not only for this one.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without showing it.
    pub fn read(text: &str, plain_http: bool) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty; write the URL to send to".to_owned());
        }
        if text.len() > MOST_BYTES {
            return Err(format!("is longer than {MOST_BYTES} bytes"));
        }
        let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
        judge(&url, plain_http)?;
        let secrets = secrets(&url, text);
        Ok(Self { url, secrets })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The text without anything that tells the URL.
    pub fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

fn judge(url: &Url, plain_http: bool) -> Result<(), String> {
    let is_http = url.scheme() == "http";
    if !is_http && url.scheme() != "https" {
        return Err("must begin with https://".to_owned());
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err("names no host".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it; leave that out".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a part after a #, which is never sent; leave it out".to_owned());
    }
    if is_http && !plain_http && !is_loopback(host) {
        let message = "must begin with https://, or everybody on the way can read it; if that does not matter, \
                       set plain_http = true";
        return Err(message.to_owned());
    }
    Ok(())
}

/// Whether a host of a URL is this one, without asking anybody.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn secrets(url: &Url, text: &str) -> Vec<String> {
    let query = url.query().unwrap_or_default();
    let path_and_query = format!("{}?{query}", url.path());
    let parts = url.path_segments().into_iter().flatten().map(str::to_owned);
    let values = url.query_pairs().flat_map(|(_, value)| [value.into_owned()]);
    let whole = [text.to_owned(), url.to_string(), path_and_query];
    let mut secrets: Vec<String> = whole
        .into_iter()
        .chain([url.path().to_owned()])
        .chain(url.query().map(str::to_owned))
        .chain(parts)
        .chain(values)
        .filter(|part| part.len() >= LEAST_SECRET)
        .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_good_unless_it_stays_here_or_the_operator_says_so() {
        for (url, good, with_plain_http) in [
            ("https://hooks.example.org/a/b", true, true),
            (" https://hooks.example.org/a/b\n", true, true),
            ("http://hooks.example.org/a", false, true),
            ("http://localhost:8080/a", true, true),
            ("http://127.0.0.1/a", true, true),
            ("http://[::1]:80/a", true, true),
            ("http://127.0.0.1.example.org/a", false, true),
            ("http://localhost.example.org/a", false, true),
            ("ftp://example.org/a", false, false),
            ("https://ann:secret@example.org/a", false, false),
            ("https://example.org/a#b", false, false),
            ("https://", false, false),
            ("hooks.example.org/a", false, false),
            ("", false, false),
            ("  ", false, false),
        ] {
            assert_eq!(Target::read(url, false).is_ok(), good, "{url}");
            assert_eq!(Target::read(url, true).is_ok(), with_plain_http, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_url() {
        for url in
            ["ftp://T0SECRET", "https://a:T0SECRET@b", "http://b/T0SECRET", "https://[T0SECRET"]
        {
            let error = Target::read(url, false).unwrap_err();
            assert!(!error.contains("T0SECRET") && !error.is_empty(), "{error}");
        }
        let long = format!("https://example.org/{}", "x".repeat(MOST_BYTES));
        assert!(Target::read(&long, false).is_err());
    }

    #[test]
    fn nothing_of_the_url_that_could_be_secret_stays_in_a_text() {
        let target =
            Target::read("https://example.org/services/T00000/B00000?token=s%20ecret", false);
        let target = target.unwrap();
        for text in [
            "error for https://example.org/services/T00000/B00000?token=s%20ecret",
            "no /services/T00000/B00000 here",
            "T00000 and B00000 are unknown",
            "s ecret is wrong",
        ] {
            let shown = target.redact(text);
            for secret in ["T00000", "B00000", "ecret"] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(shown.contains("***"), "{shown}");
        }
        assert_eq!(format!("{target:?}"), "Target(***)");
    }
}
