//! The small router with which an author says what is served where.
//!
//! Matching is the host's: it knows all endpoints of all plugins and sends the id of the one that
//! matched. Here an id only leads to its handler.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Method;
use outboard_proto::host::v1;

use crate::activation::Activation;
use crate::host::{HostError, HostErrorKind};
use crate::outcome::{IntoOutcome, Outcome};
use crate::request::Request;

/// A handler, whatever function it was.
pub(crate) type Handler<I> =
    Arc<dyn Fn(Arc<I>, Request) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// Where an endpoint is and what the host enforces for it.
///
/// ```
/// use outboard_sdk::Endpoint;
/// use std::time::Duration;
///
/// let upload = Endpoint::put("files/:name").max_body_bytes(65_536).timeout(Duration::from_secs(5));
/// let gatekeeper = Endpoint::any("*").priority(10).filter();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    method: String,
    url: String,
    priority: u32,
    filter: bool,
    max_body_bytes: u64,
    timeout: Option<Duration>,
    first_byte_timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    max_concurrent_requests: u32,
    requires: v1::Requirement,
}

impl Endpoint {
    /// An endpoint for one method; never `OPTIONS` or `HEAD`, which are the host's.
    ///
    /// `url` is a pattern below `/<prefix>/<instance>/`: literal segments, `:name` or `@name` for
    /// exactly one segment, and a last `*` for all the rest. Empty: the instance's root. Limit: 1024
    /// bytes.
    pub fn new(method: &Method, url: impl Into<String>) -> Self {
        Self::of(method.as_str(), url.into())
    }

    /// An endpoint for every method.
    pub fn any(url: impl Into<String>) -> Self {
        Self::of("*", url.into())
    }

    /// An endpoint for `GET`, and for `HEAD` with it.
    pub fn get(url: impl Into<String>) -> Self {
        Self::of("GET", url.into())
    }

    /// An endpoint for `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::of("POST", url.into())
    }

    /// An endpoint for `PUT`.
    pub fn put(url: impl Into<String>) -> Self {
        Self::of("PUT", url.into())
    }

    /// An endpoint for `PATCH`.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::of("PATCH", url.into())
    }

    /// An endpoint for `DELETE`.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::of("DELETE", url.into())
    }

    fn of(method: &str, url: String) -> Self {
        Self {
            method: method.to_owned(),
            url,
            priority: 0,
            filter: false,
            max_body_bytes: 0,
            timeout: None,
            first_byte_timeout: None,
            idle_timeout: None,
            max_concurrent_requests: 0,
            requires: v1::Requirement::default(),
        }
    }

    /// Lower runs first; equal ones in the order in which they were added. Default: 0.
    #[must_use]
    pub fn priority(mut self, priority: u32) -> Self {
        self.priority = priority;
        self
    }

    /// Only prepares or checks: if nothing but filters matched, the answer is 404. Default: it serves.
    #[must_use]
    pub fn filter(mut self) -> Self {
        self.filter = true;
        self
    }

    /// Largest request body in bytes; more is 413. Default: the operator's limit, which also bounds
    /// this; 0 is the default again.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Time for the whole request, response included, at least 1 ms; then 408 while the client still sends, 504
    /// before the response has begun, else the response is cut off. Default: the operator's limit (1 h),
    /// which also bounds this.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Time from the end of the request to the beginning of the response, at least 1 ms; then 504. Default:
    /// the operator's limit (30 s), which also bounds this.
    #[must_use]
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.first_byte_timeout = Some(timeout);
        self
    }

    /// Time in which something of a body must move, either way, at least 1 ms; then 408 where the client is
    /// slow, else the response or upgraded connection is cut off. Default: the operator's limit (60 s),
    /// which also bounds this.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Requests that run at once; further ones wait for a while, and are answered with 503 if that does not
    /// help. Default: the operator's limit for the whole plugin (1000), which also bounds this; 0 is the
    /// default again.
    #[must_use]
    pub fn max_concurrent_requests(mut self, requests: u32) -> Self {
        self.max_concurrent_requests = requests;
        self
    }

    /// Only for those who are signed in: the host sees to it before the plugin gets the request, sends browsers that
    /// want a page to log in, and tells who it is ([`Request::identity`]). In a chain the requirements of all
    /// endpoints count. Default: for everybody.
    #[must_use]
    pub fn signed_in(mut self) -> Self {
        self.requires.signed_in = true;
        self
    }

    /// The same, and the session satisfies that scope. Limit: 32 of them.
    #[must_use]
    pub fn scope(mut self, name: impl Into<String>) -> Self {
        self.requires.scopes.push(name.into());
        self
    }

    /// Also for whoever sends an API key that has all of the scopes: `Authorization: token KEY`.
    #[must_use]
    pub fn or_api_key(mut self) -> Self {
        self.requires.api_key = true;
        self
    }

    fn into_proto(self, id: EndpointId) -> v1::Endpoint {
        v1::Endpoint {
            id: id.0,
            method: self.method,
            url: self.url,
            priority: self.priority,
            filter: self.filter,
            max_body_bytes: self.max_body_bytes,
            timeout_ms: millis(self.timeout),
            first_byte_timeout_ms: millis(self.first_byte_timeout),
            idle_timeout_ms: millis(self.idle_timeout),
            max_concurrent_requests: self.max_concurrent_requests,
            requires: Some(self.requires).filter(|it| *it != v1::Requirement::default()),
        }
    }
}

