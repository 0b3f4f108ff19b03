//! One connection of a worker to a process, and the stream on it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use outboard_proto::frame::{Limits, OpenError, Role, Settings};
use outboard_proto::plugin::v1::http_client::HttpClient;
use outboard_proto::plugin::v1::{Frames, RequestFrame};
use outboard_proto::transport::mux::{Ended, Exchange, Mux, Outgoing};
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use super::Unreachable;
use crate::task;

/// Largest message that is taken from a plugin, which is what any gRPC implementation takes.
const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// How long a plugin may take to end a stream on which nothing more will come.
const LINGER: Duration = Duration::from_secs(5);

/// A connection that a worker has opened.
#[derive(Debug)]
pub(super) struct Link {
    client: HttpClient<Channel>,
    /// The stream, on the framed path.
    mux: Option<Mux>,
}

impl Link {
    pub(super) fn plain(channel: Channel) -> Self {
        Self { client: client(channel), mux: None }
    }

    /// Begins a stream, and waits for the plugin's Hello. The stream ends by itself, after its last request once
    /// either side has said that it goes away, and at once when `gone` is cancelled.
    pub(super) async fn framed(
        plugin: Arc<str>,
        channel: Channel,
        gone: CancellationToken,
        hello_limit: Duration,
    ) -> Result<Self, Unreachable> {
        let mut client = client(channel);
        let (mux, outgoing) = Mux::new(Role::Host, Settings::default(), Limits::default());
        let written = CancellationToken::new();
        let outgoing = Written { outgoing, over: Some(written.clone().drop_guard()) };
        let late = |_| Unreachable("no Hello in time on Http.Serve; send it at once".into());
        let greeting = async {
            // A plugin's headers come at the latest with its Hello.
            let inbound = client
                .serve(outgoing)
                .await
                .map_err(|status| Unreachable(describe(status.code(), status.message()).into()))?;
            let reading = read(mux.clone(), inbound.into_inner(), written, gone);
            let reading = async move { report(&plugin, reading.await) };
            task::spawn("stream to a plugin", reading).detach();
            match mux.ready().await {
                // One that goes away at once has said Hello as well; there will be another one.
                Ok(()) | Err(OpenError::GoingAway) => Ok(()),
                Err(error) => Err(Unreachable(format!("no Hello: {error}").into())),
            }
        };
        let greeted = tokio::time::timeout(hello_limit, greeting).await.map_err(late);
        if let Err(unreachable) = greeted.and_then(|greeted| greeted) {
            mux.end();
            return Err(unreachable);
        }
        Ok(Self { client, mux: Some(mux) })
    }

    pub(super) fn client(&self) -> HttpClient<Channel> {
        self.client.clone()
    }

    /// Opens a request, or gives it back.
    pub(super) fn open(
        &self,
        request: Box<RequestFrame>,
    ) -> Result<Exchange, (OpenError, Box<RequestFrame>)> {
        match &self.mux {
            Some(mux) => mux.open(request),
            None => Err((OpenError::Ended, request)),
        }
    }

    /// Waits until a request may be opened, or never can be again.
    pub(super) async fn room(&self) {
        if let Some(mux) = &self.mux {
            mux.room().await;
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        self.mux.as_ref().is_none_or(Mux::is_usable)
    }

    pub(super) fn open_requests(&self) -> usize {
        self.mux.as_ref().map_or(0, Mux::open_requests)
    }
}

fn client(channel: Channel) -> HttpClient<Channel> {
    HttpClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// Reads until there is nothing more to read for: `written` is cancelled when the host has written its last.
async fn read(
    mux: Mux,
    inbound: Streaming<Frames>,
    written: CancellationToken,
    gone: CancellationToken,
) -> Option<Ended> {
    let linger = async {
        written.cancelled().await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        ended = mux.read(inbound, |_, _| {}) => Some(ended),
        () = gone.cancelled() => None,
        () = linger => None,
    }
}

fn report(plugin: &str, ended: Option<Ended>) {
    match ended {
        Some(Ended::Broken(error)) => {
            tracing::warn!(plugin, %error, "broke the rules of Http.Serve; its stream was ended");
        }
        Some(Ended::Lost(status)) if status.code() == Code::InvalidArgument => {
            let message = status.message();
            tracing::warn!(plugin, message, "did not understand its host and ended its stream");
        }
        Some(ended) => tracing::debug!(plugin, %ended, "a stream ended"),
        None => {}
    }
}

fn describe(code: Code, message: &str) -> String {
    match code {
        Code::Unimplemented => {
            "Load lists CAPABILITY_HTTP_SERVE, but Http.Serve is not implemented; leave one out or add the other"
                .to_owned()
        }
        code => format!("Http.Serve: {code:?}: {message}"),
    }
}

/// What the host writes, and a sign when it has written all of it.
struct Written {
    outgoing: Outgoing,
    over: Option<DropGuard>,
}

impl Stream for Written {
    type Item = Frames;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frames>> {
        let polled = Pin::new(&mut self.outgoing).poll_next(cx);
        if matches!(polled, Poll::Ready(None)) {
            self.over = None;
        }
        polled
    }
}
