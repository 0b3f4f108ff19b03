//! Answers of the host's own that are no refusals.

use http::header::{ALLOW, CONTENT_LENGTH, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Body as _;
use outboard_core::route::Method;
use outboard_core::route::hygiene;

use super::body::Body;

pub(super) type Reply = Response<Body>;

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
}
