//! What is done with a request, by the last segment of its path.

use std::time::Duration;

use outboard_proto::plugin::v1::{
    Credit, Data, Frame, Frames, GoAway, Header, Hello, Informational, RequestFrame, Reset,
    ResetCode, Response, ResponseFrame, Trailers, frame::Kind,
};
use prost::{Message as _, bytes::Bytes};
use tonic::Status;

use crate::stream::{Out, frame};

const BODY: &[u8] = b"good\n";
/// The most that this plugin may send in one frame, as long as the host's Hello says what ours does.
const PIECE: usize = 16 * 1024;

/// Answers as it should be.
pub(crate) async fn answer(out: &Out, id: u64) {
    out.frame(id, Kind::Response(whole(200, &[], BODY).into())).await;
}

/// A response in one frame.
fn whole(status: u32, headers: &[(&str, &str)], body: &'static [u8]) -> ResponseFrame {
    ResponseFrame { data: Bytes::from_static(body), end: true, ..head(status, headers) }
}

/// The head of one that goes on.
fn head(status: u32, headers: &[(&str, &str)]) -> ResponseFrame {
    ResponseFrame {
        response: Some(Response { status, headers: fields(headers) }),
        ..ResponseFrame::default()
    }
}

fn fields(fields: &[(&str, &str)]) -> Vec<Header> {
    let field = |(name, value): &(&str, &str)| Header {
        name: (*name).to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    fields.iter().map(field).collect()
}

fn data(bytes: usize, end: bool) -> Kind {
    Kind::Data(Data { data: vec![b'x'; bytes].into(), end })
}

fn informational(status: u32) -> Kind {
    Kind::Informational(Informational { status, headers: fields(&[("link", "</a>")]) })
}

fn reset(code: ResetCode) -> Kind {
    Kind::Reset(Reset { code: code.into(), message: "as asked".to_owned() })
}

/// Does what the path says. Every one of them ends, at the latest with its stream.
pub(crate) async fn run(out: Out, id: u64, request: RequestFrame) {
    let path = request.request.map(|request| request.path).unwrap_or_default();
    let path = String::from_utf8_lossy(&path).into_owned();
    let what = path.rsplit('/').next().unwrap_or_default();
    for kind in frames(what) {
        out.frame(id, kind).await;
    }
    match what {
        "good" => answer(&out, id).await,
        "slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            answer(&out, id).await;
        }
        _ => on_the_stream(what, &out, id).await,
    }
}

/// Misdeeds that are frames of the request itself, one after the other.
fn frames(what: &str) -> Vec<Kind> {
    let respond = |frame: ResponseFrame| Kind::Response(frame.into());
    let begin = || respond(head(200, &[]));
    let good = || respond(whole(200, &[], BODY));
    let with = |name: &str, value: &str| vec![respond(whole(200, &[(name, value)], BODY))];
    match what {
        // The state table.
        "twice" => vec![good(), good()],
        "twice-begun" => vec![begin(), begin()],
        "after-the-end" => vec![good(), data(100, false), data(100, true), informational(103)],
        "data-first" => vec![data(100, true)],
        "trailers-first" => vec![Kind::Trailers(Trailers::default())],
        "informational-after" => vec![begin(), informational(103)],
        "request" => vec![Kind::Request(Box::default())],
        "never-ends" => vec![begin(), data(100, false)],
        // Credit.
        "too-much-credit" => vec![Kind::Credit(Credit { bytes: u32::MAX }); 2],
        // Lengths.
        "early-end" => vec![respond(head(200, &[("content-length", "100")])), data(10, true)],
        "late-end" => vec![respond(head(200, &[("content-length", "10")])), data(100, true)],
        "wrong-length" => vec![respond(whole(200, &[("content-length", "100")], BODY))],
        "no-length" => vec![respond(whole(200, &[("content-length", "five")], BODY))],
        "two-lengths" => {
            let lengths = [("content-length", "5"), ("content-length", "6")];
            vec![respond(whole(200, &lengths, BODY))]
        }
        // Statuses.
        "status-99" => vec![respond(whole(99, &[], BODY))],
        "status-100" => vec![respond(whole(100, &[], BODY))],
        "status-101" => vec![respond(head(101, &[("upgrade", "websocket")]))],
        "status-600" => vec![respond(whole(600, &[], BODY))],
        "status-max" => vec![respond(whole(u32::MAX, &[], BODY))],
        "status-0" => vec![respond(whole(0, &[], BODY))],
        "no-head" => vec![respond(ResponseFrame { response: None, ..whole(200, &[], BODY) })],
        "outcome" => vec![respond(ResponseFrame { outcome: 77, ..whole(200, &[], BODY) })],
        // Fields.
        "connection" => with("connection", "close"),
        "transfer-encoding" => with("transfer-encoding", "chunked"),
        "line-feed" => with("x", "a\nset-cookie: b=c"),
        "carriage-return" => with("x", "a\r\n\r\n<html>"),
        "zero" => with("x", "a\0b"),
        "no-token" => with("x y", "a"),
        "no-name" => with("", "a"),
        "pseudo" => with(":status", "500"),
        "many" => vec![respond(whole(200, &vec![("x", "y"); 1001], BODY))],
        // Interim responses and trailers.
        "informational-flood" => {
            let mut flood = vec![informational(103); 101];
            flood.push(good());
            flood
        }
        "informational-101" => vec![informational(101), good()],
        "informational-200" => vec![informational(200), good()],
        "informational-line-feed" => {
            let headers = fields(&[("link", "a\r\n\r\nHTTP/1.1 200 OK")]);
            vec![Kind::Informational(Informational { status: 103, headers }), good()]
        }
        "trailers" => {
            let trailers = [
                ("content-length", "7"),
                ("transfer-encoding", "chunked"),
                ("set-cookie", "a=b"),
                ("x\r\ny", "a"),
                ("x", "a\r\nb"),
            ];
            vec![begin(), data(100, false), Kind::Trailers(Trailers { headers: fields(&trailers) })]
        }
        // Resets.
        "reset" => vec![reset(ResetCode::Internal)],
        "reset-cancelled" => vec![reset(ResetCode::Cancelled)],
        "reset-refused" => vec![reset(ResetCode::Refused)],
        "reset-begun" => vec![begin(), data(100, false), reset(ResetCode::Internal)],
        "refused-begun" => vec![begin(), data(100, false), reset(ResetCode::Refused)],
        "reset-after" => vec![good(), reset(ResetCode::Internal)],
        _ => Vec::new(),
    }
}

