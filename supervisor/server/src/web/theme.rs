//! What the pages look like: the templates and files that are built in, and an operator's own beside them or in their
//! place. All of it is read and judged once, at the start.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::digest::{Context as Digest, SHA256};
use bytes::Bytes;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};

use super::show::hex;

const TEMPLATES: [(&str, &str); 13] = [
    ("base.html", include_str!("templates/base.html")),
    ("choose.html", include_str!("templates/choose.html")),
    ("consent.html", include_str!("templates/consent.html")),
    ("device.html", include_str!("templates/device.html")),
    ("login.html", include_str!("templates/login.html")),
    ("logout.html", include_str!("templates/logout.html")),
    ("message.html", include_str!("templates/message.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("password.html", include_str!("templates/password.html")),
    ("profile.html", include_str!("templates/profile.html")),
    ("register.html", include_str!("templates/register.html")),
    ("scheme.html", include_str!("templates/scheme.html")),
    ("select.html", include_str!("templates/select.html")),
];

const ASSETS: [(&str, &[u8]); 3] = [
    ("icon.svg", include_bytes!("assets/icon.svg")),
    ("pages.css", include_bytes!("assets/pages.css")),
    ("webauthn.js", include_bytes!("assets/webauthn.js")),
];

/// What a browser takes a file for, by the end of its name. Scripts are none of a theme's business.
const KINDS: [(&str, &str); 8] = [
    ("css", "text/css; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpg", "image/jpeg"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Steps of one rendering.
const MOST_STEPS: u64 = 1_000_000;
const MOST_FILES: usize = 100;
const LARGEST_FILE: u64 = 2 << 20;

/// A file that pages refer to.
#[derive(Clone, Debug)]
pub(super) struct Asset {
    pub kind: &'static str,
    pub bytes: Bytes,
}

pub(super) struct Theme {
    templates: Environment<'static>,
    assets: BTreeMap<String, Asset>,
    /// Another one whenever a file is another one.
    version: String,
}

impl Theme {
    /// The built-in one, with what is in `dir`.
    pub(super) fn read(dir: Option<&Path>) -> anyhow::Result<Self> {
        let mut templates = environment();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        let builtin = ASSETS.iter().map(|(name, bytes)| {
            let kind = kind(name).unwrap_or(SCRIPT);
            ((*name).to_owned(), Asset { kind, bytes: Bytes::from_static(bytes) })
        });
        let mut theme = Self { templates, assets: builtin.collect(), version: String::new() };
        if let Some(dir) = dir {
            theme.add_all(dir).with_context(|| format!("theme.dir {}", dir.display()))?;
        }
        theme.version = theme.hash();
        Ok(theme)
    }

    fn add_all(&mut self, dir: &Path) -> anyhow::Result<()> {
        let entries = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
        ensure!(entries.len() <= MOST_FILES, "holds more than {MOST_FILES} files");
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_str().context("holds a file whose name is not UTF-8")?;
            self.add(name, &entry.path()).with_context(|| name.to_owned())?;
        }
        Ok(())
    }

    fn add(&mut self, name: &str, path: &Path) -> anyhow::Result<()> {
        let about = fs::metadata(path)?;
        ensure!(about.is_file(), "is not a file");
        ensure!(about.len() <= LARGEST_FILE, "is larger than {LARGEST_FILE} bytes");
        let bytes = fs::read(path)?;
        if let Some(kind) = kind(name) {
            self.assets.insert(name.to_owned(), Asset { kind, bytes: bytes.into() });
            return Ok(());
        }
        if !TEMPLATES.iter().any(|(known, _)| *known == name) {
            let known: Vec<_> = TEMPLATES.iter().map(|(name, _)| *name).collect();
            let kinds: Vec<_> = KINDS.iter().map(|(end, _)| *end).collect();
            bail!(
                "is no part of a theme; a template is one of {}, other files end in {}",
                known.join(", "),
                kinds.join(", ")
            );
        }
        let source = String::from_utf8(bytes).context("is not UTF-8")?;
        let added = self.templates.add_template_owned(name.to_owned(), source);
        added.map_err(|error| anyhow::anyhow!("line {}: {error}", error.line().unwrap_or_default()))
    }

    fn hash(&self) -> String {
        let mut digest = Digest::new(&SHA256);
        for (name, asset) in &self.assets {
            digest.update(name.as_bytes());
            digest.update(&asset.bytes);
        }
        let hash = digest.finish();
        hex(&hash.as_ref()[..6])
    }

    pub(super) fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.get(name)
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The first of these files that there is.
    pub(super) fn first(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.assets.contains_key(*name))
    }

    pub(super) fn render(
        &self,
        template: &str,
        context: &Value,
    ) -> Result<String, minijinja::Error> {
        self.templates.get_template(template)?.render(context)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(MOST_STEPS));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_trim_blocks(true);
    environment
}

fn kind(name: &str) -> Option<&'static str> {
    let (stem, end) = name.rsplit_once('.')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if stem.is_empty() || !name.chars().all(is_plain) {
        return None;
    }
    KINDS.iter().find(|(known, _)| *known == end).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn theme_of(files: &[(&str, &str)]) -> anyhow::Result<Theme> {
        let dir = tempfile::tempdir()?;
        for (name, text) in files {
            fs::write(dir.path().join(name), text)?;
        }
        Theme::read(Some(dir.path()))
    }

    fn message(theme: &Theme, title: &str) -> String {
        theme.render("message.html", &context! { title, texts => [title] }).unwrap()
    }

    #[test]
    fn every_built_in_template_can_be_read_and_what_is_said_is_never_markup() {
        let theme = Theme::read(None).unwrap();
        for (name, _) in TEMPLATES {
            let hidden = BTreeMap::from([("scheme", "otp")]);
            let context = context! { users => [""], sessions => [""], hidden };
            theme.render(name, &context).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        }
        let page = message(&theme, "<script>{{ site }}\"'&");
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&lt;script&gt;{{ site }}&quot;&#x27;&amp;"), "{page}");
    }

    #[test]
    fn an_operators_files_are_beside_the_built_in_ones_or_in_their_place() {
        let plain = Theme::read(None).unwrap();
        let own = theme_of(&[
            ("theme.css", "body { color: red }"),
            ("message.html", "mine: {{ title }}"),
            ("logo.svg", "<svg/>"),
        ]);
        let own = own.unwrap();
        assert_eq!(message(&own, "<hi>"), "mine: &lt;hi&gt;");
        assert_eq!(own.asset("theme.css").unwrap().kind, "text/css; charset=utf-8");
        assert!(own.asset("pages.css").is_some(), "the built-in one stays");
        assert_ne!(own.version(), plain.version(), "browsers ask for it anew");
        assert_eq!(own.first(&["logo.png", "logo.svg"]), Some("logo.svg"));
    }

    #[test]
    fn a_file_that_is_no_part_of_a_theme_is_named() {
        let check = |name: &str, text: &str, expected: &str| {
            let error = theme_of(&[(name, text)]).err().unwrap();
            let error = format!("{error:#}");
            assert!(error.contains(name) && error.contains(expected), "{error}");
        };
        check("login.htm", "", "is no part of a theme");
        check("evil.js", "", "is no part of a theme");
        check("login.html", "{{ x", "line 1");
        check("a b.css", "", "is no part of a theme");
        assert!(Theme::read(Some(Path::new("/nowhere"))).is_err());
    }
}
