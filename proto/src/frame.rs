//! Many requests on one stream: what the frames of `Http.Serve` mean, the same for host and plugin.
//!
//! `docs/frames.md` tells the rules to people; this module is the rules. It does no IO, has no clock
//! and starts no task. A [`Stream`] is one side of one stream. Its owner
//!
//! * hands it each message that arrives ([`Stream::receive`]) and gets [`Event`]s back,
//! * tells it what the application wants ([`Stream::open`], [`Stream::respond`], [`Stream::send`], …),
//! * writes the messages that it gives ([`Stream::take_message`]), whenever the transport takes one,
//! * and says when the stream is gone ([`Stream::end`]).
//!
//! Nothing here waits, so nothing can block the reading of a stream: an application that takes no data
//! gives no credit, and then the other side has none to send with.
//!
//! How much memory a peer can make this side hold is bounded, whatever the peer does: see [`Limits`].

mod codec;
mod credit;
mod event;
pub(crate) mod ids;
mod queue;
mod request;
mod settings;
mod stream;
#[cfg(test)]
mod tests;

pub use codec::Malformed;
pub use event::{Event, Failure, OpenError, Progress, SendError};
pub use request::{Role, Violation};
pub use settings::{Limits, Settings};
pub use stream::Stream;
