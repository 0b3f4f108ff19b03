//! A TOML file, read key by key with its lines kept.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{About, Key};
use super::kind::{Kind, Shape, shown};
use super::mistake::{Mistakes, Place};
use super::suggest::closest;

/// Sections that are lists of tables, written `[[plugin]]`.
const LISTS: [&str; 2] = ["plugin", "instance"];

/// A file that was parsed as far as it can be.
#[derive(Debug)]
pub struct Document<'t> {
    name: Arc<str>,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    root: DeTable<'t>,
}

/// A table of a document: the root, or an entry of an array such as `[[plugin]]`.
#[derive(Clone, Copy, Debug)]
pub struct Table<'d> {
    document: &'d Document<'d>,
    keys: &'d DeTable<'d>,
    /// The path of the table itself: empty, or such as `plugin`.
    path: &'static str,
    line: usize,
}

impl<'t> Document<'t> {
    /// Parses what can be parsed. Faults of syntax become mistakes, and the rest is still read.
    pub fn parse(name: &str, text: &'t str, mistakes: &mut Mistakes) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let starts =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        let document = Self { name: name.into(), lines, root: root.into_inner() };
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            mistakes.add(document.place(offset), format!("{message}; correct the TOML here"));
        }
        document
    }

    pub fn root(&self) -> Table<'_> {
        Table { document: self, keys: &self.root, path: "", line: 1 }
    }

    /// Where something about the whole file belongs.
    pub fn whole(&self) -> Place {
        Place::Whole(self.name.clone())
    }

    /// Refuses every key that is not among `known`, and every section that is not a table. What is
    /// a list of tables instead, [`Table::entries`] checks.
    pub fn refuse_unknown(&self, known: &[&About], mistakes: &mut Mistakes) {
        self.walk(&self.root, "", known, mistakes);
    }

    fn walk(&self, table: &DeTable<'_>, path: &str, known: &[&About], mistakes: &mut Mistakes) {
        for (key, value) in table {
            let here = join(path, key.get_ref());
            if known.iter().any(|about| about.path == here) {
                continue;
            }
            let section = format!("{here}.");
            if !known.iter().any(|about| about.path.starts_with(&section)) {
                mistakes.add(self.place(key.span().start), unknown(path, key.get_ref(), known));
                continue;
            }
            match value.get_ref() {
                DeValue::Table(inner) => self.walk(inner, &here, known, mistakes),
                DeValue::Array(items) if LISTS.contains(&here.as_str()) => {
                    for item in items.iter().filter_map(|item| item.get_ref().as_table()) {
                        self.walk(item, &here, known, mistakes);
                    }
                }
                _ if LISTS.contains(&here.as_str()) => {}
                _ => mistakes.add(
                    self.place(key.span().start),
                    format!("{here} is a table; write [{here}] and its keys below"),
                ),
            }
        }
    }

    fn place(&self, offset: usize) -> Place {
        Place::Line(self.name.clone(), self.line(offset))
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).max(1)
    }
}

impl<'d> Table<'d> {
    /// Where the table begins.
    pub fn place(&self) -> Place {
        Place::Line(self.document.name.clone(), self.line)
    }

    pub fn line(&self) -> usize {
        self.line
    }

    /// Where something inside the table stands.
    pub fn place_of<T>(&self, value: &Spanned<T>) -> Place {
        self.document.place(value.span().start)
    }

    /// Where a key of this table is written; the table's own place if it is not.
    pub fn place_of_key<T>(&self, key: &Key<T>) -> Place {
        self.find(key.about.path).map_or_else(|| self.place(), |value| self.place_of(value))
    }

    /// The value of a key. `None` if it isn't written, or if it is wrong, which is then a mistake.
    pub fn read<T>(&self, key: &Key<T>, mistakes: &mut Mistakes) -> Option<T> {
        let (place, items) = self.texts(&key.about)?;
        let read = items.and_then(|items| key.parse(&items));
        read.map_err(|problem| mistakes.add(place, self.problem(&key.about, &problem))).ok()
    }

    /// Where a key is written, and the text or texts of its value, or what is wrong with its type.
    pub(crate) fn texts(&self, about: &About) -> Option<(Place, Result<Vec<String>, String>)> {
        let value = self.find(about.path)?;
        Some((self.place_of(value), texts(value.get_ref(), &about.kind)))
    }

    /// A problem of a key's value with that value in front.
    pub(crate) fn problem(&self, about: &About, problem: &str) -> String {
        let value = self.find(about.path).filter(|_| !about.is_secret);
        let written =
            value.map_or_else(|| "(not shown)".to_owned(), |value| written(value.get_ref()));
        format!("{} = {written}: {problem}", about.path)
    }

    /// As [`Table::read`], and the key must be there.
    pub fn require<T>(&self, key: &Key<T>, mistakes: &mut Mistakes) -> Option<T> {
        if self.find(key.about.path).is_none() {
            let kind = key.about.kind.words();
            mistakes.add(self.place(), format!("{} is missing here; write {kind}", key.about.path));
        }
        self.read(key, mistakes)
    }

