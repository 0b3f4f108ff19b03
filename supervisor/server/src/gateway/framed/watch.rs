//! What goes on beside a response that is being sent: the rest of the request goes to the plugin, the time is
//! kept, and all of it ends when the activation does. Hyper asks a [`Stream`](super::Stream) for more only while
//! the client takes it, so nothing of this can be left to the stream.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use outboard_proto::plugin::v1::ResetCode;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Held;
use super::ask::Side;
use super::stream::Pulse;
use super::upload::Stop;
use crate::gateway::observe::Reason;
use crate::gateway::times::Times;

/// Runs until the client has the response, or nobody wants it any more, and the request is with the plugin; and
/// holds `held` as long.
pub(super) async fn run(mut side: Side, pulse: Arc<Pulse>, times: Times, held: Held) {
    let cut = {
        let mut cut_off = pin!(held.entered.activation().is_cut_off());
        let mut sleep = pin!(sleep_until(times.still(pulse.moved())));
        poll_fn(|cx| {
            if cut_off.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Reason::CutOff));
            }
            poll(&mut side, &pulse, cx, sleep.as_mut(), &times)
        })
        .await
    };
    if let Some(reason) = cut {
        pulse.break_off(reason);
        side.reset(code(reason), reason.label());
    }
    if let Some(fault) = pulse.take_fault() {
        held.complain(&fault);
    }
}

/// What the plugin is told when a response is not sent to its end.
fn code(reason: Reason) -> ResetCode {
    match reason {
        Reason::IdleTimeout | Reason::RequestTimeout => ResetCode::Deadline,
        _ => ResetCode::Cancelled,
    }
}

fn poll(
    side: &mut Side,
    pulse: &Pulse,
    cx: &mut Context<'_>,
    mut sleep: Pin<&mut Sleep>,
    times: &Times,
) -> Poll<Option<Reason>> {
    if let Some(upload) = side.upload() {
        let before = upload.moved();
        let polled = upload.poll(cx);
        if upload.moved() != before {
            pulse.beat();
        }
        match polled {
            Poll::Ready(Err(Stop::TooLarge)) => return Poll::Ready(Some(Reason::BodyTooLarge)),
            Poll::Ready(Err(Stop::BrokenOff)) => return Poll::Ready(Some(Reason::Malformed)),
            Poll::Ready(Ok(()) | Err(Stop::Unwanted)) | Poll::Pending => {}
        }
    }
    if pulse.poll_stopped(cx).is_ready() && side.upload().is_none() {
        return Poll::Ready(None);
    }
    while sleep.as_mut().poll(cx).is_ready() {
        let (now, due) = (Instant::now(), times.still(pulse.moved()));
        if now < due {
            sleep.as_mut().reset(due);
        } else if now < times.total {
            return Poll::Ready(Some(Reason::IdleTimeout));
        } else {
            return Poll::Ready(Some(Reason::RequestTimeout));
        }
    }
    Poll::Pending
}
