//! API keys: what programs send instead of a session. A key is shown once, when it is made.

use outboard_core::identity::scope::is_scope_name;
use outboard_store::identity::{ApiKey, Listing, NewApiKey};

use super::token::{KEY, digest_of, is_token, random};
use super::{Failure, Origin, Parts, now_ms};

/// Longest label, and most scopes of a key.
const LONGEST_LABEL: usize = 256;
const MOST_SCOPES: usize = 100;
const LONGEST_ORIGIN: usize = 256;

/// The API keys.
#[derive(Clone, Copy)]
pub struct Keys<'a>(pub(super) &'a Parts);

impl Keys<'_> {
    /// Makes a key that may do what these scopes allow. The key itself comes first, and never again.
    ///
    /// # Errors
    /// [`Failure::Invalid`]: a label or a scope that can't be one, or no scope.
    pub async fn create(
        self,
        label: &str,
        scopes: &[String],
        issued_by: &str,
        origin: &Origin,
    ) -> Result<(String, ApiKey), Failure> {
        Failure::if_any(faults(label, scopes))?;
        let key = random(KEY);
        let new = NewApiKey {
            hash: &digest_of(&key),
            label,
            scopes,
            issued_by,
            issued_for: &printable(&origin.address),
            user_agent: &printable(&origin.user_agent),
            now_ms: now_ms(),
        };
        let stored = self.0.store.api_keys().insert(&new).await?;
        tracing::info!(key = stored.hash, issued_by, "made an API key");
        Ok((key, stored))
    }

    /// The newest first. `pattern`: a part of label, maker or origin.
    pub async fn list(
        self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<ApiKey>, Failure> {
        Ok(self.0.store.api_keys().list(&Listing { pattern, offset, limit }).await?)
    }

    /// From now on the key of this hash opens nothing.
    pub async fn disable(self, hash: &str) -> Result<(), Failure> {
        let was_there = self.0.store.api_keys().set_enabled(hash, false).await?;
        was_there.then_some(()).ok_or(Failure::NotFound)
    }

    /// The key that the value of an `Authorization` header holds: `token KEY`. None: it holds none that opens anything.
    pub async fn check(self, authorization: &str) -> Result<Option<ApiKey>, Failure> {
        let Some((scheme, key)) = authorization.trim().split_once(' ') else { return Ok(None) };
        let key = key.trim();
        if !scheme.eq_ignore_ascii_case("token") || !is_token(key, KEY) {
            return Ok(None);
        }
        let hash = digest_of(key);
        let found = self.0.store.api_keys().find(&hash).await?.filter(|key| key.enabled);
        if found.is_some() {
            self.0.store.api_keys().count_use(&hash).await?;
        }
        Ok(found)
    }
}

fn faults(label: &str, scopes: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    if label.chars().count() > LONGEST_LABEL || label.contains(char::is_control) {
        faults.push(format!(
            "label must have at most {LONGEST_LABEL} characters, and no control characters"
        ));
    }
    if !(1..=MOST_SCOPES).contains(&scopes.len()) {
        faults.push(format!("scope must be a list of 1 to {MOST_SCOPES} names of scopes"));
    }
    let wrong = scopes.iter().filter(|scope| !is_scope_name(scope));
    faults.extend(wrong.map(|scope| format!("scope {scope:?} is no name of a scope")));
    faults
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_ORIGIN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_do_something_and_nothing_odd() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(faults("CI", &names(&["g_admin"])).is_empty());
        assert_eq!(faults("a\nb", &[]).len(), 2);
        assert_eq!(faults("", &names(&["a b", "c", ""])).len(), 2);
        assert_eq!(faults(&"x".repeat(257), &names(&["a"])).len(), 1);
        assert_eq!(faults("", &vec!["a".to_owned(); 101]).len(), 1);
    }
}
