//! The layers of a setting: a flag goes before a variable, our own variable before one of Proctor's, and that
//! before the file.
//!
//! Whatever is written in any layer must be right, also where another layer goes before it: what is
//! wrong and unused today is used tomorrow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::keys::SETTINGS;
use super::{RawConfig, Setting, proctor};
use crate::written::{About, Key, Mistakes, Place, Table, closest, shown};

/// Variables of these names are no settings, but may be set for other reasons.
const OTHER_VARIABLES: [&str; 3] = [
    "OUTBOARD_CONFIG",
    // Of the plugin wire: a supervisor may itself be somebody's plugin.
    outboard_proto::env::COOKIE_KEY,
    outboard_proto::env::HOST_ADDRESS,
];

pub(super) struct Layers<'a> {
    raw: &'a RawConfig,
    pub(super) file: Option<Table<'a>>,
    pub(super) mistakes: Mistakes,
    pub(super) settings: Vec<Setting>,
}

/// A value in one layer: its text or texts, or what is wrong with its type.
struct Written {
    place: Place,
    items: Result<Vec<String>, String>,
    is_in_file: bool,
}

impl<'a> Layers<'a> {
    pub(super) fn new(raw: &'a RawConfig, file: Option<Table<'a>>, mistakes: Mistakes) -> Self {
        Self { raw, file, mistakes, settings: Vec::new() }
    }

    /// The value of a key that has a default.
    pub(super) fn read<T>(&mut self, key: &Key<T>) -> T {
        self.read_written(key).map_or_else(|| key.default_value(), |(value, _)| value)
    }

    /// The value of a key, if it is written.
    pub(super) fn read_optional<T>(&mut self, key: &Key<T>) -> Option<T> {
        self.read_written(key).map(|(value, _)| value)
    }

    /// A path, made absolute: relative ones begin where they are written.
    pub(super) fn read_path(&mut self, key: &Key<PathBuf>) -> Option<PathBuf> {
        self.read_written(key).map(|(path, is_in_file)| self.absolute(&path, is_in_file))
    }

    /// The value from the first layer that has one, and whether that is the file.
    pub(super) fn read_written<T>(&mut self, key: &Key<T>) -> Option<(T, bool)> {
        let mut first = None;
        let mut is_right = true;
        for Written { place, items, is_in_file } in self.written(&key.about) {
            match items.as_deref().map_err(ToOwned::to_owned).and_then(|items| key.parse(items)) {
                Ok(value) if first.is_none() && is_right => {
                    self.note(&key.about, items.unwrap_or_default(), Some(place));
                    first = Some((value, is_in_file));
                }
                Ok(_) => {}
                Err(problem) => {
                    is_right = false;
                    let message = self.problem(&key.about, &problem, &place, is_in_file);
                    self.mistakes.add(place, message);
                }
            }
        }
        if first.is_none() {
            let default = key.about.default.map(str::to_owned).into_iter().collect();
            self.note(&key.about, default, None);
        }
        first
    }

    /// Where a mistake belongs that only shows between two values: to the first that is written.
    pub(super) fn place_of_either(&self, one: &About, other: &About) -> Place {
        let mut written = self.written(one).into_iter().chain(self.written(other));
        written.next().map_or_else(|| Place::Whole(one.path.into()), |written| written.place)
    }

    /// Where a setting is written; the setting itself if nowhere.
    pub(super) fn place_of(&self, about: &About) -> Place {
        self.place_of_either(about, about)
    }

    /// Whether a setting is written anywhere, rightly or wrongly.
    pub(super) fn is_written(&self, about: &About) -> bool {
        !self.written(about).is_empty()
    }

    /// A mistake: `written` means nothing without `missing`.
    pub(super) fn refuse_alone<T>(&mut self, written: &About, missing: &About) -> Option<T> {
        if self.is_written(missing) {
            // It is there, and what is wrong with it was told.
            return None;
        }
        let place = self.place_of_either(written, missing);
        let message =
            format!("{} needs {} as well; set both or neither", written.path, missing.path);
        self.mistakes.add(place, message);
        None
    }

