//! What a client gets: a plugin's response that passed all checks, or one of the host's own.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE, TRAILER, UPGRADE,
};
use http::{Response, StatusCode};
use hyper::body::Body as _;
use outboard_core::route::Method;
use outboard_core::route::hygiene::{self, Outgoing, ResponseError};
use outboard_proto::plugin::v1 as wire;

use super::body::Body;
use super::gate::Full;
use super::observe::Reason;

pub(super) type Reply = Response<Body>;

/// Why the host answers instead of a plugin. None of it says what happened inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request breaks a rule of HTTP, or means two things.
    Malformed(Cow<'static, str>),
    NotFound,
    /// The endpoint is for those who are signed in, with all that it requires.
    SignIn,
    /// The same, for a browser that wants a page: where it logs in.
    LogIn(Box<str>),
    /// The endpoint is for others, or the request comes from a page that may not act for its user.
    Forbidden,
    /// Who it is could not be found out.
    Unjudged,
    /// The client took too long to send the body.
    SlowBody,
    BodyTooLarge {
        limit: u64,
    },
    UriTooLong {
        limit: usize,
    },
    /// The bodies of other requests fill the room that there is for bodies.
    Busy,
    /// Other requests have all places at the plugin or the endpoint.
    Full(Full),
    /// CONNECT: this is no proxy.
    Tunnel,
    /// A transfer coding other than chunked: the length of such a body can't be agreed on.
    Coding,
    /// A step of the chain said FAIL, or we are wrong.
    Failed,
    /// The plugin is being started again, or has failed.
    Away,
    /// The plugin was ended, or its instance replaced, before it had answered.
    CutOff,
    /// The plugin is not reachable, or its answer is none.
    BadGateway,
    /// The plugin did not answer within the time that ran out.
    Late(Reason),
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::LogIn(_) => StatusCode::FOUND,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::Busy | Self::Full(_) | Self::Away | Self::CutOff | Self::Unjudged => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Tunnel | Self::Coding => StatusCode::NOT_IMPLEMENTED,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::Late(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A short name that a program can compare, and a sentence for a person.
    fn words(&self) -> (&'static str, Cow<'static, str>) {
        match self {
            Self::Malformed(message) => ("bad request", message.clone()),
            Self::NotFound => {
                ("resource not found", "no resource available at this address".into())
            }
            Self::SignIn | Self::LogIn(_) => {
                ("unauthorized", "this address is for those who are signed in".into())
            }
            Self::Forbidden => ("forbidden", "this request is not allowed to its sender".into()),
            Self::Unjudged => {
                ("unavailable", "who sent the request can't be found out at the moment".into())
            }
            Self::SlowBody => ("request timeout", "the body did not arrive in time".into()),
            Self::BodyTooLarge { limit } => {
                ("body too large", format!("the body is larger than {limit} bytes").into())
            }
            Self::UriTooLong { limit } => {
                ("uri too long", format!("path and query are longer than {limit} bytes").into())
            }
            Self::Busy | Self::Full(_) => {
                ("busy", "too many requests at a time; try again later".into())
            }
            Self::Away => {
                ("unavailable", "the service behind this address will be back shortly".into())
            }
            Self::CutOff => {
                ("unavailable", "the service behind this address ended before it answered".into())
            }
            Self::Coding => {
                ("not implemented", "the only transfer coding here is chunked, once".into())
            }
            Self::Tunnel => {
                ("not implemented", "this is no proxy; CONNECT is not supported".into())
            }
            Self::Failed => ("internal error", "the request could not be processed".into()),
            Self::BadGateway => {
                ("bad gateway", "the service behind this address did not answer".into())
            }
            Self::Late(_) => {
                ("timeout", "the service behind this address did not answer in time".into())
            }
        }
    }

    /// Whether more of the request may be on its way, so that the connection cannot be used again.
    fn leaves_body(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge { .. }
                | Self::SlowBody
                | Self::Busy
                | Self::Full(_)
                | Self::CutOff
                | Self::Tunnel
                | Self::Coding
        )
    }

    /// What it counts as.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Malformed(_) | Self::Coding => Reason::Malformed,
            Self::NotFound => Reason::NotFound,
            Self::SignIn | Self::LogIn(_) => Reason::Unauthorized,
            Self::Forbidden => Reason::Forbidden,
            Self::Unjudged => Reason::Unjudged,
            Self::SlowBody => Reason::SlowBody,
            Self::BodyTooLarge { .. } => Reason::BodyTooLarge,
            Self::UriTooLong { .. } => Reason::UriTooLong,
            Self::Busy => Reason::Busy,
            Self::Full(Full::Queue) => Reason::QueueFull,
            Self::Full(Full::Timeout) => Reason::QueueTimeout,
            Self::Tunnel => Reason::Connect,
            Self::Failed => Reason::Failed,
            Self::Away => Reason::Away,
            Self::CutOff => Reason::CutOff,
            Self::BadGateway => Reason::BadGateway,
            Self::Late(reason) => *reason,
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let (error, message) = self.words();
        let body = serde_json::json!({ "error": error, "message": message }).to_string();
        let mut reply = Response::new(Body::from(Bytes::from(body)));
        *reply.status_mut() = self.status();
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::LogIn(location) = self
            && let Ok(location) = HeaderValue::from_str(location)
        {
            headers.insert(LOCATION, location);
        }
        if matches!(self, Self::SignIn | Self::LogIn(_) | Self::Forbidden) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if self.leaves_body() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

/// What a plugin's response is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// The instance, below which its cookies belong.
    pub prefix: &'a str,
    pub instance: &'a str,
    /// The name of the host's session cookie.
    pub cookie: &'a str,
    /// Whether the operator lets its pages be the host's own.
    pub is_same_origin: bool,
    /// The length of the body, where all of it is there.
    pub whole: Option<usize>,
    /// Whether trailers may follow, and the connection may be upgraded to one of the protocols in `offered`.
    pub is_framed: bool,
    pub offered: &'a str,
}

