//! Around every call of a plugin: how fast it may call, what came of it, and who is to know.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use outboard_core::config::Audit;
use outboard_proto::env::ACTIVATION_METADATA;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::Room;
use super::counts::Counts;
use super::ending::{self, Ending};
use super::methods::{self, Method};
use super::permit::Subject;

/// What an operator says of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Calls of one instance to one service in a second.
    pub rate: u32,
    pub audit: Audit,
}

/// Puts a meter around the services of one room.
#[derive(Clone, Debug)]
pub(super) struct Meters(pub(super) Arc<Room>);

#[derive(Clone, Debug)]
pub(super) struct Meter<S> {
    services: S,
    room: Arc<Room>,
}

/// Who calls what.
struct Call {
    room: Arc<Room>,
    number: usize,
    method: &'static Method,
    activation: String,
    instance: String,
    counts: Arc<Counts>,
    subject: Subject,
}

impl<S> Layer<S> for Meters {
    type Service = Meter<S>;

    fn layer(&self, services: S) -> Meter<S> {
        Meter { services, room: self.0.clone() }
    }
}

impl<S, B> Service<Request<B>> for Meter<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.services.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(call) = Call::of(&self.room, &request) else {
            // Nobody's: whoever answers it refuses it.
            return self.services.call(request).boxed();
        };
        if let Some(refused) = call.refuse() {
            call.ended(Ending::Coded(refused.code()));
            let response = refused.into_http();
            return std::future::ready(Ok(response)).boxed();
        }
        request.extensions_mut().insert(call.subject.clone());
        let answer = self.services.call(request);
        async move {
            let response = answer.await?;
            let code = ending::code(response.headers());
            if code == Code::Ok && call.method.has_result {
                return Ok(response.map(|body| ending::heard(body, move |it| call.ended(it))));
            }
            call.ended(Ending::Coded(code));
            Ok(response)
        }
        .boxed()
    }
}

impl Call {
    fn of<B>(room: &Arc<Room>, request: &Request<B>) -> Option<Self> {
        let number = methods::number(request.uri().path())?;
        let activation = request.headers().get(ACTIVATION_METADATA)?.to_str().ok()?.to_owned();
        let (instance, counts) = room.counts(&activation)?;
        let (room, subject) = (room.clone(), Subject::default());
        let method = methods::methods().get(number)?;
        Some(Self { room, number, method, activation, instance, counts, subject })
    }

    fn refuse(&self) -> Option<Status> {
        let rate = self.room.services.rules.load().rate;
        if self.counts.may_call(self.method.service_number, rate, Instant::now()) {
            return None;
        }
        let (instance, service) = (&self.instance, &self.method.service);
        Some(Status::resource_exhausted(format!(
            "instance {instance:?} calls {service} more than {rate} times a second; call less often, or the operator raises \
             callbacks.rate"
        )))
    }

    fn ended(&self, ending: Ending) {
        self.counts.add(self.number, ending);
        let is_heard = match self.room.services.rules.load().audit {
            Audit::Off => false,
            Audit::Writes => self.method.is_write || ending.is_denied(),
            Audit::All => true,
        };
        if is_heard {
            self.write_down(ending);
        }
    }

    fn write_down(&self, ending: Ending) {
        let Method { service, name, .. } = self.method;
        tracing::info!(
            target: "audit",
            plugin = self.room.plugin(),
            instance = self.instance,
            activation = self.activation,
            call = format!("{service}/{name}"),
            code = ending.code(),
            result = Some(ending.result()).filter(|it| !it.is_empty()),
            subject = self.subject.take(),
            "a plugin called"
        );
    }
}
