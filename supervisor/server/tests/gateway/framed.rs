//! What the framed path has beyond the plain one.

mod bodies;
mod endings;
mod handles;
mod heads;
mod rules;
mod streams;
mod times;
mod upgrades;

use std::time::Duration;

use bytes::Bytes;
use outboard_proto::plugin::v1::{Header, Outcome, Response, ResponseFrame};

const GET: &str = "GET /api/shop/x HTTP/1.1\r\nhost: a\r\n\r\n";
/// Nothing in these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what comes soon.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes about in time")
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: Bytes::copy_from_slice(value.as_bytes()) }
}

/// The beginning of a response.
fn begin(status: u32, headers: &[(&str, &str)]) -> ResponseFrame {
    let headers = headers.iter().map(|(name, value)| header(name, value)).collect();
    ResponseFrame { response: Some(Response { status, headers }), ..ResponseFrame::default() }
}

/// A response that is whole.
fn whole(status: u32, headers: &[(&str, &str)], body: &'static str) -> ResponseFrame {
    ResponseFrame { data: body.into(), end: true, ..begin(status, headers) }
}

fn outcome(outcome: Outcome, frame: ResponseFrame) -> ResponseFrame {
    ResponseFrame { outcome: outcome.into(), ..frame }
}
