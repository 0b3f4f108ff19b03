//! What a stream tells its owner.

use bytes::Bytes;

use crate::plugin::v1::{Header, Informational, RequestFrame, ResetCode, ResponseFrame};

use super::codec::Malformed;
use super::request::Violation;
use super::settings::Settings;
#[cfg(doc)]
use super::stream::Stream;

/// What happened on the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The other side's Hello: requests may begin.
    Ready(Settings),
    /// At the plugin: a request, with the beginning of its body or all of it.
    Opened {
        /// Of the request.
        id: u64,
        /// As the host sent it.
        request: Box<RequestFrame>,
    },
    /// At the host: the response, with the beginning of its body or all of it.
    Responded {
        /// Of the request.
        id: u64,
        /// As the plugin sent it.
        response: Box<ResponseFrame>,
    },
    /// At the host: a 1xx response before the final one.
    Informed {
        /// Of the request.
        id: u64,
        /// As the plugin sent it.
        informational: Informational,
    },
    /// A piece of the other side's body. Say so when it is taken: [`Stream::take_data`].
    Data {
        /// Of the request.
        id: u64,
        /// Empty only with `end`.
        data: Bytes,
        /// Nothing more follows.
        end: bool,
    },
    /// The end of the other side's body.
    Trailers {
        /// Of the request.
        id: u64,
        /// Maybe none.
        headers: Vec<Header>,
    },
    /// The other side gave credit: what [`Stream::send`] did not take may go on.
    Credit {
        /// Of the request.
        id: u64,
    },
    /// At the host: the response is complete, and the plugin wants no more of the request's body.
    Stopped {
        /// Of the request.
        id: u64,
    },
    /// The request is over, without having come to its end.
    Failed {
        /// Of the request.
        id: u64,
        /// Why.
        failure: Failure,
    },
    /// The other side takes up, or opens, no more requests. Open another stream for them.
    GoAway {
        /// For logs.
        message: String,
    },
    /// Always the last one, after the failure of each open request: end the stream, with this error
    /// where the transport can carry one.
    Broken(Malformed),
}

/// Why a request is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The other side ended it.
    Reset {
        /// Unknown codes are [`ResetCode::Unspecified`].
        code: ResetCode,
        /// For logs.
        message: String,
    },
    /// The plugin never began it: it may be tried elsewhere, whatever its method.
    Refused,
    /// The other side broke a rule, and has been told so.
    Violation(Violation),
    /// The stream ended. Nobody knows how far the request came.
    Lost,
}

/// Why a request was not opened. Each is a reason to take another stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The plugin's Hello has not come.
    #[error("the plugin has not said Hello; wait for it")]
    NotReady,
    /// The plugin takes no more at once.
    #[error("the stream has as many requests as the plugin takes; wait for one to end")]
    Full,
    /// One of the sides sent GoAway.
    #[error("the stream takes no more requests; open another one")]
    GoingAway,
    /// The stream is gone.
    #[error("the stream has ended; open another one")]
    Ended,
    /// More than [`Stream::MAX_INLINE_BYTES`] in the request frame.
    #[error("too much data in the request frame; send it with `send`")]
    TooMuchData,
}

/// Why a frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The request is over. Usual: it ended while the caller was busy.
    #[error("the request is over")]
    Over,
    /// Never right: data after the end, a second response, too much data in a response frame, …
    #[error("{0}")]
    Illegal(&'static str),
}

/// How far [`Stream::send`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything is on its way.
    Done,
    /// The rest has to wait for [`Event::Credit`].
    NeedsCredit,
    /// The rest has to wait until [`Stream::take_message`] has made room.
    NeedsRoom,
}
