//! One thing that can be written: the single definition that parser, reference and `--help` share.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use super::kind::{self, Choice, Kind};

/// What is known of a key without its type.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name with the tables it stands in, such as `gateway.listen`.
    pub path: &'static str,
    pub kind: Kind,
    /// As it would be written. `None`: the doc says what holds instead.
    pub default: Option<&'static str>,
    /// For people, in sentences.
    pub doc: &'static str,
    /// A shorter name for its flag than its path gives.
    short_flag: Option<&'static str>,
    /// True: never repeated in a message, since it may hold a password.
    pub is_secret: bool,
    /// True: a change needs a new start of the supervisor; a reload keeps the old value.
    pub needs_restart: bool,
}

/// A key whose values are of type `T`.
#[derive(Debug)]
#[must_use]
pub struct Key<T: 'static> {
    pub about: About,
    reader: Reader<T>,
}

#[derive(Debug)]
enum Reader<T: 'static> {
    Text(fn(&str) -> Result<T, String>),
    Bounded(fn(&str, &Kind) -> Result<T, String>),
    List(fn(&[String], &Kind) -> Result<T, String>),
}

impl About {
    /// `OUTBOARD_` and the path in capitals.
    pub fn variable(&self) -> String {
        format!("OUTBOARD_{}", self.path.replace('.', "_").to_uppercase())
    }

    /// The items of a text from a variable or flag: those between commas for a list, else the text.
    pub(crate) fn items(&self, text: &str) -> Vec<String> {
        match self.kind {
            Kind::List(_) | Kind::Counts { .. } => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
            _ => vec![text.to_owned()],
        }
    }

    /// The flag's name without its dashes.
    pub fn flag(&self) -> String {
        self.short_flag.map_or_else(|| self.path.replace(['.', '_'], "-"), str::to_owned)
    }
}

impl<T> Key<T> {
    const fn new(path: &'static str, kind: Kind, reader: Reader<T>) -> Self {
        let about = About {
            path,
            kind,
            default: None,
            doc: "",
            short_flag: None,
            is_secret: false,
            needs_restart: false,
        };
        Self { about, reader }
    }

    /// Text of a form that only `parse` knows; its errors say what to write.
    pub const fn text(
        path: &'static str,
        words: &'static str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Self {
        Self::new(path, Kind::Text(words), Reader::Text(parse))
    }

    /// A list whose items `parse` reads one by one.
    pub const fn list(
        path: &'static str,
        words: &'static str,
        parse: fn(&[String], &Kind) -> Result<T, String>,
    ) -> Self {
        Self::new(path, Kind::List(words), Reader::List(parse))
    }

    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.about.doc = doc;
        self
    }

    pub const fn default(mut self, text: &'static str) -> Self {
        self.about.default = Some(text);
        self
    }

    pub const fn flag(mut self, name: &'static str) -> Self {
        self.about.short_flag = Some(name);
        self
    }

    pub const fn secret(mut self) -> Self {
        self.about.is_secret = true;
        self
    }

    pub const fn needs_restart(mut self) -> Self {
        self.about.needs_restart = true;
        self
    }

    /// The value that one text, or the items of a list, stand for.
    pub(crate) fn parse(&self, items: &[String]) -> Result<T, String> {
        let first = items.first().map_or("", String::as_str);
        match self.reader {
            Reader::Text(parse) => parse(first),
            Reader::Bounded(parse) => parse(first, &self.about.kind),
            Reader::List(parse) => parse(items, &self.about.kind),
        }
    }

    /// The default of a key that has one.
    ///
    /// # Panics
    /// If the table of keys is wrong, which its test rules out.
    pub fn default_value(&self) -> T {
        let text = self.about.default.expect("only asked of keys that have a default");
        self.parse(&self.about.items(text)).expect("a test reads every default")
    }
}

impl Key<PathBuf> {
    pub const fn path(path: &'static str) -> Self {
        Self::new(path, Kind::Path, Reader::Text(path_from))
    }
}

impl Key<bool> {
    pub const fn switch(path: &'static str) -> Self {
        Self::new(path, Kind::Switch, Reader::Text(kind::switch))
    }
}

impl Key<u32> {
    pub const fn count(path: &'static str, min: u32, max: u32) -> Self {
        Self::new(path, Kind::Count { min, max }, Reader::Bounded(kind::count))
    }
}

impl Key<Vec<u32>> {
    pub const fn counts(path: &'static str, min: u32, max: u32) -> Self {
        Self::new(path, Kind::Counts { min, max }, Reader::List(counts_from))
    }
}

impl Key<Duration> {
    pub const fn duration(path: &'static str, min: Duration, max: Duration) -> Self {
        Self::new(path, Kind::Duration { min, max }, Reader::Bounded(kind::duration))
    }
}

impl Key<ByteSize> {
    pub const fn size(path: &'static str, min: ByteSize, max: ByteSize) -> Self {
        Self::new(path, Kind::Size { min, max }, Reader::Bounded(kind::size))
    }
}

impl<C: Choice> Key<C> {
    pub const fn choice(path: &'static str) -> Self {
        Self::new(path, Kind::Choice(kind::words_of::<C>), Reader::Bounded(kind::choice))
    }
}

/// A table whose keys the writer chooses; its owner reads it, this only describes it.
impl Key<()> {
    pub const fn table(path: &'static str, words: &'static str) -> Self {
        Self::new(path, Kind::Table(words), Reader::Text(|_| Err("write a table".to_owned())))
    }
}

fn counts_from(items: &[String], kind: &Kind) -> Result<Vec<u32>, String> {
    items.iter().map(|item| kind::count(item, kind)).collect()
}

fn path_from(text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() {
        return Err("write a path".to_owned());
    }
    if text.contains('\0') {
        return Err("a path can't contain a NUL character".to_owned());
    }
    Ok(PathBuf::from(text))
}
