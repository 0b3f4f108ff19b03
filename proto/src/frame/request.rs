//! The life of one request, from its first frame to the last.
//!
//! This file does not know which side we are: host and plugin go through the same states, each as far
//! as it has seen. It is the state table of `docs/frames.md`, and a test compares the two.

use super::credit::{SendCredit, Window};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens requests.
    Host,
    /// Answers them.
    Plugin,
}

impl Role {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Host => Self::Plugin,
            Self::Plugin => Self::Host,
        }
    }
}

/// Which of the two messages still goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The request goes on; the response is awaited.
    Asking,
    /// The request is complete; the response is awaited.
    Asked,
    /// Both go on.
    Exchanging,
    /// The request is complete; the response goes on.
    Answering,
    /// The request goes on; the response is complete.
    Answered,
    /// Nothing more follows.
    Over,
}

/// What a frame does to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request { end: bool },
    Informational,
    Response { end: bool },
    Data { end: bool },
    Trailers,
    Credit,
    Reset,
}

impl State {
    pub(super) fn opened(end: bool) -> Self {
        if end { Self::Asked } else { Self::Asking }
    }

    /// The state after a frame, or `None` if the frame is illegal here.
    ///
    /// There is no `_` arm: a new state or kind does not compile until every pair has an answer.
    /// Legality never depends on what the receiver has sent meanwhile, so frames that cross on the way
    /// can't make each other illegal.
    #[expect(
        clippy::match_same_arms,
        reason = "one line per transition reads better than fewer lines"
    )]
    pub(super) fn step(self, from: Role, kind: Kind) -> Option<Self> {
        use Kind as K;
        use Role::{Host, Plugin};
        use State as S;
        match (self, from, kind) {
            (S::Asking, Host, K::Data { end: false }) => Some(S::Asking),
            (S::Asking, Host, K::Data { end: true } | K::Trailers) => Some(S::Asked),
            (S::Exchanging, Host, K::Data { end: false }) => Some(S::Exchanging),
            (S::Exchanging, Host, K::Data { end: true } | K::Trailers) => Some(S::Answering),
            (S::Answered, Host, K::Data { end: false }) => Some(S::Answered),
            (S::Answered, Host, K::Data { end: true } | K::Trailers) => Some(S::Over),

            (S::Asking | S::Asked, Plugin, K::Informational) => Some(self),
            (S::Asking, Plugin, K::Response { end: false }) => Some(S::Exchanging),
            (S::Asking, Plugin, K::Response { end: true }) => Some(S::Answered),
            (S::Asked, Plugin, K::Response { end: false }) => Some(S::Answering),
            (S::Asked, Plugin, K::Response { end: true }) => Some(S::Over),
            (S::Exchanging, Plugin, K::Data { end: false }) => Some(S::Exchanging),
            (S::Exchanging, Plugin, K::Data { end: true } | K::Trailers) => Some(S::Answered),
            (S::Answering, Plugin, K::Data { end: false }) => Some(S::Answering),
            (S::Answering, Plugin, K::Data { end: true } | K::Trailers) => Some(S::Over),

            // Credit for a message that has ended meanwhile is late, not wrong.
            (
                S::Asking | S::Asked | S::Exchanging | S::Answering | S::Answered,
                Host | Plugin,
                K::Credit,
            ) => Some(self),
            (
                S::Asking | S::Asked | S::Exchanging | S::Answering | S::Answered,
                Host | Plugin,
                K::Reset,
            ) => Some(S::Over),

            // One side may be over before the other knows.
            (
                S::Over,
                Host | Plugin,
                K::Request { .. }
                | K::Informational
                | K::Response { .. }
                | K::Data { .. }
                | K::Trailers
                | K::Credit
                | K::Reset,
            ) => Some(S::Over),

            // After the end of the sender's own message.
            (S::Asked | S::Answering, Host, K::Data { .. } | K::Trailers)
            | (S::Answered, Plugin, K::Data { .. } | K::Trailers)
            // Before its beginning, or after another one.
            | (S::Asking | S::Asked, Plugin, K::Data { .. } | K::Trailers)
            | (
                S::Exchanging | S::Answering | S::Answered,
                Plugin,
                K::Informational | K::Response { .. },
            )
            // Never that way, or never a second time.
            | (
                S::Asking | S::Asked | S::Exchanging | S::Answering | S::Answered,
                Host,
                K::Request { .. } | K::Informational | K::Response { .. },
            )
            | (
                S::Asking | S::Asked | S::Exchanging | S::Answering | S::Answered,
                Plugin,
                K::Request { .. },
            ) => None,
        }
    }

    /// Whether `role` may still send data.
    pub(super) fn goes_on(self, role: Role) -> bool {
        match (self, role) {
            (Self::Asking | Self::Exchanging | Self::Answered, Role::Host)
            | (Self::Asking | Self::Asked | Self::Exchanging | Self::Answering, Role::Plugin) => {
                true
            }
            (Self::Asked | Self::Answering | Self::Over, Role::Host)
            | (Self::Answered | Self::Over, Role::Plugin) => false,
        }
    }
}

/// How the other side broke a rule in one request. The request ends; the stream goes on.
#[allow(missing_docs, reason = "the messages say it")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("data beyond the credit")]
    Credit,
    #[error("credit beyond 2^31-1 bytes")]
    TooMuchCredit,
    #[error("{kind} while {state}")]
    State { kind: &'static str, state: &'static str },
    #[error("an informational response with status {0}; use 100 or 102 to 199")]
    Informational(u32),
    #[error("more than {MAX_INFORMATIONAL} informational responses")]
    TooManyInformational,
}

/// They cost no credit, so something else must bound them.
pub(super) const MAX_INFORMATIONAL: u32 = 100;

impl Violation {
    pub(super) fn state(state: State, kind: Kind) -> Self {
        Self::State { kind: kind.name(), state: state.meaning() }
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Request { .. } => "a request",
            Self::Informational => "an informational response",
            Self::Response { .. } => "a response",
            Self::Data { .. } => "data",
            Self::Trailers => "trailers",
            Self::Credit => "credit",
            Self::Reset => "a reset",
        }
    }
}

impl State {
    fn meaning(self) -> &'static str {
        match self {
            Self::Asking => "the request goes on and no response has begun",
            Self::Asked => "the request is complete and no response has begun",
            Self::Exchanging => "request and response go on",
            Self::Answering => "the request is complete and the response goes on",
            Self::Answered => "the request goes on and the response is complete",
            Self::Over => "the request is over",
        }
    }
}

/// One open request, as one side sees it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) state: State,
    /// For data that we send.
    pub(super) credit: SendCredit,
    /// For data that we receive.
    pub(super) window: Window,
    /// The other side has sent nothing for it.
    pub(super) is_untouched: bool,
    informational: u32,
}

impl Request {
    pub(super) fn new(end: bool, credit: SendCredit, window: Window) -> Self {
        Self { state: State::opened(end), credit, window, is_untouched: true, informational: 0 }
    }

    /// Takes a frame of the other side into account.
    pub(super) fn step(&mut self, from: Role, kind: Kind) -> Result<(), Violation> {
        self.state =
            self.state.step(from, kind).ok_or_else(|| Violation::state(self.state, kind))?;
        Ok(())
    }

    pub(super) fn inform(&mut self, status: u32) -> Result<(), Violation> {
        if !(100..200).contains(&status) || status == 101 {
            return Err(Violation::Informational(status));
        }
        if self.informational == MAX_INFORMATIONAL {
            return Err(Violation::TooManyInformational);
        }
        self.informational += 1;
        Ok(())
    }
}
