//! Server-sent events: a response that tells a browser what happens, as it happens.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use futures_util::{StreamExt as _, stream};
//! use outboard_sdk::{Response, sse};
//!
//! let events = stream::iter(1..=3).map(|number| {
//!     Ok::<_, Infallible>(sse::Event::data(format!("number {number}")).id(number))
//! });
//! let response = Response::sse(events);
//! ```
//!
//! A browser that loses the connection asks again, and names the last id that it has seen in the field
//! `last-event-id`.

use std::fmt::{Display, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use tokio::time::{Instant, Sleep, sleep};

use crate::body::{Body, BoxError};
use crate::outcome::{IntoOutcome, Outcome};
use crate::response::Response;

/// Below the idle time of the host, and of most proxies on the way.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a client ignores.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event(String);

impl Event {
    /// An event with that text, of any number of lines.
    pub fn data(text: impl AsRef<str>) -> Self {
        let mut event = Self(String::new());
        let text = text.as_ref().replace("\r\n", "\n");
        text.split(['\n', '\r']).for_each(|line| event.field("data", &line));
        event
    }

    /// An event with a value as JSON.
    ///
    /// # Errors
    ///
    /// If `value` can't be written as JSON (a map whose keys are no strings).
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::data)
    }

    /// The same under a name, for `addEventListener`. Default: `message`. No line breaks.
    #[must_use]
    pub fn name(mut self, name: impl Display) -> Self {
        self.field("event", &name);
        self
    }

    /// The same with an id; see [`sse`](self). No line breaks.
    #[must_use]
    pub fn id(mut self, id: impl Display) -> Self {
        self.field("id", &id);
        self
    }

    /// Also tells the client how long to wait before it connects again. Default: its own, some seconds.
    #[must_use]
    pub fn retry(mut self, wait: Duration) -> Self {
        self.field("retry", &wait.as_millis());
        self
    }

    /// A line break in a value would begin another field, so there it becomes a space.
    fn field(&mut self, name: &str, value: &dyn Display) {
        let start = self.0.len();
        // Writing to a string can't fail, and a `Display` that does has written what it could.
        let _ = write!(self.0, "{name}: {value}");
        if self.0[start..].contains(['\n', '\r', '\0']) {
            let clean = self.0[start..].replace(['\n', '\r', '\0'], " ");
            self.0.replace_range(start.., &clean);
        }
        self.0.push('\n');
    }

    fn into_bytes(mut self) -> Bytes {
        self.0.push('\n');
        self.0.into()
    }
}

/// A response of events. While none comes, a comment keeps the connection alive.
#[must_use = "it is an answer"]
pub struct Events<S> {
    events: S,
    keep_alive: Duration,
}

impl<S, E> Events<S>
where
    S: Stream<Item = Result<Event, E>> + Send + 'static,
    E: Into<BoxError>,
{
    /// Sends these events. The stream is dropped when the client is gone; an error cuts the response off,
    /// and then the client connects again.
    pub fn new(events: S) -> Self {
        Self { events, keep_alive: KEEP_ALIVE }
    }

    /// How long nothing may be sent before a comment is. Default: 15 s.
    pub fn keep_alive(mut self, every: Duration) -> Self {
        self.keep_alive = every;
        self
    }
}

impl<S, E> From<Events<S>> for Response
where
    S: Stream<Item = Result<Event, E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn from(Events { events, keep_alive }: Events<S>) -> Self {
        let pieces = KeptAlive { events: Box::pin(events), timer: None, keep_alive };
        Self::new()
            .header(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))
            .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .with_body(Body::stream(pieces))
    }
}

impl<S, E> IntoOutcome for Events<S>
where
    S: Stream<Item = Result<Event, E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn into_outcome(self) -> Outcome {
        Response::from(self).into_outcome()
    }
}

struct KeptAlive<S> {
    events: Pin<Box<S>>,
    /// Made when there is something to wait for.
    timer: Option<Pin<Box<Sleep>>>,
    keep_alive: Duration,
}

impl<S> KeptAlive<S> {
    fn timer(&mut self) -> &mut Pin<Box<Sleep>> {
        self.timer.get_or_insert_with(|| Box::pin(sleep(self.keep_alive)))
    }
}

impl<S, E> Stream for KeptAlive<S>
where
    S: Stream<Item = Result<Event, E>>,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = match self.events.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(event))) => event.into_bytes(),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                ready!(self.timer().as_mut().poll(cx));
                COMMENT
            }
        };
        let next = Instant::now() + self.keep_alive;
        if let Some(timer) = &mut self.timer {
            timer.as_mut().reset(next);
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    #[test]
    fn an_event_is_written_as_browsers_read_it() {
        let event = Event::data("one\r\ntwo\rthree\n").name("tick").id(7);
        let event = event.retry(Duration::from_secs(2));
        let expected =
            "data: one\ndata: two\ndata: three\ndata: \nevent: tick\nid: 7\nretry: 2000\n\n";
        assert_eq!(event.into_bytes(), expected);
        assert_eq!(Event::json(&["a\nb"]).unwrap().into_bytes(), "data: [\"a\\nb\"]\n\n");
        let forged = Event::data("").name("a\ndata: b");
        assert_eq!(forged.into_bytes(), "data: \nevent: a data: b\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn comments_keep_a_connection_alive_on_which_nothing_happens() {
        let start = Instant::now();
        let events = stream::once(async {
            tokio::time::sleep(Duration::from_secs(40)).await;
            Ok::<_, Infallible>(Event::data("late"))
        });
        let mut body = Response::sse(events).into_body();
        let mut seen = Vec::new();
        while let Some(piece) = body.next().await {
            seen.push((start.elapsed().as_secs(), piece.unwrap()));
        }
        assert_eq!(seen, [(15, COMMENT), (30, COMMENT), (40, "data: late\n\n".into())]);
    }
}
