//! Who somebody is, and what they may do: asked of the auth plugins, and remembered for a while.
//!
//! Nobody is let in by a mistake. A user beside an error, a user of another e-mail, an answer that says nothing: all
//! are no. And "no" is kept apart from "nobody can say": a plugin that is away, late or broken makes
//! [`Failure::Unavailable`], so that clients are not told to look for a fault in their passwords.
//!
//! From outside to inside: [`Auth`] is asked, [`memory`] answers what it knows and asks the rest once, [`chain`] goes
//! through the instances, [`ask`] makes the calls. The token itself is in none of them after its question.

mod ask;
mod cache;
mod chain;
pub mod counts;
mod memory;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
pub use outboard_core::auth::Refusal;
use outboard_core::auth::{Credentials, GroupMatch, User};

use self::ask::Asker;
use self::chain::{Chain, Known};
use self::counts::{Counts, Outcome};
use self::memory::{Answered, Memory, Room};
use crate::breakers::Breakers;
use crate::plugin::snapshot::Routes;

/// What may be changed by a reload.
#[derive(Debug, Clone)]
pub struct Settings {
    /// False: everybody passes, and nobody is asked.
    pub is_enabled: bool,
    /// Which instances are asked, in this order. None: the only one that there is.
    pub instances: Vec<String>,
    /// For each question, through all instances.
    pub timeout: Duration,
    /// How long an answer counts. Zero: each time only once.
    pub cache_ttl: Duration,
    pub cache_entries: usize,
    /// How many of the required groups a user must be in, if nobody says.
    pub rule: GroupMatch,
}

/// The instances that can be asked, as they are now. `None`: that is not known yet.
pub type Authenticators = Arc<dyn Fn() -> Option<Vec<String>> + Send + Sync>;

/// Clones ask the same.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    routes: Arc<Routes>,
    authenticators: Authenticators,
    breakers: Arc<Breakers>,
    counts: Arc<Counts>,
    state: ArcSwap<State>,
}

/// What a reload replaces as a whole, and with it all that was remembered: whoever was thrown out must not stay in.
struct State {
    settings: Settings,
    people: Memory<Arc<Known>>,
    rights: Memory<bool>,
}

/// Who is let in.
#[derive(Debug, Clone, PartialEq)]
pub enum Identity {
    /// `auth.enabled` is false: it may be anybody.
    Anybody,
    User(Arc<User>),
}

/// Who it is, and whether they may.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub is_allowed: bool,
    pub who: Identity,
}

/// What is needed to do something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// None: any active user will do.
    pub groups: Vec<String>,
    /// `None`: as configured.
    pub rule: Option<GroupMatch>,
}

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The auth plugin, or the host, says no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Nobody can say.
    #[error("{0}")]
    Unavailable(Unavailable),
}

/// Why nobody can say.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("nobody can say at the moment who may pass: {why}")]
pub struct Unavailable {
    why: Arc<str>,
    /// When it may be different.
    pub retry_after: Duration,
}

/// A question, by the hash of it: the token is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

/// Bytes that each remembered answer may take on average; a user with many groups takes more than one with few.
const ENTRY_BYTES: usize = 8 << 10;

impl Auth {
    /// Asks the instances of `authenticators` through `routes`.
    pub fn new(settings: Settings, routes: Arc<Routes>, authenticators: Authenticators) -> Self {
        let counts = Arc::new(Counts::default());
        let state = ArcSwap::from_pointee(State::new(settings, &counts));
        let breakers = Breakers::new("the auth plugin");
        Self(Arc::new(Inner { routes, authenticators, breakers, counts, state }))
    }

    /// Works by `settings` from now on. What was remembered is forgotten, what is being asked is not.
    pub fn reload(&self, settings: Settings) {
        self.0.state.store(Arc::new(State::new(settings, &self.0.counts)));
    }

    pub fn is_enabled(&self) -> bool {
        self.0.state.load().settings.is_enabled
    }

    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// What an operator has to mend before anybody can be let in, as far as it can be told without asking. Where
    /// there is no auth plugin at all, nobody wants to be asked.
    pub fn mistake(&self) -> Option<String> {
        let state = self.0.state.load();
        let there = (self.0.authenticators)()?;
        let configured = &state.settings.instances;
        if configured.is_empty() {
            return (there.len() > 1).then(|| chain::several(&there));
        }
        let missing = configured.iter().find(|instance| !there.contains(instance))?;
        Some(format!(
            "auth.instances: {missing:?} is no instance of an auth plugin; there are: {}",
            if there.is_empty() { "none".to_owned() } else { there.join(", ") }
        ))
    }

    /// The instances that are not asked at the moment, since they failed too often.
    pub fn held_back(&self) -> Vec<String> {
        self.0.breakers.open()
    }