/// A plugin's head as it may be sent.
#[derive(Debug)]
pub(super) struct Head {
    /// With no body yet.
    pub reply: Reply,
    /// How long the plugin said that the body will be.
    pub length: Option<u64>,
}

impl Terms<'_> {
    /// A plugin's head as it may be sent, or what is wrong with it.
    pub(super) fn judge(&self, response: wire::Response) -> Result<Head, ResponseError> {
        let status = hygiene::status(response.status, !self.offered.is_empty())?;
        if response.headers.len() > hygiene::MAX_HEADERS {
            return Err(ResponseError::Many);
        }
        let mut reply = Response::new(Body::default());
        *reply.status_mut() =
            StatusCode::from_u16(status).expect("101 and 200 to 599 are statuses");
        let headers = reply.headers_mut();
        // With what the host adds.
        headers.try_reserve(response.headers.len() + 2).map_err(|_| ResponseError::Many)?;
        let mut length = None;
        for header in response.headers {
            match hygiene::outgoing(&header.name, &header.value)? {
                Outgoing::Pass => self.add(headers, header)?,
                Outgoing::Length(declared) => self.declare(&mut length, declared)?,
                Outgoing::Trailer if self.is_framed => add(headers, TRAILER, header)?,
                Outgoing::Upgrade if status == 101 => self.upgrade(headers, header)?,
                Outgoing::Drop | Outgoing::Trailer | Outgoing::Upgrade => {}
            }
        }
        if status == 101 {
            if !headers.contains_key(UPGRADE) {
                return Err(ResponseError::Upgrade);
            }
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        } else if !self.is_same_origin {
            let sandbox = HeaderValue::from_static(hygiene::SANDBOX);
            headers.append(CONTENT_SECURITY_POLICY, sandbox);
        }
        Ok(Head { reply, length })
    }

    fn add(&self, headers: &mut HeaderMap, mut header: wire::Header) -> Result<(), ResponseError> {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let name = name.map_err(|_| ResponseError::Name(header.name.clone()))?;
        if name == SET_COOKIE {
            let path = format!("/{}/{}/", self.prefix, self.instance);
            let Some(scoped) = hygiene::set_cookie(&header.value, &path, self.cookie) else {
                return Ok(());
            };
            header.value = scoped.into();
        } else if !self.is_same_origin && hygiene::is_for_site(name.as_str()) {
            return Ok(());
        }
        add(headers, name, header)
    }

    fn declare(&self, length: &mut Option<u64>, declared: u64) -> Result<(), ResponseError> {
        let body = self.whole.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
        match body {
            Some(body) if body != declared => return Err(ResponseError::Length { body }),
            Some(_) | None => {}
        }
        // The host writes it, so that a repeated one cannot double it.
        match length.replace(declared) {
            Some(before) if before != declared => Err(ResponseError::NoLength),
            Some(_) | None => Ok(()),
        }
    }

    fn upgrade(&self, headers: &mut HeaderMap, header: wire::Header) -> Result<(), ResponseError> {
        let is_chosen = hygiene::is_chosen_from(self.offered, &header.value);
        if !is_chosen || headers.contains_key(UPGRADE) {
            return Err(ResponseError::Upgrade);
        }
        add(headers, UPGRADE, header)
    }
}

