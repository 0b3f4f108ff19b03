//! One request, as the two halves of which each side has one message to send and one to receive.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::Shared;
use super::state::{Part, State, Wakers};
use crate::frame::{Failure, Role, SendError};
use crate::plugin::v1::{Header, Informational, ResetCode, ResponseFrame};

/// A request that was opened. [`Exchange::split`] it; dropping it gives the request up.
#[derive(Debug)]
pub struct Exchange {
    sending: Sending,
    receiving: Receiving,
}

/// The message that this side sends: the request's body at the host, the response at the plugin.
///
/// Dropped before the message is complete, it resets the request: a host cancels it, a plugin has failed.
pub struct Sending(Half);

/// The message that this side receives: the response at the host, the request's body at the plugin.
///
/// Dropped before the message has ended, it cancels the request at the host. At the plugin the rest of the
/// request is then not read, and the host is told so once the response is complete.
pub struct Receiving {
    half: Half,
    /// The end, or the failure, was handed on.
    is_done: bool,
}

/// Sends informational responses of one request, from wherever the request is read.
#[derive(Clone)]
pub struct Informer {
    shared: Arc<Shared>,
    id: u64,
}

struct Half {
    shared: Arc<Shared>,
    id: u64,
}

impl Exchange {
    pub(super) fn new(shared: Arc<Shared>, id: u64) -> Self {
        let half = Half { shared: Arc::clone(&shared), id };
        let receiving = Receiving { half, is_done: false };
        Self { sending: Sending(Half { shared, id }), receiving }
    }

    /// Unique on its stream.
    pub fn id(&self) -> u64 {
        self.sending.0.id
    }

    /// The two directions, for two tasks or one.
    pub fn split(self) -> (Sending, Receiving) {
        (self.sending, self.receiving)
    }
}

impl Sending {
    /// At the plugin: sends a 1xx response before the final one.
    ///
    /// # Errors
    ///
    /// See [`frame::Stream::inform`](crate::frame::Stream::inform).
    pub fn inform(&mut self, informational: Informational) -> Result<(), SendError> {
        self.0.with(|state, id| state.stream.inform(id, informational))
    }

    /// At the plugin: the same, for another task.
    pub fn informer(&self) -> Informer {
        Informer { shared: Arc::clone(&self.0.shared), id: self.0.id }
    }

    /// At the plugin: begins the response; see
    /// [`frame::Stream::respond`](crate::frame::Stream::respond).
    ///
    /// # Errors
    ///
    /// When the request is over, or has a response.
    pub fn respond(&mut self, response: ResponseFrame) -> Result<(), SendError> {
        let end = response.end;
        self.0.with(|state, id| {
            state.stream.respond(id, response)?;
            if end {
                state.completed(id);
            }
            Ok(())
        })
    }

    /// Sends `data`, and with the last of it `end`. Ready when all of it is on its way; what is not stays in
    /// `data`, with which it is to be called again.
    ///
    /// # Errors
    ///
    /// When the request is over.
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
        end: bool,
    ) -> Poll<Result<(), SendError>> {
        self.0.with(|state, id| {
            let sent = state.poll_send(id, cx, data, end);
            if end && matches!(sent, Poll::Ready(Ok(()))) {
                state.completed(id);
            }
            sent
        })
    }

    /// As [`Sending::poll_send`].
    ///
    /// # Errors
    ///
    /// When the request is over.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped may have sent some of it.
    pub async fn send(&mut self, mut data: Bytes, end: bool) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_send(cx, &mut data, end)).await
    }

    /// Ends the message with trailers.
    ///
    /// # Errors
    ///
    /// When the request is over.
    pub fn trailers(&mut self, headers: Vec<Header>) -> Result<(), SendError> {
        self.0.with(|state, id| {
            state.stream.send_trailers(id, headers)?;
            state.completed(id);
            Ok(())
        })
    }

    /// Ready when nobody wants the message any more: the request was given up by the other side, or has
    /// ended, or the stream has.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.with(|state, id| state.poll_over(id, cx))
    }

    /// As [`Sending::poll_over`].
    pub async fn over(&mut self) {
        poll_fn(|cx| self.poll_over(cx)).await;
    }

    /// Gives the request up.
    pub fn reset(self, code: ResetCode, message: &str) {
        self.0.reset(code, message);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let code = match self.0.shared.role {
            Role::Host => ResetCode::Cancelled,
            Role::Plugin => ResetCode::Internal,
        };
        let mut wakers = Wakers::default();
        self.0.with(|state, id| {
            if !state.has_sent_all(id) {
                state.reset(id, code, "", &mut wakers);
            }
            state.release(id);
        });
        wakers.wake();
    }
}

impl Receiving {
    /// The next part; nothing after the end of the message. Data that is handed on is paid back as credit.
    pub fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, Failure>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let polled = self.half.with(|state, id| state.poll_part(id, cx));
        self.is_done = matches!(polled, Poll::Ready(None | Some(Err(_) | Ok(Part::Trailers(_)))));
        polled
    }

    /// As [`Receiving::poll_part`].
    pub async fn part(&mut self) -> Option<Result<Part, Failure>> {
        poll_fn(|cx| self.poll_part(cx)).await
    }

    /// Gives the request up.
    pub fn reset(self, code: ResetCode, message: &str) {
        self.half.reset(code, message);
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        let is_done = self.is_done;
        self.half.with(|state, id| {
            if !is_done && !state.has_received_all(id) {
                let has_answered = state.has_sent_all(id);
                state.leave_unread(id, has_answered, &mut wakers);
            }
            state.release(id);
        });
        wakers.wake();
    }
}

impl Informer {
    /// Sends a 1xx response before the final one.
    ///
    /// # Errors
    ///
    /// When the request is over or has a response, for 101 and what is not 1xx, and for too many of them.
    pub fn inform(&self, informational: Informational) -> Result<(), SendError> {
        self.shared.with(|state| state.stream.inform(self.id, informational))
    }
}

impl Half {
    fn with<T>(&self, act: impl FnOnce(&mut State, u64) -> T) -> T {
        self.shared.with(|state| act(state, self.id))
    }

    fn reset(&self, code: ResetCode, message: &str) {
        let mut wakers = Wakers::default();
        self.with(|state, id| state.reset(id, code, message, &mut wakers));
        wakers.wake();
    }
}

impl fmt::Debug for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Half").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("id", &self.0.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving").field("id", &self.half.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Informer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Informer").field("id", &self.id).finish_non_exhaustive()
    }
}
