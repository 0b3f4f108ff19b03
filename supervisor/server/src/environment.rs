//! The supervisor's own environment, read once, in `main`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Passed to every plugin where it is set; the rest only where a manifest asks for it.
const COMMON: [&str; 3] = ["PATH", "LANG", "TZ"];

/// Without `PATH` no interpreter is found.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().collect())
    }

    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// All variables whose names begin so.
    pub fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let all = self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        all.filter(move |(name, _)| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
    }

    /// Where interpreters are looked for.
    pub fn path(&self) -> &OsStr {
        self.get("PATH").unwrap_or(OsStr::new(PATH))
    }

    /// What a plugin gets of it, given the names that its manifest passes on.
    pub fn for_plugin(&self, asked: &[String]) -> Vec<(OsString, OsString)> {
        let asked = asked.iter().map(String::as_str).filter(|name| !COMMON.contains(name));
        let set = COMMON.into_iter().chain(asked);
        let mut variables: Vec<(OsString, OsString)> =
            set.filter_map(|name| Some((name.into(), self.get(name)?.to_owned()))).collect();
        if self.get("PATH").is_none() {
            variables.push(("PATH".into(), PATH.into()));
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_gets_what_it_asks_for_and_nothing_else() {
        let environment = Environment::new(
            [("PATH", "/bin"), ("TOKEN", "t"), ("OTHER", "o"), ("TZ", "UTC")]
                .map(|(name, value)| (name.into(), value.into())),
        );
        let given = environment.for_plugin(&["TOKEN".to_owned(), "UNSET".to_owned()]);
        let names: Vec<_> = given.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["PATH", "TZ", "TOKEN"]);
    }
}