    /// A table of free keys.
    pub fn free(&self, key: &Key<()>, mistakes: &mut Mistakes) -> Option<&'d DeTable<'d>> {
        let value = self.find(key.about.path)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            let (path, words) = (key.about.path, key.about.kind.words());
            mistakes.add(
                self.place_of(value),
                format!("{path} = {}: write {words}", written(value.get_ref())),
            );
        }
        table
    }

    /// The entries of an array of tables, such as every `[[plugin]]`.
    pub fn entries(&self, name: &'static str, mistakes: &mut Mistakes) -> Vec<Table<'d>> {
        let Some(value) = self.find(name) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            mistakes.add(
                self.place_of(value),
                format!("{name} is a list of tables; write [[{name}]] above each"),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.entry(name, item, mistakes)).collect()
    }

    fn entry(
        &self,
        name: &'static str,
        item: &'d Spanned<DeValue<'d>>,
        mistakes: &mut Mistakes,
    ) -> Option<Table<'d>> {
        let line = self.document.line(item.span().start);
        let table = item.get_ref().as_table();
        if table.is_none() {
            mistakes.add(
                self.place_of(item),
                format!("{name} is a list of tables; write [[{name}]] above each"),
            );
        }
        Some(Table { document: self.document, keys: table?, path: name, line })
    }

    /// Follows the dots of a path from this table on.
    fn find(&self, path: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        let below = path.strip_prefix(self.path).unwrap_or(path).trim_start_matches('.');
        let (sections, name) = below.rsplit_once('.').map_or((None, below), |(s, n)| (Some(s), n));
        let mut table = self.keys;
        for section in sections.into_iter().flat_map(|sections| sections.split('.')) {
            table = table.get(section)?.get_ref().as_table()?;
        }
        table.get(name)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn unknown(path: &str, key: &str, known: &[&About]) -> String {
    let here = join(path, key);
    let problem = format!("{} is not a key that Outboard knows", shown(&here));
    match meant(path, key, known) {
        Some(meant) => format!("{problem}; did you mean {meant:?}?"),
        None => format!("{problem}; remove it (`outboard config reference` lists all keys)"),
    }
}

/// The key that was probably meant: a neighbour of nearly that name, or one of exactly that name
/// elsewhere.
fn meant(path: &str, key: &str, known: &[&About]) -> Option<String> {
    let prefix = join(path, "");
    let neighbours = known.iter().filter_map(|about| about.path.strip_prefix(prefix.as_str()));
    let neighbours = neighbours.map(|rest| rest.split('.').next().unwrap_or(rest));
    if let Some(neighbour) = closest(key, neighbours) {
        return Some(join(path, neighbour));
    }
    let elsewhere = known.iter().find(|about| about.path.rsplit('.').next() == Some(key));
    elsewhere.map(|about| about.path.to_owned())
}

/// The texts that stand for a value of that kind: one, or those of a list.
fn texts(value: &DeValue<'_>, kind: &Kind) -> Result<Vec<String>, String> {
    match (kind.shape(), value) {
        (Shape::Texts, DeValue::Array(items)) => {
            items.iter().map(|item| scalar(item.get_ref(), Shape::Text, kind)).collect()
        }
        (Shape::Numbers, DeValue::Array(items)) => {
            items.iter().map(|item| scalar(item.get_ref(), Shape::Number, kind)).collect()
        }
        (shape, value) => scalar(value, shape, kind).map(|text| vec![text]),
    }
}

fn scalar(value: &DeValue<'_>, shape: Shape, kind: &Kind) -> Result<String, String> {
    match (shape, value) {
        (Shape::Text, DeValue::String(text)) => Ok(text.to_string()),
        (Shape::Boolean, DeValue::Boolean(value)) => Ok(value.to_string()),
        (Shape::Number, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix())
                .map(|number| number.to_string())
                .map_err(|_| format!("write {}", kind.words()))
        }
        (Shape::Text, DeValue::Integer(number)) => Err(unitless(number.as_str(), kind)),
        (Shape::Text, _) => Err(format!("write {}, in quotes", kind.words())),
        (Shape::Number | Shape::Boolean, DeValue::String(_)) => {
            Err(format!("write {}, without quotes", kind.words()))
        }
        (Shape::Texts, DeValue::String(text)) => Err(format!("write a list: [{}]", shown(text))),
        _ => Err(format!("write {}", kind.words())),
    }
}

fn unitless(number: &str, kind: &Kind) -> String {
    match kind {
        Kind::Duration { .. } => {
            format!("a time needs a unit (ms, s, m, h); write \"{number}s\" if seconds are meant")
        }
        Kind::Size { .. } => format!(
            "a size needs a unit (B, KiB, MiB, GiB); write \"{number}B\" if bytes are meant"
        ),
        _ => format!("write {}, in quotes", kind.words()),
    }
}

/// A value as it stands in the file, or what it is where it is long.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => shown(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) if items.len() <= 20 => {
            let texts: Vec<String> = items.iter().map(|item| written(item.get_ref())).collect();
            let list = format!("[{}]", texts.join(", "));
            if list.chars().count() <= 80 { list } else { "[...]".to_owned() }
        }
        DeValue::Array(_) => "[...]".to_owned(),
        DeValue::Table(_) => "{...}".to_owned(),
    }
}
