//! What a page's work ends with: something to show, or somewhere to go.

use axum::response::Response;
use http::HeaderValue;

use super::Site;
use super::look::Look;
use super::reply::{self, Page};
use crate::identity::sessions::SignedIn;

/// How a browser is answered.
pub(super) struct Answer {
    what: What,
    cookie: Option<HeaderValue>,
}

enum What {
    Page(Page),
    See(String),
}

impl Answer {
    pub(super) fn see(url: impl Into<String>) -> Self {
        Self { what: What::See(url.into()), cookie: None }
    }

    /// The browser keeps the session's new cookie, if there is one.
    #[must_use]
    pub(super) fn signed_in(mut self, site: &Site, signed_in: &SignedIn) -> Self {
        let cookie = signed_in.cookie.as_deref();
        self.cookie = cookie.map(|cookie| site.cookie.set(cookie, signed_in.expires));
        self
    }

    /// The browser forgets the session's cookie.
    #[must_use]
    pub(super) fn signed_out(mut self, site: &Site) -> Self {
        self.cookie = Some(site.cookie.clear());
        self
    }

    pub(super) fn write(self, look: &Look) -> Response {
        let response = match self.what {
            What::Page(page) => page.render(look),
            What::See(url) => reply::see(&url),
        };
        reply::with_cookie(response, self.cookie)
    }
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        Self { what: What::Page(page), cookie: None }
    }
}
