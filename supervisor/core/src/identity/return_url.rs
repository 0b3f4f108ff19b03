//! Where a page of the host's may send a browser when it is done: to an enabled instance, to a page of the host's own,
//! or to a URL that the client has registered. Everything else would make the log-in page somebody else's signpost.
//!
//! A URL is read as browsers read it (the WHATWG's rules), judged, and then written anew, so that nothing depends on two
//! readers agreeing about a text.

use std::borrow::Cow;

use url::Url;

/// Longer ones are refused, in bytes.
pub const LONGEST: usize = 16 * 1024;

/// What a page adds so that a plugin knows that the person has been there.
const GO_ON: &str = "g_continue";
/// What it adds where the person has refused: the word of RFC 6749, section 4.1.2.1.
const ERROR: &str = "error";
const DENIED: &str = "access_denied";

/// Where a browser may be sent.
pub struct Places<'a> {
    /// Where clients reach the gateway.
    pub external_url: &'a Url,
    /// The gateway's, without slashes.
    pub prefix: &'a str,
    /// Pages of the host's own, below the external URL.
    pub pages: &'a [&'a str],
    /// Whether an instance serves HTTP here.
    pub is_enabled: &'a dyn Fn(&str) -> bool,
    /// What the client has registered.
    pub registered: &'a [String],
}

/// A place where a browser may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnUrl {
    /// An endpoint of an enabled instance.
    Instance(Url),
    /// A page of the host's own.
    Page(Url),
    /// Just as the client has registered it.
    Registered(String),
}

/// Why a browser is not sent there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    #[error("it is not a URL")]
    Malformed,
    #[error("it leads to no enabled instance of this host, and the client has not registered it")]
    Elsewhere,
}

impl Places<'_> {
    /// Judges where a `callback_url` leads.
    pub fn judge(&self, text: &str) -> Result<ReturnUrl, Refused> {
        if text.len() > LONGEST {
            return Err(Refused::TooLong);
        }
        // Browsers leave some of these out, or take them for others, before they read a URL.
        if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return Err(Refused::Malformed);
        }
        let url = Url::parse(text).map_err(|_| Refused::Malformed)?;
        if self.registered.iter().any(|registered| registered == text) && may_be_registered(&url) {
            return Ok(ReturnUrl::Registered(text.to_owned()));
        }
        self.own(url).ok_or(Refused::Elsewhere)
    }

    fn own(&self, mut url: Url) -> Option<ReturnUrl> {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        // The origin of whatever is not of the web is like no other, not even like itself.
        if !is_plain || !is_web || url.origin() != self.external_url.origin() {
            return None;
        }
        url.set_fragment(None);
        let path = url.path().strip_prefix(self.external_url.path().trim_end_matches('/'))?;
        let path = path.strip_prefix('/')?;
        if self.pages.contains(&path) {
            return Some(ReturnUrl::Page(url));
        }
        let (instance, _) = path.strip_prefix(self.prefix)?.strip_prefix('/')?.split_once('/')?;
        (self.is_enabled)(instance).then_some(ReturnUrl::Instance(url))
    }
}

/// Schemes that run something, or show something of whoever wrote the URL, are never followed. Those of applications
/// are names of domains written backwards (RFC 8252 section 7.1).
fn may_be_registered(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") || url.scheme().contains('.')
}

impl ReturnUrl {
    /// Where the browser goes when everything was done. An instance is told so by `g_continue`.
    pub fn done(&self) -> Cow<'_, str> {
        match self {
            Self::Instance(url) => Cow::Owned(told(url, &[GO_ON], &[GO_ON])),
            Self::Page(url) => Cow::Borrowed(url.as_str()),
            Self::Registered(text) => Cow::Borrowed(text),
        }
    }

    /// Where the browser goes when the person has refused, if anybody there is waiting for an answer.
    pub fn denied(&self) -> Option<String> {
        let denied = format!("{ERROR}={DENIED}");
        match self {
            Self::Instance(url) => Some(told(url, &[GO_ON, ERROR], &[&denied, GO_ON])),
            Self::Page(_) => None,
            // All but the addition stays as it was registered, letter by letter.
            Self::Registered(text) => {
                let (url, fragment) = text.split_at(text.find('#').unwrap_or(text.len()));
                let joint = if url.contains('?') { '&' } else { '?' };
                Some(format!("{url}{joint}{denied}{fragment}"))
            }
        }
    }

    /// Who is waiting there, for people: a host's name, or an application's scheme.
    pub fn shown(&self) -> String {
        let host = |url: &Url| url.host_str().unwrap_or(url.scheme()).to_owned();
        match self {
            Self::Instance(url) | Self::Page(url) => host(url),
            Self::Registered(text) => Url::parse(text).as_ref().map(host).unwrap_or_default(),
        }
    }
}

/// The URL with these pairs at the end of its query, and none before them that has one of these names.
fn told(url: &Url, names: &[&str], pairs: &[&str]) -> String {
    let is_kept = |pair: &&str| {
        !pair.is_empty() && !pair.split('=').next().is_some_and(|name| names.contains(&name))
    };
    let query = url.query().unwrap_or_default().split('&').filter(is_kept);
    let query: Vec<&str> = query.chain(pairs.iter().copied()).collect();
    let mut url = url.clone();
    url.set_query(Some(&query.join("&")));
    url.into()
}

#[cfg(test)]
mod tests;
