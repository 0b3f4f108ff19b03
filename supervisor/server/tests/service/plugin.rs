//! The auth plugin's side: a real gRPC service, as good or bad as a test wants it.

use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use outboard_proto::handshake::Address;
use outboard_proto::plugin::v1::authenticate_response::Result as Said;
use outboard_proto::plugin::v1::authenticator_server::{Authenticator, AuthenticatorServer};
use outboard_proto::plugin::v1::{
    AuthenticateRequest, AuthenticateResponse, AuthorizeRequest, AuthorizeResponse, Refusal,
    RefusalReason, UserDetail,
};
use outboard_proto::transport::{Listener, PeerCheck};
use prost::Message;
use tokio::net::UnixListener;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::fixture::{EMAIL, TOKEN};

type Ready<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Authenticate =
    Arc<dyn Fn(AuthenticateRequest) -> Ready<Result<AuthenticateResponse, Status>> + Send + Sync>;
type Authorize =
    Arc<dyn Fn(AuthorizeRequest) -> Ready<Result<AuthorizeResponse, Status>> + Send + Sync>;

/// How often a plugin was asked.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<[AtomicUsize; 2]>);

impl Asked {
    pub(crate) fn authenticated(&self) -> usize {
        self.0[0].load(Ordering::SeqCst)
    }

    pub(crate) fn authorized(&self) -> usize {
        self.0[1].load(Ordering::SeqCst)
    }
}

/// A plugin process, as far as the host can tell.
pub(crate) struct Plugin {
    way: Way,
    asked: Asked,
}

enum Way {
    Told(Told),
    /// Answers `Authenticate` and `Authorize` so.
    Raw([RawAnswer; 2]),
}

/// A whole message, and then a status, or none.
type RawAnswer = (Bytes, Option<&'static str>);

#[derive(Clone)]
struct Told {
    authenticate: Authenticate,
    authorize: Authorize,
    asked: Asked,
}

impl Plugin {
    /// One that answers with what `authenticate` gives, and leaves groups to the host.
    pub(crate) fn new<F>(
        authenticate: impl Fn(AuthenticateRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<AuthenticateResponse, Status>> + Send + 'static,
    {
        let asked = Asked::default();
        let told = Told {
            authenticate: Arc::new(move |request| Box::pin(authenticate(request))),
            authorize: Arc::new(|_| Box::pin(async { Err(Status::unimplemented("by the host")) })),
            asked: asked.clone(),
        };
        Self { way: Way::Told(told), asked }
    }

    /// One that knows Ada, by her token, and her groups.
    pub(crate) fn knows(groups: &[&str]) -> Self {
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        Self::new(move |request| {
            let groups = groups.clone();
            async move { Ok(look_up(&request, groups)) }
        })
    }

    /// The same that always answers this.
    pub(crate) fn says(response: AuthenticateResponse) -> Self {
        Self::new(move |_| {
            let response = response.clone();
            async move { Ok(response) }
        })
    }

    /// Decides about groups itself.
    pub(crate) fn judging<F>(
        mut self,
        authorize: impl Fn(AuthorizeRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<AuthorizeResponse, Status>> + Send + 'static,
    {
        if let Way::Told(told) = &mut self.way {
            told.authorize = Arc::new(move |request| Box::pin(authorize(request)));
        }
        self
    }

    /// Answers `Authenticate`, and `Authorize` with yes: each with a whole message and then a status, or with none.
    pub(crate) fn raw(
        who: &AuthenticateResponse,
        authenticate: Option<&'static str>,
        authorize: Option<&'static str>,
    ) -> Self {
        let yes = AuthorizeResponse { allowed: true, reason: String::new() };
        let answers = [(framed(who), authenticate), (framed(&yes), authorize)];
        Self { way: Way::Raw(answers), asked: Asked::default() }
    }

    pub(crate) fn asked(&self) -> Asked {
        self.asked.clone()
    }

    /// Answers from now on, below `dir`.
    pub(crate) fn listen(self, dir: &Path) -> Address {
        match self.way {
            Way::Told(told) => {
                let listener = Listener::bind_unix(dir, "plugin-").unwrap();
                let address = listener.address().clone();
                let server = Server::builder().add_service(AuthenticatorServer::new(told));
                let incoming = listener.incoming(None, PeerCheck::any());
                tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
                address
            }
            Way::Raw(answers) => raw(dir, answers),
        }
    }
}

#[tonic::async_trait]
impl Authenticator for Told {
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        self.asked.0[0].fetch_add(1, Ordering::SeqCst);
        (self.authenticate)(request.into_inner()).await.map(Response::new)
    }

    async fn authorize(
        &self,
        request: Request<AuthorizeRequest>,
    ) -> Result<Response<AuthorizeResponse>, Status> {
        self.asked.0[1].fetch_add(1, Ordering::SeqCst);
        (self.authorize)(request.into_inner()).await.map(Response::new)
    }
}

/// What a directory of one person says.
pub(crate) fn look_up(request: &AuthenticateRequest, groups: Vec<String>) -> AuthenticateResponse {
    if request.email != EMAIL {
        return refusal(RefusalReason::User);
    }
    if request.token != TOKEN {
        return refusal(RefusalReason::Token);
    }
    user(EMAIL, groups)
}

pub(crate) fn user(email: &str, groups: Vec<String>) -> AuthenticateResponse {
    detail(UserDetail { name: "Ada".into(), email: email.into(), active: true, groups })
}

pub(crate) fn detail(detail: UserDetail) -> AuthenticateResponse {
    AuthenticateResponse { result: Some(Said::User(detail)) }
}

pub(crate) fn refusal(reason: RefusalReason) -> AuthenticateResponse {
    let message = "somebody else's token, maybe".to_owned();
    AuthenticateResponse { result: Some(Said::Refusal(Refusal { reason: reason.into(), message })) }
}

/// As gRPC puts a message on the wire.
fn framed(message: &impl Message) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut framed).unwrap();
    framed.freeze()
}

fn raw(dir: &Path, answers: [RawAnswer; 2]) -> Address {
    let path = dir.join("raw.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answers = answers.clone();
            let answer = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
                let is_authorize = request.uri().path().ends_with("/Authorize");
                let (message, status) = answers[usize::from(is_authorize)].clone();
                async move { Ok::<_, Infallible>(raw_response(message, status)) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
        }
    });
    Address::Unix(path)
}

type Frames = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

fn raw_response(message: Bytes, status: Option<&'static str>) -> hyper::Response<Frames> {
    let mut frames = vec![Ok(Frame::data(message))];
    if let Some(status) = status {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", status.parse().unwrap());
        frames.push(Ok(Frame::trailers(trailers)));
    }
    let body = StreamBody::new(stream::iter(frames));
    hyper::Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}
