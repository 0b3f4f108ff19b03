//! Handles: what a plugin names a request by when it calls back, instead of ever seeing whose it is.
//!
//! One is made with a request, if the instance may do anything with it, and is gone with its response. It is good for
//! the activation that got the request and for nobody else. What is behind it is only whom to ask about: whether the
//! session still is one is looked up at each use.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests of one worker rarely meet those of another.
const SHARDS: usize = 16;

/// All handles that are good at the moment. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Handles(Arc<[Shard; SHARDS]>);

type Shard = Mutex<HashMap<u128, Held>>;

#[derive(Debug)]
struct Held {
    activation: Arc<str>,
    handle: Arc<Handle>,
}

/// Who sent a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Handle {
    /// Of the host's session, if there is any.
    pub cookie: Option<String>,
    /// The client's IP address.
    pub address: String,
    /// What the client says that it is; cut at 256 bytes.
    pub user_agent: String,
}

/// Keeps a handle good.
#[derive(Debug)]
#[must_use = "dropping it ends the handle"]
pub struct Ticket {
    handles: Handles,
    number: u128,
}

impl Handles {
    /// Makes a handle for the activation of this id.
    pub fn mint(&self, activation: &Arc<str>, handle: Handle) -> Ticket {
        let number = rand::random();
        let held = Held { activation: activation.clone(), handle: Arc::new(handle) };
        self.shard(number).insert(number, held);
        Ticket { handles: self.clone(), number }
    }

    /// What is behind a handle that `activation` names. Nothing if it is over, another's, or none.
    pub fn find(&self, text: &str, activation: &str) -> Option<Arc<Handle>> {
        let number = number(text)?;
        let shard = self.shard(number);
        let held = shard.get(&number).filter(|held| *held.activation == *activation)?;
        Some(held.handle.clone())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|shard| lock(shard).len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, number: u128) -> MutexGuard<'_, HashMap<u128, Held>> {
        let shard = usize::try_from(number % SHARDS as u128).unwrap_or_default();
        lock(&self.0[shard])
    }
}

fn lock(shard: &Shard) -> MutexGuard<'_, HashMap<u128, Held>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In one spelling only.
fn number(text: &str) -> Option<u128> {
    let is_handle =
        text.len() == 32 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    if is_handle { u128::from_str_radix(text, 16).ok() } else { None }
}

impl Ticket {
    /// As plugins get it.
    pub fn text(&self) -> String {
        format!("{:032x}", self.number)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.handles.shard(self.number).remove(&self.number);
    }
}

/// Not what would let somebody in.
impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cookie, address, user_agent } = self;
        f.debug_struct("Handle")
            .field("has_cookie", &cookie.is_some())
            .field("address", address)
            .field("user_agent", user_agent)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> Handle {
        Handle {
            cookie: Some("secret".into()),
            address: "192.0.2.1".into(),
            user_agent: "curl".into(),
        }
    }

    #[test]
    fn a_handle_is_good_for_its_activation_until_its_request_is_over() {
        let handles = Handles::default();
        let (one, other) =
            (handles.mint(&"a".into(), handle()), handles.mint(&"b".into(), handle()));
        let (text, others) = (one.text(), other.text());
        assert_ne!(text, others);
        assert_eq!(handles.find(&text, "a").as_deref(), Some(&handle()));
        assert_eq!(handles.find(&text, "b"), None);
        assert_eq!(handles.find(&others, "a"), None);
        assert_eq!(handles.find(&text, ""), None);
        drop(one);
        assert_eq!(handles.find(&text, "a"), None);
        assert_eq!(handles.len(), 1);
        drop(other);
        assert!(handles.is_empty());
    }

    #[test]
    fn a_handle_has_one_spelling() {
        let handles = Handles::default();
        let ticket = handles.mint(&"a".into(), handle());
        let text = ticket.text();
        assert_eq!(text.len(), 32);
        assert!(handles.find(&text, "a").is_some());
        let upper = text.to_uppercase();
        for other in
            [&format!(" {text}"), &format!("0{text}"), &format!("+{}", &text[1..]), "", "é"]
        {
            assert_eq!(handles.find(other, "a"), None, "{other:?}");
        }
        assert!(upper == text || handles.find(&upper, "a").is_none());
    }

    #[test]
    fn a_session_is_not_shown() {
        assert!(!format!("{:?}", handle()).contains("secret"));
    }
}