fn add(
    headers: &mut HeaderMap,
    name: HeaderName,
    header: wire::Header,
) -> Result<(), ResponseError> {
    let value = HeaderValue::from_maybe_shared(header.value);
    let value = value.map_err(|_| ResponseError::Value(header.name))?;
    headers.try_append(name, value).map_err(|_| ResponseError::Many)?;
    Ok(())
}

/// The fields of a trailer section or of an informational response that may pass. Those that stay behind are
/// counted.
pub(super) fn beside(fields: Vec<wire::Header>) -> Result<(HeaderMap, usize), ResponseError> {
    if fields.len() > hygiene::MAX_HEADERS {
        return Err(ResponseError::Many);
    }
    let (mut headers, mut dropped) = (HeaderMap::with_capacity(fields.len()), 0);
    for field in fields {
        if !hygiene::outgoing_beside(&field.name, &field.value)? {
            dropped += 1;
            continue;
        }
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let name = name.map_err(|_| ResponseError::Name(field.name.clone()))?;
        add(&mut headers, name, field)?;
    }
    Ok((headers, dropped))
}

/// What HEAD gets of a reply to GET: all but the body, whose length still counts for `Content-Length`.
pub(super) fn without_body(mut reply: Reply) -> Reply {
    let length = reply.body().size_hint().exact();
    if !hygiene::has_no_body(reply.status().as_u16())
        && let Some(length) = length
    {
        reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *reply.body_mut() = Body::default();
    reply
}

/// The answer to OPTIONS at a path whose endpoints have these methods.
pub(super) fn options<'a>(methods: impl IntoIterator<Item = &'a Method>) -> Reply {
    let mut reply = Response::new(Body::default());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let allow = HeaderValue::from_str(&allow(methods)).expect("methods are tokens");
    reply.headers_mut().insert(ALLOW, allow);
    reply
}

