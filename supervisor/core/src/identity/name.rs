//! Names of users: which texts are names, and which two of them are the same one.
//!
//! A name is shown as its user writes it, and compared by its key (PRECIS `UsernameCaseMapped`, RFC 8265): case, width and
//! the ways to compose a character make no difference. A name that could be taken for another one, since it mixes
//! scripts or spells Latin words with the letters of another script (UTS 39), is none.

use std::fmt;

use precis_profiles::precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::{UsernameCaseMapped, UsernameCasePreserved};
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _, skeleton};

/// The longest name, in characters.
pub const LONGEST_NAME: usize = 128;

/// The name of a user. Two are equal if they are written the same; [`Self::key`] says whether they are the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserName {
    shown: String,
    key: String,
}

/// Why a text is not the name of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    #[error("has {0} characters; use 1 to {LONGEST_NAME}")]
    Length(usize),
    #[error(
        "has a character that no name may have; use letters, digits and ASCII punctuation, and no blanks"
    )]
    Character,
    #[error("mixes the letters of several scripts; use those of one")]
    Mixed,
    #[error(
        "looks like a name of Latin letters but has others; use letters that can be told apart"
    )]
    LookAlike,
}

impl UserName {
    /// # Errors
    /// If `text` is not a name.
    pub fn new(text: &str) -> Result<Self, UserNameError> {
        check_length(text)?;
        let shown = UsernameCasePreserved::enforce(text).map_err(|_| UserNameError::Character)?;
        let key = UsernameCaseMapped::enforce(text).map_err(|_| UserNameError::Character)?;
        // Composing may make it longer, and so may lower case.
        check_length(&shown).and_then(|()| check_length(&key))?;
        check_scripts(&key)?;
        Ok(Self { shown: shown.into_owned(), key: key.into_owned() })
    }

    /// One that was a name when it was stored.
    pub fn stored(shown: String, key: String) -> Self {
        Self { shown, key }
    }

    /// As its user writes it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The same for all ways to write one name.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn check_length(text: &str) -> Result<(), UserNameError> {
    // No need to count what a client made gigantic.
    let length = text.chars().take(LONGEST_NAME * 8).count();
    if (1..=LONGEST_NAME).contains(&length) { Ok(()) } else { Err(UserNameError::Length(length)) }
}

fn check_scripts(key: &str) -> Result<(), UserNameError> {
    if key.is_ascii() {
        return Ok(());
    }
    // Punctuation belongs to no script, but no identifier of a language has an "@".
    let is_letter = |c: &char| !c.is_ascii() || c.is_ascii_alphanumeric();
    let letters: String = key.chars().filter(is_letter).collect();
    if !letters.check_restriction_level(RestrictionLevel::ModeratelyRestrictive) {
        return Err(UserNameError::Mixed);
    }
    if skeleton(&letters).all(|c| c.is_ascii()) {
        return Err(UserNameError::LookAlike);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        UserName::new(text).unwrap_or_else(|error| panic!("{text:?} {error}")).key
    }

    #[test]
    fn names_are_the_same_however_they_are_written() {
        for (one, other) in [
            ("Ada", "aDA"),
            ("jos\u{e9}", "jose\u{301}"),
            ("JOS\u{c9}", "jose\u{301}"),
            ("\u{ff41}\u{ff44}\u{ff41}", "ada"),
            ("\u{39c}\u{3b1}\u{3c1}\u{3af}\u{3b1}", "\u{3bc}\u{3b1}\u{3c1}\u{3af}\u{3b1}"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("ada"), key("adam"));
        assert_eq!(UserName::new("Jose\u{301}").unwrap().shown(), "Jos\u{e9}");
    }

    #[test]
    fn a_name_is_shown_as_it_was_written() {
        let name = UserName::new("Ada@Example.org").unwrap();
        assert_eq!((name.shown(), name.key()), ("Ada@Example.org", "ada@example.org"));
        assert_eq!(name.to_string(), "Ada@Example.org");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (text, error) in [
            ("", UserNameError::Length(0)),
            ("ada lovelace", UserNameError::Character),
            (" ada", UserNameError::Character),
            ("ada\n", UserNameError::Character),
            ("ada\0", UserNameError::Character),
            ("a\u{200b}da", UserNameError::Character),
            ("\u{202e}ada", UserNameError::Character),
            ("ad\u{2028}a", UserNameError::Character),
            ("\u{1f600}", UserNameError::Character),
        ] {
            assert_eq!(UserName::new(text), Err(error), "{text:?}");
        }
        assert_eq!(UserName::new(&"a".repeat(129)), Err(UserNameError::Length(129)));
        assert!(UserName::new(&"a".repeat(128)).is_ok());
        assert!(UserName::new(&"x".repeat(1 << 20)).is_err());
    }

    #[test]
    fn look_alikes_are_refused() {
        // Latin with a Cyrillic "a"; Latin with a Greek "o"; all Cyrillic, spelling "apple".
        assert_eq!(UserName::new("\u{430}dmin"), Err(UserNameError::Mixed));
        assert_eq!(UserName::new("r\u{3bf}\u{3bf}t"), Err(UserNameError::Mixed));
        let apple = "\u{430}\u{440}\u{440}\u{4cf}\u{435}";
        assert_eq!(UserName::new(apple), Err(UserNameError::LookAlike));
    }

    #[test]
    fn names_of_other_scripts_are_names() {
        for text in [
            "\u{438}\u{432}\u{430}\u{43d}",
            "\u{5d0}\u{5d1}\u{5d2}",
            "\u{5c71}\u{7530}",
            "m\u{fc}ller@example.org",
            "\u{645}\u{62d}\u{645}\u{62f}",
        ] {
            assert!(UserName::new(text).is_ok(), "{text}: {:?}", UserName::new(text));
        }
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(text in "\\PC{1,12}") {
            if let Ok(name) = UserName::new(&text) {
                let again = UserName::new(name.key());
                prop_assert_eq!(again.as_ref().map(UserName::key), Ok(name.key()));
                let shown = UserName::new(name.shown());
                prop_assert_eq!(shown.as_ref().map(UserName::key), Ok(name.key()));
            }
        }
    }
}
