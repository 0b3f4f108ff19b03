//! The frame of all pages: whose they are, and where the files are that they refer to.

use serde::Serialize;

use super::theme::Theme;

/// How the pages look, and below which path of the external URL they are.
pub(super) struct Look {
    pub theme: Theme,
    pub title: String,
    /// Begins and ends with a slash.
    pub base: String,
}

/// The same for templates.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    title: &'a str,
    base: &'a str,
    version: &'a str,
    icon: &'static str,
    logo: &'static str,
    has_theme_css: bool,
}

const ICON: &str = "icon.svg";
const ICONS: [&str; 4] = ["favicon.ico", "favicon.svg", "favicon.png", ICON];
const LOGOS: [&str; 5] = ["logo.svg", "logo.png", "logo.webp", "logo.jpg", ICON];

impl Look {
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown {
            title: &self.title,
            base: &self.base,
            version: self.theme.version(),
            icon: self.theme.first(&ICONS).unwrap_or(ICON),
            logo: self.theme.first(&LOGOS).unwrap_or(ICON),
            has_theme_css: self.theme.asset("theme.css").is_some(),
        }
    }
}
