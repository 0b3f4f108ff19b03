//! The life of one plugin, from one process to the next.
//!
//! Everything that decides what happens next to a plugin is in this file, and nothing here does IO
//! or reads a clock. The driver (`supervisor/server/src/plugin/driver.rs`) feeds in events and the
//! time, and carries out the [`Action`]s that come back, in order. The things it carries out are
//! bounded in time by themselves and always end in an event, so only waiting has deadlines here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How long to wait, and when to give up restarting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long requests may go on after new ones are no longer routed to the process.
    pub drain_timeout: Duration,
    /// Wait before the second restart in a row; the first is at once. Doubles up to `backoff_max`.
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    /// More than this many restarts inside `restart_window` is a failure (OTP's intensity and period).
    pub max_restarts: usize,
    pub restart_window: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No process, and none wanted.
    Stopped,
    /// A process is being spawned, shaken hands with, connected to and found healthy.
    Starting,
    /// Connected; `Load` is under way.
    Loading,
    /// Loaded; `Init` of its instances is under way. Nothing is routed here yet.
    Initialising,
    /// Requests may be routed here.
    Serving,
    /// No new requests; the old ones may go on until `until`.
    Draining { until: Instant, next: Next },
    /// Told to go. Ends when no process of it is left.
    Stopping { next: Next },
    /// No process; one is wanted at `until`.
    Backoff { until: Instant },
    /// No process, and starting one again would not help. Only an operator's `Start` leaves this.
    Failed,
}

/// What becomes of a plugin once its process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Stay stopped.
    Stop,
    /// Start again at once: somebody asked for it.
    Start,
    /// It was not meant to go: start again after the back-off, or give up.
    Recover,
    /// Trying again can't help.
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants it to run.
    Start,
    /// Somebody wants it gone.
    Stop,
    /// Somebody wants a fresh process.
    Restart,
    /// Spawn went through to a healthy connection.
    Connected,
    /// Spawn did not; no process of it is left.
    StartFailed { permanent: bool },
    /// `Load` answered; instances can be initialised.
    Loaded,
    /// `Load` is not implemented: there is nothing to initialise or to publish.
    Foreign,
    /// `Load` answered badly or not at all.
    LoadFailed { permanent: bool },
    /// Every instance's `Init` has answered, well or badly.
    Initialised,
    /// An instance is missing without which this process is of no use.
    InitFailed,
    /// The last request has ended.
    Drained,
    /// No process of it is left.
    Exited,
    /// [`Lifecycle::poll_timeout`] is due.
    Timeout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a process; ends in `Connected` or `StartFailed`.
    Spawn,
    /// End the start under way; ends in `StartFailed`, when no process of it is left.
    Abort,
    /// Call `Load`; ends in `Loaded`, `Foreign` or `LoadFailed`.
    Load,
    /// Call `Init` of each instance; ends in `Initialised`.
    Init,
    /// Route to the activations whose `Init` went well.
    Publish,
    /// Route nothing new to this process.
    Withdraw,
    /// Say `Drained` when its last request has ended.
    Drain,
    /// Close its activations, stop it, politely first; ends in `Exited`.
    Terminate,
    /// Forget everything that belonged to the process that is gone.
    Forget,
}

#[derive(Debug)]
pub struct Lifecycle {
    policy: Policy,
    state: State,
    restarts: VecDeque<Instant>,
}

