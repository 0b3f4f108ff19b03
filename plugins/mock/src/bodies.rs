//! Bodies in pieces, either way: none of these holds a whole body in memory.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use outboard_sdk::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE, TRAILER,
};
use outboard_sdk::{Bytes, Failure, HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::Instance;
use crate::handlers::number;

/// Byte i of every download is i modulo this, so that a piece that is missing or doubled shows.
const PERIOD: u8 = 251;
const PIECE_BYTES: usize = 64 * 1024;

/// `* mirror?trailers=`: sends the body back as it arrives, and the trailers after it. HTTP/1.1 passes only
/// trailers that were announced: by names in the query, as the client's own announcement ends at the host.
pub(crate) async fn mirror(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let mut response = Response::new().with_body(request.take_body());
    if let Some(kind) = request.headers().get(CONTENT_TYPE) {
        response = response.header(CONTENT_TYPE, kind.clone());
    }
    if let Some(names) = request.query_value("trailers") {
        response = response.header(TRAILER, HeaderValue::from_str(&names)?);
    }
    Ok(response)
}

/// `GET download?bytes=&chunked=`: that many bytes, or one range of them. Their number is said before,
/// unless `chunked` is 1.
pub(crate) async fn download(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let total = number(&request, "bytes", 1024 * 1024)?;
    let is_chunked = number(&request, "chunked", 0)? == 1;
    let asked = request.headers().get(RANGE).and_then(|range| parse(range.to_str().ok()?, total));
    let whole = 0..total;
    let range = match &asked {
        Some(range) if range.is_empty() => return unsatisfiable(total),
        Some(range) => range.clone(),
        None => whole,
    };
    let length = range.end - range.start;
    let mut response = Response::stream(pattern(range.clone()).map(Ok::<_, Infallible>))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
        .header(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if asked.is_some() {
        let part = format!("bytes {}-{}/{total}", range.start, range.end - 1);
        response =
            response.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, part.try_into()?);
    }
    if !is_chunked {
        response = response.header(CONTENT_LENGTH, length.into());
    }
    Ok(response)
}

/// One range of bytes (RFC 9110 section 14.1.2), empty if it lies behind the end. What is no such range is
/// ignored, as that RFC has it.
fn parse(field: &str, total: u64) -> Option<Range<u64>> {
    let (first, last) = field.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let length: u64 = last.parse().ok()?;
        return Some(total.saturating_sub(length)..total);
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    (first <= last).then(|| first.min(total)..last.saturating_add(1).min(total))
}

fn unsatisfiable(total: u64) -> Result<Response, Failure> {
    let range = format!("bytes */{total}").try_into()?;
    Ok(Response::new().status(StatusCode::RANGE_NOT_SATISFIABLE).header(CONTENT_RANGE, range))
}

/// The bytes of that range, in pieces that share one allocation.
fn pattern(range: Range<u64>) -> impl Stream<Item = Bytes> + Send + 'static {
    let text: Bytes = (0..PERIOD).cycle().take(PIECE_BYTES + usize::from(PERIOD)).collect();
    let end = range.end;
    stream::iter(range.step_by(PIECE_BYTES)).map(move |at| {
        let from = usize::try_from(at % u64::from(PERIOD)).unwrap_or_default();
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
        text.slice(from..from + length)
    })
}

/// `PUT upload`, `POST upload`: how much that was, and its SHA-256.
pub(crate) async fn upload(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let (mut body, mut hash, mut bytes) = (request.take_body(), Sha256::new(), 0);
    while let Some(piece) = body.next().await {
        let piece = piece?;
        hash.update(&piece);
        bytes += piece.len();
    }
    Ok(Response::json(&json!({ "bytes": bytes, "sha256": hex(&hash.finalize()) })))
}

/// `GET trailers`: a body, and its SHA-256 after it.
pub(crate) async fn trailers(_: Arc<Instance>, _: Request) -> Result<Response, Failure> {
    const BODY: &str = "body\n";
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", hex(&Sha256::digest(BODY)).try_into()?);
    Ok(Response::text(BODY).with_trailers(trailers))
}

/// `GET break?after=`: that many bytes, and a moment later an error: the body is cut off.
pub(crate) async fn broken(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let pieces = pattern(0..number(&request, "after", 1024)?).map(Ok);
    let error = stream::once(async {
        // Else the bytes and the error may reach the host together, and the client sees none of them.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err("broken off, as asked")
    });
    Ok(Response::stream(pieces.chain(error)))
}

/// `GET stall?after=`: that many bytes, and then nothing, not even the end.
pub(crate) async fn stall(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let pieces = pattern(0..number(&request, "after", 1024)?).map(Ok::<_, Infallible>);
    Ok(Response::stream(pieces.chain(stream::pending())))
}

/// `POST early`: answers without a look at the body.
pub(crate) async fn early(_: Arc<Instance>, _: Request) -> Response {
    Response::text("not from you\n").status(StatusCode::FORBIDDEN)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_rfc_has_it() {
        for (field, range) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-5", Some(2..6)),
            ("bytes=7-", Some(7..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-30", Some(0..10)),
            ("bytes=5-99", Some(5..10)),
            ("bytes=10-", Some(10..10)),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(parse(field, 10), range, "{field}");
        }
    }

    #[tokio::test]
    async fn every_byte_of_a_download_says_where_it_stands() {
        let (start, end) = (250, 3 * PIECE_BYTES as u64 + 7);
        let pieces: Vec<Bytes> = pattern(start..end).collect().await;
        assert_eq!(pieces.len(), 3);
        let expected = (start..end).map(|byte| (byte % u64::from(PERIOD)).to_le_bytes()[0]);
        assert!(pieces.concat().into_iter().eq(expected));
    }
}
