//! What a handler sees of a request, without a wire.

use futures_util::stream;
use outboard_proto::plugin::v1::{Header, Match, Variable};

use super::*;
use crate::body::BodyError;

fn head(request: v1::Request, body: Body) -> Arc<Head> {
    let variables = vec![Variable { name: "name".to_owned(), value: Bytes::from_static(b"\xff") }];
    let matches = vec![Match { endpoint_id: 1, variables }, Match::default()];
    Arc::new(Head::new(request, matches, body).unwrap())
}

fn get(query: Option<&'static str>) -> v1::Request {
    let query = query.map(|query| Bytes::from_static(query.as_bytes()));
    v1::Request { method: "GET".to_owned(), query, ..v1::Request::default() }
}

fn step(head: &Arc<Head>, step: usize) -> Request {
    Request::new(Arc::clone(head), step, Bytes::new(), None)
}

fn request(query: Option<&'static str>) -> Request {
    step(&head(get(query), Body::empty()), 0)
}

fn with_body(body: Body) -> [Request; 2] {
    let head = head(get(None), body);
    [step(&head, 0), step(&head, 1)]
}

/// The same body as it comes in a small request, and as it comes in a large one.
fn bodies() -> [Body; 2] {
    let pieces = [Ok::<_, BodyError>("{\"a\""), Ok(""), Ok(": 1}")];
    [Body::from("{\"a\": 1}"), Body::stream(stream::iter(pieces))]
}

#[test]
fn a_query_keeps_repeated_names_and_empty_values() {
    let request = request(Some("a=1&b&a=2+%C3%BC&&c=x=y&bad=%ff"));
    let pairs: Vec<(String, String)> =
        request.query().map(|(name, value)| (name.into(), value.into())).collect();
    let expected = [("a", "1"), ("b", ""), ("a", "2 ü"), ("c", "x=y"), ("bad", "\u{fffd}")];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(request.query_value("b").as_deref(), Some(""));
    assert_eq!(request.query_value("nope"), None);
}

#[test]
fn no_query_is_not_an_empty_one() {
    assert_eq!(request(None).raw_query(), None);
    assert_eq!(request(Some("")).raw_query(), Some(&b""[..]));
    assert_eq!(request(Some("")).query().count(), 0);
}

#[test]
fn a_variable_that_is_no_text_is_the_clients_fault_and_a_missing_one_is_ours() {
    let request = request(None);
    assert_eq!(request.variable("name").unwrap_err().status(), StatusCode::BAD_REQUEST);
    let missing = request.variable("nmae").unwrap_err();
    assert_eq!(missing.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn a_header_is_found_with_the_map_and_without() {
    let field = |name: &str, value: &'static [u8]| Header {
        name: name.to_owned(),
        value: Bytes::from_static(value),
    };
    let headers = vec![field("x-a", b"1"), field("x-a", b"2"), field("x-b", b"\xe9")];
    let request = step(&head(v1::Request { headers, ..get(None) }, Body::empty()), 0);
    assert_eq!(request.header("X-A"), Some("1"));
    assert_eq!((request.header("x-b"), request.header("x-c")), (None, None));
    assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
    assert_eq!(request.headers()["x-b"].as_bytes(), b"\xe9");
}

#[tokio::test]
async fn a_body_that_was_read_whole_stays_for_everybody() {
    for body in bodies() {
        let [first, second] = with_body(body);
        assert_eq!(first.json::<serde_json::Value>().await.unwrap()["a"], 1);
        assert_eq!(first.text().await.unwrap(), "{\"a\": 1}");
        drop(first);
        assert_eq!(second.bytes().await.unwrap(), "{\"a\": 1}");
        assert_eq!(second.take_body().bytes_up_to(8).await.unwrap(), "{\"a\": 1}");
        assert_eq!(second.bytes_up_to(8).await.unwrap().len(), 8);
    }
}

#[tokio::test]
async fn a_body_that_was_taken_is_gone_for_everybody_else() {
    for body in bodies() {
        let [first, second] = with_body(body);
        let mut taken = first.take_body();
        assert!(second.take_body().next().await.unwrap().unwrap_err().is_taken());
        let failure = second.bytes().await.unwrap_err();
        assert_eq!(failure.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(failure.message().contains("taken"), "{failure}");
        assert!(taken.next().await.unwrap().unwrap().starts_with(b"{\"a\""));
    }
}

#[tokio::test]
async fn an_empty_body_can_be_taken_by_everybody() {
    let [first, second] = with_body(Body::empty());
    for request in [first, second] {
        assert!(request.take_body().next().await.is_none());
        assert_eq!(request.bytes().await.unwrap(), "");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_413_and_never_half_a_body() {
    for body in bodies() {
        let [request, _] = with_body(body);
        let failure = request.bytes_up_to(7).await.unwrap_err();
        assert_eq!(failure.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(request.bytes().await.is_err());
    }
}

#[tokio::test]
async fn a_body_that_was_read_in_part_to_be_had_whole_can_not_be_taken() {
    let (mut writer, body) = Body::channel();
    let [request, _] = with_body(body);
    writer.send("half").await.unwrap();
    assert!(futures_util::poll!(Box::pin(request.bytes())).is_pending());
    assert!(request.take_body().next().await.unwrap().is_err(), "half of it can't be given");
}

#[tokio::test]
async fn a_reader_that_is_dropped_loses_nothing() {
    let (mut writer, body) = Body::channel();
    let [request, other] = with_body(body);
    writer.send("one, ").await.unwrap();
    assert!(futures_util::poll!(Box::pin(request.bytes())).is_pending());
    writer.send("two").await.unwrap();
    let (ended, read) = futures_util::join!(writer.end(), other.bytes());
    ended.unwrap();
    assert_eq!(read.unwrap(), "one, two");
}