    /// Who has this token. Dropping the future takes the answer from nobody else who waits for it.
    pub async fn authenticate(&self, email: &str, token: &str) -> Result<Identity, Failure> {
        let state = self.0.state.load_full();
        if !state.settings.is_enabled {
            self.0.counts.outcome(Outcome::Unchecked);
            return Ok(Identity::Anybody);
        }
        let known = self.known(&state, email, token).await;
        self.0.counts.outcome(known.as_ref().map_or_else(Failure::outcome, |_| Outcome::Allowed));
        Ok(Identity::User(known?.user.clone()))
    }

    /// Whether whoever has this token may do what needs so much.
    pub async fn authorize(
        &self,
        email: &str,
        token: &str,
        required: &Requirement,
    ) -> Result<Decision, Failure> {
        let state = self.0.state.load_full();
        if !state.settings.is_enabled {
            self.0.counts.outcome(Outcome::Unchecked);
            return Ok(Decision { is_allowed: true, who: Identity::Anybody });
        }
        let decision = self.decide(&state, email, token, required).await;
        self.0.counts.outcome(match &decision {
            Ok(Decision { is_allowed: true, .. }) => Outcome::Allowed,
            Ok(_) => Outcome::Denied,
            Err(failure) => failure.outcome(),
        });
        decision
    }

    async fn decide(
        &self,
        state: &State,
        email: &str,
        token: &str,
        required: &Requirement,
    ) -> Result<Decision, Failure> {
        let known = self.known(state, email, token).await?;
        let who = Identity::User(known.user.clone());
        if required.groups.is_empty() {
            return Ok(Decision { is_allowed: true, who });
        }
        let rule = required.rule.unwrap_or(state.settings.rule);
        let word = if rule == GroupMatch::Any { "any" } else { "all" };
        let groups = required.groups.iter().map(String::as_str);
        let key = Key::of([email, token, word].into_iter().chain(groups));
        let groups: Arc<[String]> = required.groups.as_slice().into();
        let chain = self.chain(state);
        let question = || async move { chain.authorize(&known, &groups, rule).await };
        let is_allowed = state.rights.ask(key, question).await?;
        Ok(Decision { is_allowed, who })
    }

    async fn known(&self, state: &State, email: &str, token: &str) -> Result<Arc<Known>, Failure> {
        // What can't be right is not asked about.
        Credentials::new(email, token).map_err(|_| Failure::Refused(Refusal::Token))?;
        let key = Key::of([email, token]);
        let (email, token) = (email.to_owned(), token.to_owned());
        let chain = self.chain(state);
        let question = || async move { chain.authenticate(&email, &token).await.map(Arc::new) };
        state.people.ask(key, question).await
    }

    fn chain(&self, state: &State) -> Chain {
        let Inner { routes, authenticators, breakers, counts, .. } = &*self.0;
        Chain {
            asker: Asker::new(routes.clone(), breakers.clone(), counts.clone()),
            instances: state.settings.instances.clone(),
            authenticators: authenticators.clone(),
            timeout: state.settings.timeout,
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.load();
        f.debug_struct("Auth").field("settings", &state.settings).finish_non_exhaustive()
    }
}

impl State {
    fn new(settings: Settings, counts: &Arc<Counts>) -> Self {
        let Settings { cache_ttl: ttl, cache_entries: entries, .. } = settings;
        let room = Room { ttl, entries, bytes: entries.saturating_mul(ENTRY_BYTES) };
        Self {
            people: Memory::new(room, counts.clone()),
            rights: Memory::new(room, counts.clone()),
            settings,
        }
    }
}

impl Failure {
    fn unavailable(why: impl Into<Arc<str>>, retry_after: Duration) -> Self {
        Self::Unavailable(Unavailable { why: why.into(), retry_after })
    }

    /// A question of ours ended without an answer.
    fn broken() -> Self {
        Self::unavailable("the question broke off; see the log", Duration::from_secs(1))
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Refused(_) => Outcome::Refused,
            Self::Unavailable(_) => Outcome::Unavailable,
        }
    }
}

impl Key {
    /// Of texts in their order. Each is counted with its length, so that no two lists look alike.
    fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        use aws_lc_rs::digest::{Context, SHA256};
        let mut context = Context::new(&SHA256);
        for text in texts {
            context.update(&text.len().to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }
}

impl Answered for Arc<Known> {
    fn weight(&self) -> usize {
        let User { name, email, groups, .. } = &*self.user;
        let texts = groups.iter().chain([name, email, &self.instance]);
        texts.map(|text| text.len() + size_of::<String>()).sum()
    }
}

impl Answered for bool {
    fn weight(&self) -> usize {
        1
    }

    fn is_good(&self) -> bool {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_that_differ_have_different_keys() {
        let keys = [
            Key::of(["ab", "c"]),
            Key::of(["a", "bc"]),
            Key::of(["abc"]),
            Key::of(["ab", "c", ""]),
            Key::of(["AB", "c"]),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(at));
        }
        assert_eq!(Key::of(["ab", "c"]), Key::of(["ab", "c"]));
    }
}