/// 0 means "the operator's limit" on the wire; no time at all is not what it should turn into.
fn millis(timeout: Option<Duration>) -> u32 {
    let millis = |timeout: Duration| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    timeout.map_or(0, |timeout| millis(timeout).max(1))
}

/// Names an endpoint within its activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EndpointId(pub(crate) u32);

/// The endpoints with which an activation begins; published together once `init` has succeeded.
///
/// Two of equal method, path and priority fail the activation. Limit: 10,000 in one activation.
pub struct Endpoints<I> {
    activation: Arc<Activation<I>>,
    staged: Vec<v1::Endpoint>,
    /// Entered in the activation all at once.
    handlers: Vec<(EndpointId, Handler<I>)>,
}

impl<I: Send + Sync + 'static> Endpoints<I> {
    pub(crate) fn new(activation: Arc<Activation<I>>) -> Self {
        Self { activation, staged: Vec::new(), handlers: Vec::new() }
    }

    /// Serves an endpoint. A handler is an async function of the activation's instance and the request
    /// to anything that is [`IntoOutcome`].
    ///
    /// Its future is dropped at an `await` when the client is gone or time is up; what must finish
    /// needs a task of its own. A panic is answered with 500 and does not end the process.
    pub fn on<F>(
        &mut self,
        endpoint: Endpoint,
        handler: impl Fn(Arc<I>, Request) -> F + Send + Sync + 'static,
    ) -> EndpointId
    where
        F: Future<Output: IntoOutcome + 'static> + Send + 'static,
    {
        let id = self.activation.next_id();
        self.handlers.push((id, erase(handler)));
        self.staged.push(endpoint.into_proto(id));
        id
    }

    /// [`Endpoints::on`] for `GET` with the defaults of [`Endpoint`].
    pub fn get<F>(
        &mut self,
        url: &str,
        handler: impl Fn(Arc<I>, Request) -> F + Send + Sync + 'static,
    ) -> EndpointId
    where
        F: Future<Output: IntoOutcome + 'static> + Send + 'static,
    {
        self.on(Endpoint::get(url), handler)
    }

    /// [`Endpoints::on`] for `POST` with the defaults of [`Endpoint`].
    pub fn post<F>(
        &mut self,
        url: &str,
        handler: impl Fn(Arc<I>, Request) -> F + Send + Sync + 'static,
    ) -> EndpointId
    where
        F: Future<Output: IntoOutcome + 'static> + Send + 'static,
    {
        self.on(Endpoint::post(url), handler)
    }

    /// [`Endpoints::on`] for every method with the defaults of [`Endpoint`].
    pub fn any<F>(
        &mut self,
        url: &str,
        handler: impl Fn(Arc<I>, Request) -> F + Send + Sync + 'static,
    ) -> EndpointId
    where
        F: Future<Output: IntoOutcome + 'static> + Send + 'static,
    {
        self.on(Endpoint::any(url), handler)
    }

    /// A handle for later: keep it in the instance to add and remove endpoints while it serves.
    pub fn live(&self) -> LiveEndpoints<I> {
        LiveEndpoints { activation: Arc::downgrade(&self.activation) }
    }

    /// Makes the handlers known to the activation, and gives what the host is to know.
    pub(crate) fn into_staged(self) -> Vec<v1::Endpoint> {
        self.activation.insert(&self.handlers);
        self.staged
    }
}

