//! The endpoints that matched a request of the framed path, one after the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use thiserror::Error;

use crate::activation::{Activation, Running};
use crate::outcome::{Outcome, Verdict};
use crate::request::{Head, Request};
use crate::response::Response;

/// Most that a step may leave for the next one, as on the plain path.
const MAX_CONTEXT_BYTES: usize = 64 * 1024;

/// A future that may move between two polls: polled once where its request arrived, and then maybe in a
/// task.
pub(super) struct Chain<I> {
    activation: Arc<Activation<I>>,
    /// Given away to the last step, so that a body which nobody took ends with its request.
    head: Option<Arc<Head>>,
    steps: usize,
    /// Steps that have begun.
    begun: usize,
    running: Option<Running>,
    context: Bytes,
    response: Option<Response>,
}

/// What the steps have come to.
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) response: Option<Response>,
}

/// Why they came to nothing.
#[derive(Debug, Error)]
pub(super) enum Broken {
    #[error("no activation {0:?} in this process")]
    NoActivation(String),
    #[error("no endpoint {0} in this activation")]
    NoEndpoint(u32),
    #[error("the message holds what HTTP has no place for")]
    Malformed,
    #[error("the context of endpoint {0} is larger than 64 KiB")]
    Context(usize),
}

impl<I: Send + Sync + 'static> Chain<I> {
    pub(super) fn new(activation: Arc<Activation<I>>, head: Head) -> Self {
        let steps = head.steps();
        Self {
            activation,
            head: Some(Arc::new(head)),
            steps,
            begun: 0,
            running: None,
            context: Bytes::new(),
            response: None,
        }
    }

    fn begin(&mut self) -> Result<Running, Broken> {
        let step = self.begun;
        self.begun += 1;
        let is_last = self.steps <= self.begun;
        let head = if is_last { self.head.take() } else { self.head.clone() };
        let head = head.ok_or(Broken::Malformed)?;
        let endpoint_id = head.endpoint_id(step).map_err(|_| Broken::Malformed)?;
        let so_far = self.response.as_mut().map(Response::share);
        let request = Request::new(head, step, self.context.clone(), so_far);
        self.activation.begin(endpoint_id, request).ok_or(Broken::NoEndpoint(endpoint_id))
    }

    /// Gives the answer, if that was the last step.
    fn take(&mut self, outcome: Outcome) -> Result<Option<Answer>, Broken> {
        let Outcome { verdict, response, context } = outcome;
        self.response = response.or_else(|| self.response.take());
        if verdict == Verdict::Proceed {
            self.context = context.unwrap_or_else(|| std::mem::take(&mut self.context));
            if MAX_CONTEXT_BYTES < self.context.len() {
                return Err(Broken::Context(self.begun));
            }
            if self.begun < self.steps {
                return Ok(None);
            }
        }
        Ok(Some(Answer { verdict, response: self.response.take() }))
    }
}

impl<I: Send + Sync + 'static> Future for Chain<I> {
    type Output = Result<Answer, Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let Some(running) = &mut self.running else {
                self.running = Some(self.begin()?);
                continue;
            };
            let outcome = ready!(Pin::new(running).poll(cx));
            self.running = None;
            if let Some(answer) = self.take(outcome)? {
                return Poll::Ready(Ok(answer));
            }
        }
    }
}

/// Nothing in it is pinned in place; the handler's future is in a box of its own.
impl<I> Unpin for Chain<I> {}