/// Misdeeds that concern others, too, or that are more than a few frames.
async fn on_the_stream(what: &str, out: &Out, id: u64) {
    match what {
        "of-another" => out.frame(id + 1000, Kind::Response(whole(200, &[], BODY).into())).await,
        "of-an-earlier" => {
            for earlier in (1..id).rev().take(50) {
                let late = [
                    Kind::Response(whole(200, &[], BODY).into()),
                    data(100, true),
                    reset(ResetCode::Internal),
                ];
                out.frames(late.into_iter().map(|kind| frame(earlier, kind)).collect()).await;
            }
            answer(out, id).await;
        }
        "of-the-stream" => out.frame(0, data(100, true)).await,
        "hello" => out.frame(0, Kind::Hello(Hello { version: 1, ..Hello::default() })).await,
        "hello-of-a-request" => {
            out.frame(id, Kind::Hello(Hello { version: 1, ..Hello::default() })).await;
        }
        "unknown" => {
            out.frames(vec![Frame { id, kind: None }; 1000]).await;
            answer(out, id).await;
        }
        "beyond-credit" | "flood" => {
            // A message of a MiB at a time, whatever the other side gives; the second never stops.
            out.frame(id, Kind::Response(head(200, &[]).into())).await;
            for _ in 0..if what == "flood" { 4096 } else { 16 } {
                let pieces = vec![frame(id, data(PIECE, false)); 64];
                out.frames(pieces).await;
                if out.is_closed() {
                    return;
                }
            }
        }
        "large-data" => {
            out.frame(id, Kind::Response(head(200, &[]).into())).await;
            out.frame(id, data(2 * 1024 * 1024, true)).await;
        }
        "large-message" => out.frames(vec![frame(id, data(5 * 1024 * 1024, true))]).await,
        "many-frames" => {
            // Each is skipped, but all are read.
            for _ in 0..100 {
                out.frames(vec![Frame { id, kind: None }; 1000]).await;
            }
            answer(out, id).await;
        }
        "credit-flood" => {
            for _ in 0..100 {
                out.frames(vec![frame(id, Kind::Credit(Credit { bytes: 1 })); 1000]).await;
            }
            answer(out, id).await;
        }
        "garbage" => out.bytes(vec![0xff; 100]).await,
        "half-a-message" => {
            let whole = Frames { frames: vec![frame(id, data(100, true))] }.encode_to_vec();
            out.bytes(whole[..50].to_vec()).await;
        }
        "empty-messages" => {
            for _ in 0..1000 {
                out.bytes(Vec::new()).await;
            }
            answer(out, id).await;
        }
        "leave" => {
            out.frame(0, Kind::GoAway(GoAway { last_id: id, message: "x".repeat(100_000) })).await;
            answer(out, id).await;
        }
        "leave-behind" => out.frame(0, Kind::GoAway(GoAway::default())).await,
        "fail" => out.fail(Status::internal("as asked")).await,
        "end" => out.fail(Status::ok("")).await,
        "crash" => std::process::abort(),
        _ => {}
    }
}
