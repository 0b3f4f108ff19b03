//! One visit of a browser: who it is, where it comes from, and whether a form that it sends is one of ours.
//!
//! A form is believed if no browser says that it comes from elsewhere, and if it brings what only a page of ours could
//! give: a digest of a cookie of the pages' own, and of the session's. So nothing has to be kept for it, and any
//! supervisor of a cluster can judge it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context as Digest, SHA256};
use http::header::{COOKIE, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use outboard_core::route::{cookie, origin};
use rand::RngExt as _;
use rand::distr::Alphanumeric;

use super::Site;
use super::ask::Ask;
use super::show::hex;
use crate::gateway::own::Client;
use crate::identity::Origin;

/// The pages' own cookie. It opens nothing.
const PAGE: &str = "outboard_page";
const PAGE_LENGTH: usize = 32;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) struct Visit {
    pub origin: Origin,
    /// The session's.
    pub cookie: Option<String>,
    pub ask: Ask,
    /// Where the browser believes to be.
    place: String,
    page: String,
    is_first: bool,
}

impl Visit {
    pub(super) fn of(site: &Site, parts: &Parts) -> Self {
        let client = parts.extensions.get::<Client>();
        let headers = &parts.headers;
        let known = page_of(headers);
        let is_first = known.is_none();
        Self {
            origin: Origin {
                address: client.map(|client| client.address.clone()).unwrap_or_default(),
                user_agent: text(headers, &USER_AGENT).unwrap_or_default().to_owned(),
            },
            cookie: site.cookie.read(headers).map(str::to_owned),
            ask: Ask::of(parts.uri.query().unwrap_or_default()),
            place: client.map(|it| format!("{}://{}", it.scheme, it.authority)).unwrap_or_default(),
            page: known.unwrap_or_else(random),
            is_first,
        }
    }

    /// The same visit with another session's cookie.
    #[must_use]
    pub(super) fn with_cookie(&self, cookie: Option<String>) -> Self {
        Self {
            origin: self.origin.clone(),
            cookie: cookie.or_else(|| self.cookie.clone()),
            ask: self.ask.clone(),
            place: self.place.clone(),
            page: self.page.clone(),
            is_first: self.is_first,
        }
    }

    /// What a form has to bring.
    pub(super) fn token(&self) -> String {
        let mut digest = Digest::new(&SHA256);
        for part in ["a form of the pages", &self.page, self.cookie.as_deref().unwrap_or_default()]
        {
            digest.update(part.as_bytes());
            digest.update(&[0]);
        }
        hex(digest.finish().as_ref())
    }

    pub(super) fn knows(&self, token: &str) -> bool {
        let is_same = verify_slices_are_equal(self.token().as_bytes(), token.as_bytes()).is_ok();
        is_same && !self.is_first
    }

    /// Whether a browser that says where a form comes from says that it comes from here.
    pub(super) fn may_act(&self, site: &Site, parts: &Parts) -> bool {
        let external = site.external.origin().ascii_serialization();
        let value = |name| parts.headers.get(name).map(HeaderValue::as_bytes);
        origin::may_act(value(SEC_FETCH_SITE), value(ORIGIN), &[&external, &self.place])
    }

    /// On the first visit. Not `Strict`: most people come to these pages from elsewhere.
    pub(super) fn cookie_to_set(&self, site: &Site) -> Option<HeaderValue> {
        let secure = if site.external.scheme() == "https" { "; Secure" } else { "" };
        let text = format!("{PAGE}={}; Path=/; HttpOnly; SameSite=Lax{secure}", self.page);
        HeaderValue::try_from(text).ok().filter(|_| self.is_first)
    }
}

fn page_of(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let page = cookie::find(fields, PAGE)?;
    let is_ours =
        page.len() == PAGE_LENGTH && page.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_ours.then(|| page.to_owned())
}

fn random() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PAGE_LENGTH).map(char::from).collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(page: &str, cookie: Option<&str>) -> Visit {
        Visit {
            origin: Origin::default(),
            cookie: cookie.map(str::to_owned),
            ask: Ask::default(),
            place: String::new(),
            page: page.to_owned(),
            is_first: false,
        }
    }

    #[test]
    fn a_form_is_good_in_one_browser_and_one_session() {
        let own = visit("a", Some("s"));
        assert!(own.knows(&own.token()));
        for other in
            [visit("b", Some("s")), visit("a", Some("t")), visit("a", None), visit("as", None)]
        {
            assert!(!own.knows(&other.token()));
        }
        assert!(!own.knows(""));
        let first = Visit { is_first: true, ..visit("a", None) };
        assert!(!first.knows(&first.token()), "nobody has seen that page");
    }

    #[test]
    fn a_cookie_that_is_none_of_ours_is_replaced() {
        let of = |value: &str| {
            page_of(&HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(value).unwrap())]))
        };
        let good = random();
        assert_eq!(of(&format!("{PAGE}={good}")), Some(good.clone()));
        assert_eq!(of(&format!("{PAGE}={good}; {PAGE}={}", random())), None, "one was planted");
        assert_eq!(of(&format!("{PAGE}=")), None);
        assert_eq!(of(&format!("{PAGE}={}<", &good[1..])), None);
    }
}