    pub(super) fn absolute(&self, path: &Path, is_in_file: bool) -> PathBuf {
        self.raw.base(is_in_file).join(path).components().collect()
    }

    /// All variables that were read.
    pub(super) fn variables(&self) -> &'a BTreeMap<String, String> {
        &self.raw.variables
    }

    fn written(&self, about: &About) -> Vec<Written> {
        let flag = self.raw.flags.get(about.path).map(|text| Written {
            place: Place::Flag(format!("--{}", about.flag())),
            items: Ok(about.items(text)),
            is_in_file: false,
        });
        let variable = self.raw.variables.get(&about.variable()).map(|text| Written {
            place: Place::Variable(about.variable()),
            items: Ok(about.items(text)),
            is_in_file: false,
        });
        let proctor = proctor::values(about.path, &self.raw.variables).into_iter();
        let proctor = proctor.map(|proctor::Value { variable, items }| Written {
            place: Place::Variable(variable.to_owned()),
            items,
            is_in_file: false,
        });
        let file = self.file.and_then(|table| table.texts(about));
        let file = file.map(|(place, items)| Written { place, items, is_in_file: true });
        flag.into_iter().chain(variable).chain(proctor).chain(file).collect()
    }

    fn problem(&self, about: &About, problem: &str, place: &Place, is_in_file: bool) -> String {
        let text = match place {
            _ if about.is_secret => None,
            Place::Flag(_) => self.raw.flags.get(about.path),
            Place::Variable(name) => self.raw.variables.get(name),
            _ => None,
        };
        match (self.file, text) {
            (Some(table), _) if is_in_file => table.problem(about, problem),
            (_, Some(text)) => format!("{}: {problem}", shown(text)),
            (_, None) => problem.to_owned(),
        }
    }

    fn note(&mut self, about: &About, items: Vec<String>, place: Option<Place>) {
        let known = SETTINGS.iter().find(|known| known.path == about.path);
        self.settings.extend(known.map(|about| Setting { about, items, place }));
    }

    /// Refuses `OUTBOARD_` variables that mean nothing, which are likely to be mistyped. `used` are
    /// names that the configuration itself reads as secrets.
    pub(super) fn refuse_unknown_variables(&mut self, used: &[&str]) {
        let known: Vec<String> = SETTINGS.iter().map(|about| about.variable()).collect();
        let variables = self.raw.variables.iter().filter(|(name, _)| name.starts_with("OUTBOARD_"));
        for (name, value) in variables {
            let is_known = known.contains(name)
                || OTHER_VARIABLES.contains(&name.as_str())
                || used.contains(&name.as_str())
                || name.starts_with("OUTBOARD_TEST_")
                || is_service_link(name, value);
            if !is_known {
                let advice = meant(name).map_or_else(
                    || "unset it (`outboard config reference` lists all variables)".to_owned(),
                    |meant| format!("did you mean {meant}?"),
                );
                let message = format!("Outboard knows no such variable; {advice}");
                self.mistakes.add(Place::Variable(name.clone()), message);
            }
        }
    }
}

/// The variable that was probably meant: one of nearly that name, or one whose flag is nearly that.
fn meant(name: &str) -> Option<String> {
    let variables: Vec<String> = SETTINGS.iter().map(|about| about.variable()).collect();
    if let Some(meant) = closest(name, variables.iter().map(String::as_str)) {
        return Some(meant.to_owned());
    }
    let flag = name.strip_prefix("OUTBOARD_")?.replace('_', "-");
    let flags: Vec<String> = SETTINGS.iter().map(|about| about.flag()).collect();
    let meant = closest(&flag, flags.iter().map(String::as_str))?;
    SETTINGS.iter().find(|about| about.flag() == meant).map(|about| about.variable())
}

/// Whether a variable is one that Kubernetes and Docker set in every container for a service called
/// `outboard` or `outboard-something`.
fn is_service_link(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_TCP_")
        || name.contains("_UDP_")
        || ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}
