//! Whose a token is. Gate does not say: with any valid token it gives anybody's profile, so that a user could
//! claim to be another one. Either the operator writes down who owns which token, or accepts that on purpose.
//!
//! What is written down is the SHA-256 of a token. Gate's tokens are long and random, so nothing can be guessed
//! from it.

use std::collections::BTreeMap;

use outboard_sdk::{AuthError, Problems, RefusalReason};
use sha2::{Digest as _, Sha256};

/// How a token is tied to a person. One of these must be chosen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Not at all.
    Unbound,
    /// By the SHA-256 of the token, by e-mail in lower case.
    Owners(BTreeMap<String, Hash>),
}

/// SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash([u8; 32]);

impl Binding {
    /// What the operator has chosen.
    pub(crate) fn new(
        accept_unbound_tokens: bool,
        token_owners: Option<BTreeMap<String, String>>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        match token_owners {
            None if accept_unbound_tokens => return Ok(Self::Unbound),
            None => problems.add("", UNBOUND),
            Some(_) if accept_unbound_tokens => problems.add(
                "/accept_unbound_tokens",
                "contradicts token_owners, which ties each token to a person; remove one of the two",
            ),
            Some(owners) => return read(owners),
        }
        Err(problems)
    }

    /// Judges a claim before Gate is asked.
    pub(crate) fn check(&self, email: &str, token: &str) -> Result<(), AuthError> {
        let Self::Owners(owners) = self else { return Ok(()) };
        let hash = Hash::of(token);
        let (reason, why) = match owners.get(&email.to_ascii_lowercase()) {
            Some(own) if *own == hash => return Ok(()),
            None => (RefusalReason::User, format!("{email} is not in token_owners")),
            Some(_) if owners.values().any(|other| *other == hash) => (
                RefusalReason::Owner,
                format!("the token is not that of {email} but of somebody else"),
            ),
            Some(_) => {
                let why = "a regenerated token must be written there, too";
                (RefusalReason::Token, format!("token_owners has another token for {email}; {why}"))
            }
        };
        Err(AuthError::refuse(reason, why))
    }
}

const UNBOUND: &str = "Gate does not say whose a token is: with any valid token somebody can claim any e-mail; \
    write token_owners (e-mail = SHA-256 of the token in hex), or accept that with accept_unbound_tokens = true";

fn read(written: BTreeMap<String, String>) -> Result<Binding, Problems> {
    let mut problems = Problems::default();
    let mut owners = BTreeMap::new();
    if written.is_empty() {
        problems.add("/token_owners", "is empty, so nobody could get in; add an e-mail and a hash");
    }
    for (email, text) in written {
        let pointer = format!("/token_owners/{}", email.replace('~', "~0").replace('/', "~1"));
        let Some(hash) = Hash::parse(&text) else {
            problems.add(pointer, "must be the SHA-256 of the token: 64 hexadecimal digits");
            continue;
        };
        if !email.contains('@') {
            problems.add(&pointer, "is not an e-mail address");
        }
        if owners.values().any(|other| *other == hash) {
            problems.add(&pointer, "has the token of another e-mail; a token has one owner");
        }
        if owners.insert(email.to_ascii_lowercase(), hash).is_some() {
            problems.add(pointer, "is there twice; upper and lower case are the same");
        }
    }
    problems.or(Binding::Owners(owners))
}

impl Hash {
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            *byte = u8::try_from(high? * 16 + low?).ok()?;
        }
        Some(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf %s ANNS-TOKEN | sha256sum
    const ANNS: &str = "ANNS-TOKEN";
    const BOBS: &str = "BOBS-TOKEN";

    fn hex(token: &str) -> String {
        Hash::of(token).0.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    fn table(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(email, hash)| ((*email).into(), (*hash).into())).collect()
    }

    fn bound(entries: &[(&str, &str)]) -> Result<Binding, Problems> {
        Binding::new(false, Some(table(entries)))
    }

    fn owners() -> Binding {
        let (ann, bob) = (hex(ANNS), hex(BOBS).to_uppercase());
        bound(&[("Ann@example.org", &ann), ("bob@example.org", &bob)]).unwrap()
    }

    #[track_caller]
    fn refused(binding: Result<Binding, Problems>, pointer: &str, words: &str) {
        let problems = binding.unwrap_err();
        let found = problems.iter().any(|it| it.pointer == pointer && it.message.contains(words));
        assert!(found, "{problems:?}");
    }

    #[test]
    fn n10_without_a_choice_nothing_starts_and_the_reason_is_told() {
        refused(Binding::new(false, None), "", "accept_unbound_tokens = true");
        refused(Binding::new(false, None), "", "token_owners");
    }

    #[test]
    fn n10_a_token_is_good_for_its_owner_alone() {
        let owners = owners();
        assert_eq!(owners.check("ann@example.org", ANNS), Ok(()));
        assert_eq!(owners.check("ANN@EXAMPLE.ORG", ANNS), Ok(()));
        assert_eq!(owners.check("bob@example.org", BOBS), Ok(()));
        for (email, token, reason) in [
            ("bob@example.org", ANNS, RefusalReason::Owner),
            ("bob@example.org", "other", RefusalReason::Token),
            ("eve@example.org", ANNS, RefusalReason::User),
        ] {
            assert_eq!(owners.check(email, token).unwrap_err().refusal(), Some(reason), "{email}");
        }
    }

    #[test]
    fn n10_unbound_tokens_pass_where_the_operator_accepts_them() {
        let unbound = Binding::new(true, None).unwrap();
        assert_eq!(unbound.check("bob@example.org", ANNS), Ok(()));
    }

    #[test]
    fn a_refusal_never_shows_the_token() {
        for (email, token) in
            [("bob@example.org", ANNS), ("bob@example.org", "x-y-z"), ("eve@x", "x-y-z")]
        {
            let shown = format!("{:?}", owners().check(email, token));
            assert!(!shown.contains(token), "{shown}");
        }
    }

    #[test]
    fn mistakes_in_the_table_are_pointed_at() {
        let both = Binding::new(true, Some(table(&[("a@x", &hex("a"))])));
        refused(both, "/accept_unbound_tokens", "contradicts");
        refused(bound(&[]), "/token_owners", "is empty");
        refused(bound(&[("a/b@x", "sesame")]), "/token_owners/a~1b@x", "64");
        refused(bound(&[("ann", &hex("a"))]), "/token_owners/ann", "e-mail");
        let one_token = bound(&[("a@x", &hex("a")), ("b@x", &hex("a"))]);
        refused(one_token, "/token_owners/b@x", "one owner");
        let one_user = bound(&[("A@x", &hex("a")), ("a@x", &hex("b"))]);
        refused(one_user, "/token_owners/a@x", "twice");
        let shown = bound(&[("a@x", "sesame")]).unwrap_err();
        assert!(!format!("{shown:?}").contains("sesame"));
    }

    #[test]
    fn a_hash_is_what_sha256sum_prints() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::parse(known), Some(Hash::of("abc")));
        assert_eq!(Hash::parse(&known[1..]), None);
        assert_eq!(Hash::parse(&format!("g{}", &known[1..])), None);
    }
}
