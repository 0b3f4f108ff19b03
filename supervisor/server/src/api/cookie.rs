//! The host's session cookie, read and written.

use std::time::{Duration, SystemTime};

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use outboard_core::config::{SameSite, SecureCookie, Session};
use outboard_core::route::cookie;

/// How the cookie is called, and where browsers send it.
#[derive(Clone, Debug)]
pub struct SessionCookie {
    name: String,
    /// All behind name and value but how long it is kept.
    attributes: String,
}

impl SessionCookie {
    /// As `[session]` says; `external_url` is how clients reach the gateway.
    pub fn of(session: &Session, external_url: &str) -> Self {
        let is_secure = match session.secure {
            SecureCookie::Yes => true,
            SecureCookie::No => false,
            SecureCookie::Auto => external_url.starts_with("https://"),
        };
        let same_site = match session.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        };
        let mut attributes = format!("; Path=/; HttpOnly; SameSite={same_site}");
        if is_secure {
            attributes.push_str("; Secure");
        }
        if let Some(domain) = &session.domain {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        Self { name: session.cookie.clone(), attributes }
    }

    /// What a client has sent.
    pub fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let fields = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        cookie::find(fields, &self.name)
    }

    /// Has the client keep `value` as long as it counts.
    pub fn set(&self, value: &str, expires: SystemTime) -> HeaderValue {
        let left = expires.duration_since(SystemTime::now()).unwrap_or_default();
        self.write(value, left)
    }

    /// Has the client forget it.
    pub fn clear(&self) -> HeaderValue {
        self.write("", Duration::ZERO)
    }

    fn write(&self, value: &str, left: Duration) -> HeaderValue {
        let Self { name, attributes } = self;
        let text = format!("{name}={value}; Max-Age={}{attributes}", left.as_secs());
        // Names, values and domains are checked where they come from.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(secure: SecureCookie, domain: Option<&str>) -> Session {
        Session {
            cookie: "GLEWLWYD2_SESSION_ID".to_owned(),
            expires: Duration::from_mins(1),
            domain: domain.map(str::to_owned),
            same_site: SameSite::Lax,
            secure,
            multiple: true,
        }
    }

    #[test]
    fn it_is_as_the_operator_says() {
        let check = |secure, domain, url, expected: &str| {
            let cookie = SessionCookie::of(&session(secure, domain), url);
            assert_eq!(
                cookie.clear(),
                format!("GLEWLWYD2_SESSION_ID=; Max-Age=0; Path=/; {expected}")
            );
        };
        check(SecureCookie::Auto, None, "http://a", "HttpOnly; SameSite=Lax");
        check(SecureCookie::Auto, None, "https://a", "HttpOnly; SameSite=Lax; Secure");
        check(SecureCookie::No, Some("a"), "https://a", "HttpOnly; SameSite=Lax; Domain=a");
        check(SecureCookie::Yes, None, "http://a", "HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn it_is_kept_as_long_as_it_counts() {
        let cookie = SessionCookie::of(&session(SecureCookie::Auto, None), "http://a");
        let long = SystemTime::now() + Duration::from_mins(10);
        let text = cookie.set("abc", long);
        let text = text.to_str().unwrap();
        let age = text.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap();
        assert!((598..=600).contains(&age.parse::<u64>().unwrap()), "{text}");
        let past = SystemTime::UNIX_EPOCH;
        assert!(cookie.set("abc", past).to_str().unwrap().contains("Max-Age=0;"));
    }

    #[test]
    fn what_was_written_is_read_again() {
        let cookie = SessionCookie::of(&session(SecureCookie::Auto, None), "http://a");
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("a=b; GLEWLWYD2_SESSION_ID=abc"));
        assert_eq!(cookie.read(&headers), Some("abc"));
        assert_eq!(cookie.read(&HeaderMap::new()), None);
    }
}
