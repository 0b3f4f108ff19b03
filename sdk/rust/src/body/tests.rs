//! Bodies of all kinds, and what their readers see.

use std::io;

use futures_util::stream;
use http::HeaderValue;
use http_body_util::BodyExt as _;
use tokio::io::AsyncBufReadExt as _;

use super::*;

fn trailers(name: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static("1"))])
}

fn pieces() -> Body {
    Body::stream(stream::iter([Ok::<_, io::Error>("one\n"), Ok(""), Ok("two\n")]))
}

async fn next(body: &mut Body) -> Option<Bytes> {
    body.next().await.transpose().unwrap()
}

#[tokio::test]
async fn pieces_come_as_they_are_and_never_empty() {
    let mut body = pieces();
    assert_eq!(next(&mut body).await.unwrap(), "one\n");
    assert_eq!(next(&mut body).await.unwrap(), "two\n");
    assert!(next(&mut body).await.is_none());
    assert!(next(&mut body).await.is_none());
}

#[tokio::test]
async fn a_body_is_a_reader_and_a_reader_a_body() {
    let body = Body::reader(Body::reader(pieces().into_reader()).into_reader());
    let mut lines = body.into_reader().lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "one");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "two");
    assert_eq!(lines.next_line().await.unwrap(), None);
}

#[tokio::test]
async fn trailers_are_known_at_the_end_and_pass_through_other_bodies() {
    let (mut writer, body) = Body::channel();
    let mut body = Body::wrap(body).with_trailers(trailers("x-a"));
    writer.send("data").await.unwrap();
    let (data, ended) = futures_util::join!(next(&mut body), writer.end_with(trailers("x-b")));
    assert_eq!((data.unwrap(), ended), ("data".into(), Ok(())));
    assert!(!body.is_end_stream());
    assert!(next(&mut body).await.is_none());
    let names: Vec<&str> = body.trailers().unwrap().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-a", "x-b"]);
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap().len(), 2);
    assert!(body.frame().await.is_none());
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn a_writer_waits_for_its_reader() {
    let (mut writer, mut body) = Body::channel();
    writer.send("one").await.unwrap();
    assert!(futures_util::poll!(Box::pin(writer.send("two"))).is_pending());
    assert_eq!(next(&mut body).await.unwrap(), "one");
    assert!(futures_util::poll!(Box::pin(writer.send("two"))).is_ready());
    drop(body);
    assert_eq!(writer.send("three").await, Err(Gone));
    writer.gone().await;
}

#[tokio::test]
async fn a_body_whose_writer_fails_or_vanishes_is_not_complete() {
    for fails in [true, false] {
        let (mut writer, mut body) = Body::channel();
        writer.send("half").await.unwrap();
        let ended = async { if fails { writer.fail("no more").await } else { drop(writer) } };
        let read = async {
            assert_eq!(next(&mut body).await.unwrap(), "half");
            body.next().await.unwrap().unwrap_err().to_string()
        };
        let (error, ()) = futures_util::join!(read, ended);
        assert_eq!(error.contains("no more"), fails, "{error}");
        assert!(body.next().await.is_none(), "nothing follows an error");
    }
}

#[tokio::test]
async fn an_error_keeps_its_kind_on_its_way_through_bodies() {
    let error = Body::wrap(Body::stream(Body::taken())).bytes_up_to(1).await.unwrap_err();
    assert!(error.is_taken(), "{error:?}");
    let error = io::Error::from(BodyError::cut_off("client gone"));
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn two_handles_of_a_body_in_pieces_read_it_once_and_of_a_whole_one_twice() {
    let mut first = pieces();
    let (mut second, mut third) = (first.share(), first.share());
    assert_eq!(next(&mut second).await.unwrap(), "one\n");
    assert_eq!(next(&mut first).await.unwrap(), "two\n");
    assert!(next(&mut third).await.is_none());

    let mut first = Body::from("whole");
    let second = first.share();
    assert_eq!(next(&mut first).await.unwrap(), "whole");
    assert_eq!(second.bytes_up_to(5).await.unwrap(), "whole");
}