/// Adds and removes endpoints of a serving activation. Each change is published whole before its call
/// returns. Cloning it is cheap.
pub struct LiveEndpoints<I> {
    /// Weak, since instances keep this and the activation keeps the instance.
    activation: Weak<Activation<I>>,
}

impl<I> Clone for LiveEndpoints<I> {
    fn clone(&self) -> Self {
        Self { activation: Weak::clone(&self.activation) }
    }
}

impl<I: Send + Sync + 'static> LiveEndpoints<I> {
    /// Serves one more endpoint; see [`Endpoints::on`] for the handler.
    ///
    /// # Errors
    ///
    /// When the host refuses it (malformed, or one of equal method, path and priority is there), is
    /// unreachable, or the activation is closed. Where only the host's answer was lost, it may have
    /// published an endpoint that nothing handles: requests to it then fail.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped may or may not have published the endpoint. If it has, the handler
    /// serves it for as long as the activation lives, as its id, without which it can't be removed, is
    /// lost.
    pub async fn add<F>(
        &self,
        endpoint: Endpoint,
        handler: impl Fn(Arc<I>, Request) -> F + Send + Sync + 'static,
    ) -> Result<EndpointId, HostError>
    where
        F: Future<Output: IntoOutcome + 'static> + Send + 'static,
    {
        let activation = self.activation()?;
        let id = activation.next_id();
        activation.insert(&[(id, erase(handler))]);
        let added = activation.host.add_endpoints(vec![endpoint.into_proto(id)]).await;
        added.inspect_err(|_| activation.remove(id))?;
        Ok(id)
    }

    /// Withdraws an endpoint. Requests that it is answering go on.
    ///
    /// # Errors
    ///
    /// When the host does not know it, is unreachable, or the activation is closed.
    pub async fn remove(&self, id: EndpointId) -> Result<(), HostError> {
        let activation = self.activation()?;
        activation.host.remove_endpoints(vec![id.0]).await?;
        activation.remove(id);
        Ok(())
    }

    fn activation(&self) -> Result<Arc<Activation<I>>, HostError> {
        self.activation.upgrade().ok_or_else(|| {
            HostError::new(
                HostErrorKind::Closed,
                "the activation is closed; stop its tasks in close",
            )
        })
    }
}

fn erase<I, F>(handler: impl Fn(Arc<I>, Request) -> F + Send + Sync + 'static) -> Handler<I>
where
    F: Future<Output: IntoOutcome + 'static> + Send + 'static,
{
    Arc::new(move |instance, request| {
        handler(instance, request).map(IntoOutcome::into_outcome).boxed()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_operators_unless_set_and_never_nothing() {
        let sent = |endpoint: Endpoint| endpoint.into_proto(EndpointId(1));
        let unset = v1::Endpoint {
            id: 1,
            method: "GET".to_owned(),
            url: "a".to_owned(),
            ..v1::Endpoint::default()
        };
        assert_eq!(sent(Endpoint::get("a")), unset);
        let limited = Endpoint::get("a")
            .max_body_bytes(1 << 40)
            .timeout(Duration::from_micros(1))
            .first_byte_timeout(Duration::from_secs(2))
            .idle_timeout(Duration::MAX)
            .max_concurrent_requests(3);
        let expected = v1::Endpoint {
            max_body_bytes: 1 << 40,
            timeout_ms: 1,
            first_byte_timeout_ms: 2000,
            idle_timeout_ms: u32::MAX,
            max_concurrent_requests: 3,
            ..unset
        };
        assert_eq!(sent(limited), expected);
    }
}
