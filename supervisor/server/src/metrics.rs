//! What was counted, for whoever measures: `GET /metrics` in the text format of Prometheus.
//!
//! It has a socket and a few connections of its own on the managing side, so that it answers while the gateway
//! is busy. Nothing is counted here; a scrape adds up what the gateway's workers have counted.

mod auth;
mod calls;
mod counters;
mod events;
mod page;
mod schemes;
mod text;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::auth::Auth;
use crate::callback::counters::AllCounters;
use crate::callback::counts::CallCounts;
use crate::events::Events;
use crate::gateway;
use crate::gateway::observe::Observer;
use crate::gateway::quota::Quotas;
use crate::identity::Identity;

/// Scrapes at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 16;
/// For one scrape, which has a connection of its own.
const LONGEST: Duration = Duration::from_secs(10);
/// After accepting failed for want of file descriptors or memory, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// All that can be measured.
#[derive(Clone)]
pub struct Metrics {
    observer: Observer,
    quotas: Arc<Quotas>,
    events: Option<Events>,
    auth: Option<Auth>,
    identity: Option<Identity>,
    calls: Option<(CallCounts, AllCounters)>,
}

/// A bound socket on which metrics are not served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

impl Metrics {
    pub fn new(observer: Observer, quotas: Arc<Quotas>) -> Self {
        Self { observer, quotas, events: None, auth: None, identity: None, calls: None }
    }

    /// The same, and what becomes of events.
    #[must_use]
    pub fn with_events(self, events: Events) -> Self {
        Self { events: Some(events), ..self }
    }

    /// The same, and who was let in.
    #[must_use]
    pub fn with_auth(self, auth: Auth) -> Self {
        Self { auth: Some(auth), ..self }
    }

    /// The same, and which schemes are left alone.
    #[must_use]
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// The same, and what plugins have called and counted.
    #[must_use]
    pub fn with_calls(self, calls: CallCounts, counters: AllCounters) -> Self {
        Self { calls: Some((calls, counters)), ..self }
    }

    /// The page as it is now.
    pub async fn page(&self) -> String {
        let mut text = page::page(&self.observer, &self.quotas);
        if let Some(events) = &self.events {
            events::write(&mut text, events).await;
        }
        if let Some(auth) = &self.auth {
            auth::write(&mut text, auth);
        }
        if let Some(identity) = &self.identity {
            schemes::write(&mut text, identity);
        }
        if let Some((calls, counters)) = &self.calls {
            calls::write(&mut text, calls);
            counters::write(&mut text, &counters.all());
        }
        text.finish()
    }

    async fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        if request.uri.path() != "/metrics" {
            *response.status_mut() = StatusCode::NOT_FOUND;
        } else if request.method == Method::GET {
            *response.body_mut() = self.page().await.into();
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
        } else {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}

impl Server {
    /// Takes the address. Needs a tokio runtime to be running.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        bind().map(|listener| Self { listener }).map_err(|error| BindError { address, error })
    }

    /// The address that was taken, with the real port where 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers for ever. Its connections are part of this future, and end with it.
    pub async fn serve(self, metrics: Metrics) {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(_) = connections.next() => {}
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS => {
                    match accepted {
                        Ok((stream, _)) => connections.push(timeout(LONGEST, connection(stream, &metrics))),
                        Err(error) => {
                            tracing::debug!(%error, "metrics.listen cannot accept a connection");
                            sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, metrics: &Metrics) {
    let answer = async |request: Request<Incoming>| {
        let (head, _) = request.into_parts();
        Ok::<_, Infallible>(metrics.answer(&head).await)
    };
    let service = service_fn(answer);
    let served =
        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to metrics.listen ended early");
    }
}

/// The address could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("metrics.listen \"{address}\": {}", gateway::advice(error, address.port()))]
pub struct BindError {
    address: SocketAddr,
    #[source]
    error: io::Error,
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn there_is_one_page_and_one_way_to_get_it() {
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.address().unwrap();
        let error = Server::bind(address).unwrap_err().to_string();
        assert!(error.contains("metrics.listen") && error.contains("in use"), "{error}");
        let metrics = Metrics::new(Observer::default(), Arc::default());
        let asked = async {
            // More than there are places for: each has its own, and gives it back.
            for _ in 0..=CONNECTIONS {
                let page = ask(address, "GET /metrics").await;
                assert!(
                    page.starts_with("HTTP/1.1 200 ") && page.contains("version=0.0.4"),
                    "{page}"
                );
                assert!(page.contains("\noutboard_http_connections 0\n"), "{page}");
            }
            let other = ask(address, "GET /").await;
            assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
            let post = ask(address, "POST /metrics").await;
            assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET"), "{post}");
        };
        tokio::select! {
            () = server.serve(metrics) => {}
            () = asked => {}
        }
    }
}
