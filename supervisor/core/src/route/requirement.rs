//! Who may send requests to an endpoint.

/// Most scopes of one endpoint.
const MOST_SCOPES: usize = 32;
/// Longest name of a scope, in characters.
const LONGEST_SCOPE: usize = 128;

/// What the host sees to before a plugin gets a request. Default: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Somebody is signed in.
    pub signed_in: bool,
    /// The session satisfies all of these.
    pub scopes: Vec<String>,
    /// An API key with all of the scopes will do, too.
    pub api_key: bool,
}

impl Requirement {
    /// Whether everybody may.
    pub fn is_none(&self) -> bool {
        !self.signed_in && self.scopes.is_empty() && !self.api_key
    }

    /// What all of a chain require together. `None`: nothing.
    pub fn all<'r>(of: impl IntoIterator<Item = &'r Self>) -> Option<Self> {
        let mut all: Option<Self> = None;
        for next in of {
            let all = all.get_or_insert_with(|| Self { api_key: true, ..Self::default() });
            all.signed_in |= next.signed_in;
            all.api_key &= next.api_key;
            for scope in &next.scopes {
                if !all.scopes.contains(scope) {
                    all.scopes.push(scope.clone());
                }
            }
        }
        all
    }

    /// It, if it requires anything, or what is wrong with it.
    pub(super) fn check(self) -> Result<Option<Box<Self>>, RequirementError> {
        if self.scopes.len() > MOST_SCOPES {
            return Err(RequirementError::Many(self.scopes.len()));
        }
        match self.scopes.iter().find(|scope| !is_name(scope)) {
            Some(scope) => Err(RequirementError::Name(scope.clone())),
            None if self.is_none() => Ok(None),
            None => Ok(Some(Box::new(self))),
        }
    }
}

/// Lists of scopes are written with spaces between them.
fn is_name(scope: &str) -> bool {
    (1..=LONGEST_SCOPE).contains(&scope.chars().count())
        && !scope.chars().any(|char| char.is_whitespace() || char.is_control())
}

/// Why nobody can be held to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    #[error("it requires {0} scopes, more than {MOST_SCOPES}; require fewer")]
    Many(usize),
    #[error(
        "it requires the scope {0:?}, which is no name; use 1 to {LONGEST_SCOPE} characters without spaces"
    )]
    Name(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn require(scopes: &[&str], api_key: bool) -> Requirement {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        Requirement { signed_in: false, scopes, api_key }
    }

    #[test]
    fn a_chain_requires_what_all_of_it_do() {
        assert_eq!(Requirement::all([]), None);
        let (a, b) = (require(&["a", "b"], true), require(&["b", "c"], true));
        let all = Requirement::all([&a, &b]).unwrap();
        assert_eq!((&all.scopes[..], all.api_key), (&["a", "b", "c"].map(String::from)[..], true));
        let signed_in = Requirement { signed_in: true, ..Requirement::default() };
        let all = Requirement::all([&a, &signed_in]).unwrap();
        assert!(all.signed_in && !all.api_key, "one of them takes no key");
    }

    #[test]
    fn a_requirement_is_one_that_somebody_can_fulfil() {
        assert_eq!(Requirement::default().check(), Ok(None));
        assert!(require(&["g_admin"], false).check().unwrap().is_some());
        assert!(require(&[], true).check().unwrap().is_some());
        let long = "x".repeat(129);
        for bad in ["", "a b", "a\n", "a\u{a0}b", &long] {
            assert_eq!(require(&[bad], false).check(), Err(RequirementError::Name(bad.to_owned())));
        }
        assert_eq!(require(&["a"; 33], false).check(), Err(RequirementError::Many(33)));
        assert!(require(&["a"; 32], false).check().is_ok());
    }
}
