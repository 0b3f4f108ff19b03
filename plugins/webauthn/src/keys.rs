//! The keys of one user.

use std::time::SystemTime;

use passki::{Passki, StoredPasskey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Of the name that the user gives a key, in characters.
const MOST_NAME: usize = 64;

/// A key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Key {
    /// The user's word for it.
    name: String,
    /// RFC 3339.
    added: String,
    used: Option<String>,
    passkey: StoredPasskey,
}

/// In the order in which they were added.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Keys(Vec<Key>);

impl Key {
    pub(crate) fn new(passkey: StoredPasskey, name: &str, now: SystemTime) -> Self {
        let visible = name.trim().chars().filter(|c| !c.is_control());
        let name: String = visible.take(MOST_NAME).collect();
        let name = if name.is_empty() { "Key".to_owned() } else { name };
        Self { name, added: written(now), used: None, passkey }
    }

    /// In base64url, as browsers have it.
    fn id(&self) -> String {
        Passki::base64_encode(&self.passkey.credential_id)
    }

    /// How it looks in a list.
    fn line(&self) -> String {
        let day = |text: &str| text.chars().take(10).collect::<String>();
        match &self.used {
            Some(used) => format!("{}, last used {}", self.name, day(used)),
            None => format!("{}, added {}", self.name, day(&self.added)),
        }
    }
}

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn passkeys(&self) -> Vec<StoredPasskey> {
        self.0.iter().map(|key| key.passkey.clone()).collect()
    }

    pub(crate) fn passkey(&self, id: &[u8]) -> Option<&StoredPasskey> {
        self.0.iter().map(|key| &key.passkey).find(|passkey| passkey.credential_id == id)
    }

    /// With one more; `None`, if it is there already.
    pub(crate) fn with(&self, key: Key) -> Option<Self> {
        if self.passkey(&key.passkey.credential_id).is_some() {
            return None;
        }
        let mut keys = self.clone();
        keys.0.push(key);
        Some(keys)
    }

    /// Without that one; `None`, if it is not there.
    pub(crate) fn without(&self, id: &str) -> Option<Self> {
        let rest: Vec<Key> = self.0.iter().filter(|key| key.id() != id).cloned().collect();
        (rest.len() < self.0.len()).then_some(Self(rest))
    }

    /// As they are once that one was used.
    pub(crate) fn used(&self, id: &[u8], counter: u32, now: SystemTime) -> Self {
        let mut keys = self.clone();
        for key in keys.0.iter_mut().filter(|key| key.passkey.credential_id == id) {
            key.passkey.counter = counter;
            key.used = Some(written(now));
        }
        keys
    }

    /// What their owner is told.
    pub(crate) fn told(&self) -> Value {
        let shown = |key: &Key| json!({ "id": key.id(), "name": key.name, "added": key.added, "used": key.used });
        let keys: Vec<Value> = self.0.iter().map(shown).collect();
        let choice = |key: &Key| json!({ "value": key.id(), "label": key.line() });
        let options: Vec<Value> = self.0.iter().map(choice).collect();
        let forms = json!([
            { "fields": [], "button": "Add another", "data": { "register": true } },
            {
                "fields": [{ "name": "id", "label": "Key", "kind": "choice", "options": options }],
                "button": "Remove this key",
                "data": { "register": "remove-credential" },
            },
        ]);
        json!({ "credentials": keys, "page": { "forms": forms } })
    }
}

fn written(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn key(id: &[u8], name: &str) -> Key {
        let mut passkey = StoredPasskey::default();
        passkey.credential_id = id.to_vec();
        Key::new(passkey, name, UNIX_EPOCH)
    }

    #[test]
    fn a_key_is_there_once() {
        let one = Keys::default().with(key(b"a", "one")).unwrap();
        assert!(one.with(key(b"a", "again")).is_none());
        let two = one.with(key(b"b", "two")).unwrap();
        assert_eq!(two.len(), 2);
        assert!(two.without("zz").is_none());
        let rest = two.without(&Passki::base64_encode(b"a")).unwrap();
        assert!(rest.passkey(b"a").is_none() && rest.passkey(b"b").is_some());
    }

    #[test]
    fn a_key_that_was_used_counts_on_and_no_other_does() {
        let keys = Keys::default().with(key(b"a", "one")).unwrap().with(key(b"b", "two")).unwrap();
        let after = keys.used(b"b", 7, UNIX_EPOCH + Duration::from_hours(24));
        assert_eq!(after.passkey(b"b").unwrap().counter, 7);
        assert_eq!(after.passkey(b"a").unwrap().counter, 0);
        let told = after.told();
        assert_eq!(told["credentials"][0]["used"], Value::Null);
        assert_eq!(told["credentials"][1]["used"], "1970-01-02T00:00:00Z");
        let options = &told["page"]["forms"][1]["fields"][0]["options"];
        let labels = [&options[0]["label"], &options[1]["label"]];
        assert_eq!(labels, ["one, added 1970-01-01", "two, last used 1970-01-02"]);
    }

    #[test]
    fn a_name_is_short_and_visible_and_never_nothing() {
        assert_eq!(key(b"a", " \n\u{0} ").name, "Key");
        assert_eq!(key(b"a", "my\nkey").name, "mykey");
        assert_eq!(key(b"a", &"ü".repeat(100)).name.chars().count(), 64);
    }
}