impl Lifecycle {
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, state: State::Stopped, restarts: VecDeque::new() }
    }

    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// For the next transition on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Restarts after a loss that still count against [`Policy::max_restarts`].
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.restarts.len()
    }

    /// When [`Event::Timeout`] is due, if anything is being waited for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Draining { until, .. } | State::Backoff { until } => Some(until),
            State::Stopped
            | State::Starting
            | State::Loading
            | State::Initialising
            | State::Serving
            | State::Stopping { .. }
            | State::Failed => None,
        }
    }

    /// Moves to the next state and says what to do about it.
    ///
    /// There is no `_` arm: a new state or event does not compile until every pair has an answer.
    #[expect(
        clippy::match_same_arms,
        clippy::too_many_lines,
        reason = "one table, one line per transition"
    )]
    pub fn step(&mut self, now: Instant, event: Event) -> &'static [Action] {
        use Action as A;
        use Event as E;
        use State as S;
        let (next, actions): (State, &'static [Action]) = match (self.state, event) {
            (S::Stopped | S::Failed, E::Start | E::Restart) => self.fresh(),
            (S::Backoff { .. }, E::Start | E::Restart) => self.fresh(),
            (S::Backoff { .. }, E::Stop) => (S::Stopped, &[]),
            (S::Failed, E::Stop) => (S::Stopped, &[]),
            (S::Backoff { until }, E::Timeout) if until <= now => (S::Starting, &[A::Spawn]),

            (S::Starting, E::Connected) => (S::Loading, &[A::Load]),
            (S::Starting, E::StartFailed { permanent: true }) => (S::Failed, &[A::Forget]),
            (S::Starting, E::StartFailed { permanent: false }) => self.lost(now),
            (S::Starting, E::Stop) => (S::Stopping { next: Next::Stop }, &[A::Abort]),
            (S::Starting, E::Restart) => (S::Stopping { next: Next::Start }, &[A::Abort]),

            (S::Loading, E::Loaded) => (S::Initialising, &[A::Init]),
            (S::Loading, E::Foreign) => (S::Serving, &[]),
            (S::Loading, E::LoadFailed { permanent: true }) => Self::terminate(Next::Fail),
            (S::Loading, E::LoadFailed { permanent: false }) => Self::terminate(Next::Recover),

            (S::Initialising, E::Initialised) => (S::Serving, &[A::Publish]),
            (S::Initialising, E::InitFailed) => Self::terminate(Next::Fail),

            (S::Loading | S::Initialising, E::Stop) => Self::terminate(Next::Stop),
            (S::Loading | S::Initialising, E::Restart) => Self::terminate(Next::Start),
            (S::Loading | S::Initialising, E::Exited) => self.lost(now),

            (S::Serving, E::Stop) => self.drain(now, Next::Stop),
            (S::Serving, E::Restart) => self.drain(now, Next::Start),
            (S::Serving, E::Exited) => self.lost_while_routed(now),

            (S::Draining { next, .. }, E::Drained) => Self::terminate(next),
            (S::Draining { until, next }, E::Timeout) if until <= now => Self::terminate(next),
            (S::Draining { until, .. }, E::Start | E::Restart) => {
                (S::Draining { until, next: Next::Start }, &[])
            }
            (S::Draining { until, .. }, E::Stop) => (S::Draining { until, next: Next::Stop }, &[]),
            (S::Draining { next, .. }, E::Exited) => self.gone(now, next),

            (S::Stopping { .. }, E::Start | E::Restart) => (S::Stopping { next: Next::Start }, &[]),
            (S::Stopping { .. }, E::Stop) => (S::Stopping { next: Next::Stop }, &[]),
            // An aborted start that had just failed by itself reports that instead.
            (S::Stopping { next }, E::Exited | E::StartFailed { .. }) => self.gone(now, next),

            // Late or repeated news about a process that no longer matters, or a timer that fired
            // early: the queue and the clock are allowed to race with us.
            (
                S::Stopped,
                E::Stop
                | E::Connected
                | E::StartFailed { .. }
                | E::Loaded
                | E::Foreign
                | E::LoadFailed { .. }
                | E::Initialised
                | E::InitFailed
                | E::Drained
                | E::Exited
                | E::Timeout,
            )
            | (
                S::Failed | S::Backoff { .. },
                E::Connected
                | E::StartFailed { .. }
                | E::Loaded
                | E::Foreign
                | E::LoadFailed { .. }
                | E::Initialised
                | E::InitFailed
                | E::Drained
                | E::Exited
                | E::Timeout,
            )
            | (
                S::Starting,
                E::Start
                | E::Loaded
                | E::Foreign
                | E::LoadFailed { .. }
                | E::Initialised
                | E::InitFailed
                | E::Drained
                | E::Exited
                | E::Timeout,
            )
            | (
                S::Loading,
                E::Start
                | E::Connected
                | E::StartFailed { .. }
                | E::Initialised
                | E::InitFailed
                | E::Drained
                | E::Timeout,
            )
            | (
                S::Initialising,
                E::Start
                | E::Connected
                | E::StartFailed { .. }
                | E::Loaded
                | E::Foreign
                | E::LoadFailed { .. }
                | E::Drained
                | E::Timeout,
            )
            | (
                S::Serving,
                E::Start
                | E::Connected
                | E::StartFailed { .. }
                | E::Loaded
                | E::Foreign
                | E::LoadFailed { .. }
                | E::Initialised
                | E::InitFailed
                | E::Drained
                | E::Timeout,
            )
            | (
                S::Draining { .. },
                E::Connected
                | E::StartFailed { .. }
                | E::Loaded
                | E::Foreign
                | E::LoadFailed { .. }
                | E::Initialised
                | E::InitFailed
                | E::Timeout,
            )
            | (
                S::Stopping { .. },
                E::Connected
                | E::Loaded
                | E::Foreign
                | E::LoadFailed { .. }
                | E::Initialised
                | E::InitFailed
                | E::Drained
                | E::Timeout,
            ) => (self.state, &[]),
        };
        self.state = next;
        actions
    }

    /// A start that somebody asked for: earlier losses no longer count.
    fn fresh(&mut self) -> (State, &'static [Action]) {
        self.restarts.clear();
        (State::Starting, &[Action::Spawn])
    }

    fn drain(&self, now: Instant, next: Next) -> (State, &'static [Action]) {
        let until = now + self.policy.drain_timeout;
        (State::Draining { until, next }, &[Action::Withdraw, Action::Drain])
    }

    fn terminate(next: Next) -> (State, &'static [Action]) {
        (State::Stopping { next }, &[Action::Terminate])
    }

    /// No process is left, and this is what was to follow.
    fn gone(&mut self, now: Instant, next: Next) -> (State, &'static [Action]) {
        match next {
            Next::Stop => (State::Stopped, &[Action::Forget]),
            Next::Fail => (State::Failed, &[Action::Forget]),
            Next::Start => {
                self.restarts.clear();
                (State::Starting, &[Action::Forget, Action::Spawn])
            }
            Next::Recover => self.lost(now),
        }
    }

    fn lost(&mut self, now: Instant) -> (State, &'static [Action]) {
        match self.recover(now) {
            State::Starting => (State::Starting, &[Action::Forget, Action::Spawn]),
            waiting => (waiting, &[Action::Forget]),
        }
    }

    fn lost_while_routed(&mut self, now: Instant) -> (State, &'static [Action]) {
        match self.recover(now) {
            State::Starting => {
                (State::Starting, &[Action::Withdraw, Action::Forget, Action::Spawn])
            }
            waiting => (waiting, &[Action::Withdraw, Action::Forget]),
        }
    }

    /// The first restart in a window is at once, the next ones wait longer each, then it is a failure.
    fn recover(&mut self, now: Instant) -> State {
        let window = self.policy.restart_window;
        self.restarts.retain(|&at| now.saturating_duration_since(at) < window);
        let earlier = self.restarts.len();
        if self.policy.max_restarts <= earlier {
            return State::Failed;
        }
        self.restarts.push_back(now);
        if earlier == 0 {
            return State::Starting;
        }
        State::Backoff { until: now + self.backoff(earlier) }
    }

    fn backoff(&self, earlier: usize) -> Duration {
        let doublings = u32::try_from(earlier - 1).unwrap_or(u32::MAX);
        let wait = self.policy.backoff_min.saturating_mul(2_u32.saturating_pow(doublings));
        wait.min(self.policy.backoff_max)
    }
}