fn allow<'a>(methods: impl IntoIterator<Item = &'a Method>) -> String {
    const COMMON: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let mut names = Vec::new();
    for method in methods {
        match method {
            Method::Any => names.extend(COMMON),
            Method::Named(name) => names.push(name),
        }
    }
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Terms<'_> = Terms {
        prefix: "api",
        instance: "shop",
        cookie: "GLEWLWYD2_SESSION_ID",
        is_same_origin: false,
        whole: Some(5),
        is_framed: false,
        offered: "",
    };

    fn judge(
        terms: Terms<'_>,
        status: u32,
        fields: &[(&str, &'static str)],
    ) -> Result<Head, ResponseError> {
        let header = |&(name, value): &(&str, &'static str)| wire::Header {
            name: name.to_owned(),
            value: Bytes::from_static(value.as_bytes()),
        };
        terms.judge(wire::Response { status, headers: fields.iter().map(header).collect() })
    }

    #[test]
    fn a_declared_length_is_that_of_the_body_or_a_promise() {
        let length = |terms, fields| judge(terms, 200, fields).map(|head| head.length);
        assert_eq!(length(PLAIN, &[("content-length", "5")]), Ok(Some(5)));
        assert_eq!(
            length(PLAIN, &[("content-length", "6")]),
            Err(ResponseError::Length { body: 5 })
        );
        let open = Terms { whole: None, is_framed: true, ..PLAIN };
        assert_eq!(length(open, &[]), Ok(None));
        assert_eq!(length(open, &[("content-length", "7"), ("Content-Length", "7")]), Ok(Some(7)));
        assert_eq!(
            length(open, &[("content-length", "7"), ("content-length", "8")]),
            Err(ResponseError::NoLength)
        );
        let head = judge(open, 200, &[("content-length", "7")]).unwrap();
        assert!(!head.reply.headers().contains_key(CONTENT_LENGTH), "hyper writes it");
    }

    #[test]
    fn trailers_are_announced_where_there_may_be_some() {
        let announced = |terms| {
            let head = judge(terms, 200, &[("trailer", "x-sum")]).unwrap();
            head.reply.headers().contains_key(TRAILER)
        };
        assert!(!announced(PLAIN));
        assert!(announced(Terms { is_framed: true, ..PLAIN }));
    }

    #[test]
    fn a_page_is_the_hosts_own_only_if_the_operator_says_so() {
        let trusted = Terms { is_same_origin: true, ..PLAIN };
        let fields = [("Clear-Site-Data", "*"), ("content-security-policy", "default-src 'self'")];
        for (terms, policies, clears) in [(PLAIN, 2, false), (trusted, 1, true)] {
            let head = judge(terms, 200, &fields).unwrap();
            let headers = head.reply.headers();
            assert_eq!(headers.get_all(CONTENT_SECURITY_POLICY).iter().count(), policies);
            assert_eq!(headers.contains_key("clear-site-data"), clears);
        }
    }

    #[test]
    fn no_plugin_sets_the_hosts_cookie() {
        for trusted in [false, true] {
            let terms = Terms { is_same_origin: trusted, ..PLAIN };
            let fields = [("set-cookie", "GLEWLWYD2_SESSION_ID=x; Path=/"), ("Set-Cookie", "a=b")];
            let head = judge(terms, 200, &fields).unwrap();
            let set: Vec<_> = head.reply.headers().get_all(SET_COOKIE).iter().collect();
            assert_eq!(set, ["a=b; Path=/api/shop/"]);
        }
    }

    #[test]
    fn an_upgrade_is_to_one_of_the_protocols_that_were_offered() {
        let framed = Terms { whole: None, is_framed: true, ..PLAIN };
        let offered = Terms { offered: "websocket, chat/2", ..framed };
        let head = judge(offered, 101, &[("Upgrade", "WebSocket"), ("x-a", "1")]).unwrap();
        assert_eq!(head.reply.headers()[UPGRADE], "WebSocket");
        assert_eq!(head.reply.headers()[CONNECTION], "upgrade");
        assert_eq!(head.reply.headers()["x-a"], "1");
        for fields in [
            &[][..],
            &[("upgrade", "chat")],
            &[("upgrade", "chat/2, websocket")],
            &[("upgrade", "chat/2"), ("upgrade", "websocket")],
        ] {
            assert_eq!(judge(offered, 101, fields).unwrap_err(), ResponseError::Upgrade);
        }
        let refused = judge(framed, 101, &[("upgrade", "websocket")]).unwrap_err();
        assert_eq!(refused, ResponseError::Status(101));
        let other = judge(offered, 200, &[("upgrade", "websocket")]).unwrap();
        assert!(!other.reply.headers().contains_key(UPGRADE));
    }

    #[test]
    fn fields_beside_the_head_that_belong_into_it_stay_behind() {
        let field = |name: &str, value: &'static str| wire::Header {
            name: name.to_owned(),
            value: Bytes::from_static(value.as_bytes()),
        };
        let fields = vec![field("X-Sum", "1"), field("set-cookie", "a=b"), field("x-sum", "2")];
        let (headers, dropped) = beside(fields).unwrap();
        assert_eq!((headers.get_all("x-sum").iter().count(), headers.len(), dropped), (2, 2, 1));
        assert!(beside(vec![field("x", "a\r\nb: c")]).is_err());
        assert_eq!(beside(vec![field("x", ""); 1001]).unwrap_err(), ResponseError::Many);
    }

    #[test]
    fn nothing_found_has_the_body_that_clients_of_glewlwyd_know() {
        let (error, message) = Refusal::NotFound.words();
        assert_eq!(
            (error, &*message),
            ("resource not found", "no resource available at this address")
        );
    }

    #[test]
    fn allow_names_each_method_once_with_what_the_host_adds() {
        let named = |name: &str| Method::parse(name).unwrap();
        assert_eq!(allow(&[named("GET"), named("PUT")]), "GET, HEAD, OPTIONS, PUT");
        assert_eq!(allow(&[named("POST")]), "OPTIONS, POST");
        assert_eq!(
            allow(&[named("*"), named("GET")]),
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
        );
    }

    #[test]
    fn more_headers_than_a_client_takes_are_the_plugins_fault() {
        let header =
            |number: u32| wire::Header { name: format!("x-{number}"), value: Bytes::new() };
        let with = |count| {
            let headers = (0..count).map(header).collect();
            PLAIN.judge(wire::Response { status: 200, headers })
        };
        assert!(with(1000).is_ok());
        for count in [1001, 24_575, 40_000] {
            assert_eq!(with(count).unwrap_err(), ResponseError::Many);
        }
    }
}
