//! Secrets: named in the configuration, read only when an instance that refers to them is initialised.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use outboard_core::config::parameters;
use serde_json::{Map, Value};

/// Where each secret is kept. Never printed with what is in there.
#[derive(Clone, Default)]
pub struct Secrets {
    sources: BTreeMap<String, Source>,
}

#[derive(Clone)]
pub enum Source {
    /// The file's content, without a final newline.
    File(PathBuf),
    /// The value of the supervisor's variable; `None` where it is not set.
    Variable { name: String, value: Option<OsString> },
}

/// Tells parameters with their secrets in place from others, without keeping them. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secrets {
    pub fn new(sources: BTreeMap<String, Source>) -> Self {
        Self { sources }
    }

    /// `parameters` with each secret in its place.
    pub(super) fn put_into(
        &self,
        parameters: &Map<String, Value>,
    ) -> Result<Map<String, Value>, String> {
        let mut values = BTreeMap::new();
        for name in parameters::secret_names(parameters) {
            values.insert(name, self.read(name)?);
        }
        parameters::resolve(parameters, &|name| values.get(name).cloned())
    }

    /// Of `parameters` with the secrets as they are now; one that can't be read counts with its reason.
    pub(super) fn fingerprint(&self, parameters: &Map<String, Value>) -> Fingerprint {
        let told = self.put_into(parameters);
        let text = told.map_or_else(|reason| reason, |told| Value::Object(told).to_string());
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Fingerprint(fingerprint)
    }

    fn read(&self, name: &str) -> Result<String, String> {
        match self.sources.get(name) {
            None => Err(format!(
                "secret {name:?} is not known here; add it to [secrets] in outboard.toml, and refer to it \
                 in an [[instance]] there, since a manifest can't"
            )),
            Some(Source::File(path)) => {
                let text = fs::read_to_string(path).map_err(|error| {
                    format!("secret {name:?}: {}: {error}; check the file", path.display())
                })?;
                Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
            }
            Some(Source::Variable { name: variable, value }) => match value {
                None => Err(format!("secret {name:?}: the variable {variable} is not set; set it")),
                Some(value) => value.clone().into_string().map_err(|_| {
                    format!("secret {name:?}: the variable {variable} is not UTF-8; correct it")
                }),
            },
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.sources.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        let value = Some(OsString::from("s3cret"));
        Secrets::new(BTreeMap::from([
            ("set".to_owned(), Source::Variable { name: "TOKEN".to_owned(), value }),
            ("unset".to_owned(), Source::Variable { name: "GONE".to_owned(), value: None }),
            ("file".to_owned(), Source::File(PathBuf::from("/nonexistent/token"))),
        ]))
    }

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("not an object") };
        object
    }

    #[test]
    fn references_are_replaced_at_any_depth_and_nothing_else_is() {
        let parameters =
            object(json!({"a": [{"b": {"secret": "set"}}], "secret": 1, "c": "secret"}));
        let resolved = secrets().put_into(&parameters).unwrap();
        assert_eq!(resolved, object(json!({"a": [{"b": "s3cret"}], "secret": 1, "c": "secret"})));
    }

    #[test]
    fn a_changed_secret_changes_the_fingerprint_of_those_who_use_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("word");
        let sources = BTreeMap::from([("word".to_owned(), Source::File(file.clone()))]);
        let (uses, does_not) = (object(json!({"a": {"secret": "word"}})), object(json!({"a": 1})));
        let fingerprints = || {
            let secrets = Secrets::new(sources.clone());
            (secrets.fingerprint(&uses), secrets.fingerprint(&does_not))
        };
        let missing = fingerprints();
        fs::write(&file, "one").unwrap();
        let one = fingerprints();
        assert_eq!(one, fingerprints());
        fs::write(&file, "two").unwrap();
        let two = fingerprints();
        assert!(missing.0 != one.0 && one.0 != two.0);
        assert!(missing.1 == one.1 && one.1 == two.1);
    }

    #[test]
    fn a_secret_that_can_not_be_read_says_where_to_look_and_tells_no_secret() {
        for (name, hint) in
            [("unset", "GONE"), ("file", "/nonexistent/token"), ("new", "[secrets]")]
        {
            let error = secrets().put_into(&object(json!({"a": {"secret": name}}))).unwrap_err();
            assert!(error.contains(hint), "{error}");
        }
        assert!(!format!("{:?}", secrets()).contains("s3cret"));
    }
}
