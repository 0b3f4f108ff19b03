//! An HTTP server for tests: it keeps what it is sent, and answers as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

/// What came.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Such as `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// All of them.
    pub headers: HeaderMap,
    /// The whole of it.
    pub body: Bytes,
}

/// What to answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Status, fields, body.
    Say(u16, Vec<(&'static str, String)>, String),
    /// Nothing, ever.
    Hang,
    /// Nothing, and the connection is closed.
    Close,
}

/// An answer of that status with that body.
pub fn say(status: u16, body: impl Into<String>) -> Reply {
    Reply::Say(status, Vec::new(), body.into())
}

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    replies: VecDeque<Reply>,
}

impl Server {
    /// Answers with these, in their order, and then with `200 ok`.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port of this host");
        let address = listener.local_addr().expect("it is bound");
        let state = State { sent: Vec::new(), replies: replies.into_iter().collect() };
        let state = Arc::new(Mutex::new(state));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, accepting }
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// What came, in its order.
    pub fn sent(&self) -> Vec<Sent> {
        locked(&self.state).sent.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((connection, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| reply(request, Arc::clone(&state)));
        let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
        tokio::spawn(serving);
    }
}

async fn reply(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, String> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let path = head.uri.path_and_query().map_or(String::new(), ToString::to_string);
    let sent = Sent { method: head.method.to_string(), path, headers: head.headers, body };
    let reply = {
        let mut state = locked(&state);
        state.sent.push(sent);
        state.replies.pop_front().unwrap_or_else(|| say(200, "ok"))
    };
    match reply {
        Reply::Say(status, fields, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(name, value);
            }
            response.body(Full::from(body)).map_err(|error| error.to_string())
        }
        Reply::Hang => Ok(pending::<Result<_, Infallible>>().await.unwrap_or_default()),
        // hyper drops the connection of a service that fails.
        Reply::Close => Err("closing, as asked".to_owned()),
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
