//! What a plugin's response must be like, to be sent to a client.

use http::header::{
    CONNECTION, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, TRAILER,
    UPGRADE,
};
use http::{Response, StatusCode};
use outboard_core::route::hygiene::{self, Outgoing, ResponseError};
use outboard_proto::plugin::v1 as wire;

use super::body::Body;
use super::respond::Reply;

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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::CONTENT_LENGTH;

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
