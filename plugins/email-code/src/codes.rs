//! Codes, and what is kept of them.

use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Digits that only the user should know. Never printed.
pub(crate) struct Code(String);

impl Code {
    pub(crate) fn new(digits: u32) -> Self {
        let mut random = rand::rng();
        Self((0..digits).map(|_| char::from(random.random_range(b'0'..=b'9'))).collect())
    }

    pub(crate) fn digits(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(crate) fn sealed(&self, user: &str, session: Option<&str>) -> Sealed {
        let salt: [u8; 16] = rand::random();
        let hash = hash(&salt, user, &self.0);
        Sealed { salt: salt.to_vec(), hash, session: session.map(str::to_owned) }
    }
}

/// A code that was sent, as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sealed {
    salt: Vec<u8>,
    hash: Vec<u8>,
    /// The session that asked for it, and the only one that may use it.
    session: Option<String>,
}

impl Sealed {
    pub(crate) fn is(&self, user: &str, session: Option<&str>, typed: &str) -> bool {
        let is_same: bool = hash(&self.salt, user, typed).ct_eq(&self.hash).into();
        is_same && self.session.as_deref().is_none_or(|own| session == Some(own))
    }
}

fn hash(salt: &[u8], user: &str, code: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(user);
    hash.update([0]);
    hash.update(code);
    hash.finalize().to_vec()
}

/// The code that somebody has typed, without spaces.
pub(crate) fn typed(value: &Value) -> Option<String> {
    let text = value.get("code").or_else(|| value.get("value"))?.as_str()?;
    (text.len() <= 64).then(|| text.chars().filter(|c| !c.is_whitespace()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_has_its_digits_and_is_another_one_each_time() {
        let code = Code::new(12);
        assert_eq!(code.digits().len(), 12);
        assert!(code.digits().bytes().all(|byte| byte.is_ascii_digit()), "{}", code.digits());
        assert_ne!(code.digits(), Code::new(12).digits());
    }

    #[test]
    fn what_is_kept_knows_the_code_and_does_not_hold_it() {
        let code = Code("123456".to_owned());
        let sealed = code.sealed("u-1", Some("s-1"));
        assert!(sealed.is("u-1", Some("s-1"), "123456"));
        for (user, session, typed) in [
            ("u-1", Some("s-1"), "123457"),
            ("u-1", Some("s-1"), ""),
            ("u-2", Some("s-1"), "123456"),
            ("u-1", Some("s-2"), "123456"),
            ("u-1", None, "123456"),
        ] {
            assert!(!sealed.is(user, session, typed), "{user} {session:?} {typed}");
        }
        let stored = serde_json::to_string(&sealed).unwrap();
        assert!(!stored.contains("123456"), "{stored}");
        assert_ne!(code.sealed("u-1", None).hash, code.sealed("u-1", None).hash);
    }

    #[test]
    fn a_code_that_no_session_asked_for_is_good_in_any() {
        let sealed = Code("123456".to_owned()).sealed("u-1", None);
        assert!(sealed.is("u-1", None, "123456") && sealed.is("u-1", Some("s-1"), "123456"));
    }

    #[test]
    fn a_code_is_typed_with_spaces_and_under_either_name() {
        assert_eq!(typed(&json!({ "code": "123 456" })).as_deref(), Some("123456"));
        assert_eq!(typed(&json!({ "value": "123456" })).as_deref(), Some("123456"));
        for none in [json!({}), json!({ "code": 123_456 }), json!({ "code": "1".repeat(65) })] {
            assert_eq!(typed(&none), None, "{none}");
        }
    }
}
