//! The reference pages, made from the tables of keys.

use std::fmt::Write as _;

use super::keys::{ENTRIES, SETTINGS};
use super::proctor;
use crate::manifest;
use crate::written::{About, Kind};

/// Every key of `outboard.toml` with its variable and flag, in Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# outboard.toml\n\n\
         A setting comes from its flag, else from its variable, else from the file, else it has its default.\n\
         Relative paths in the file begin at the file's directory, others at the working directory.\n\
         Times and sizes have a unit: `\"30s\"`, `\"1m 30s\"`, `\"64KiB\"`. Lists in variables and flags have commas.\n\
         Settings marked *restart* only change with a new start of the supervisor; all others, and everything\n\
         below `[secrets]`, `[[plugin]]` and `[[instance]]`, also on SIGHUP.\n",
    );
    write_keys(&mut page, SETTINGS, true);
    write_keys(&mut page, ENTRIES, false);
    page.push_str(proctor::REFERENCE);
    page
}

/// Every key of `plugin.toml`, in Markdown.
pub fn manifest_reference() -> String {
    let mut page = String::from(
        "# plugin.toml\n\nWhat a plugin's author says about it. It stands in the plugin's directory.\n",
    );
    write_keys(&mut page, &manifest::KEYS, false);
    page
}

fn write_keys(page: &mut String, keys: &[&About], has_layers: bool) {
    let mut section = "";
    for about in keys {
        let table = table_of(about);
        if table != section {
            section = table;
            let _ = write!(page, "\n## {}\n", heading(section));
        }
        let _ = write!(
            page,
            "\n### {}\n\n{}\n\n- value: {}\n",
            about.path,
            about.doc,
            about.kind.words()
        );
        if let Some(default) = about.default {
            let _ = writeln!(page, "- default: `{}`", as_toml(about, default));
        }
        if has_layers {
            let restart = if about.needs_restart { "\n- *restart*" } else { "" };
            let _ = writeln!(
                page,
                "- variable: `{}`\n- flag: `--{}`{restart}",
                about.variable(),
                about.flag()
            );
        }
    }
}

fn table_of(about: &About) -> &'static str {
    about.path.split_once('.').map_or("", |(table, _)| table)
}

fn heading(table: &str) -> String {
    match table {
        "" => "At the top".to_owned(),
        "plugin" | "instance" => format!("[[{table}]]"),
        table => format!("[{table}]"),
    }
}

fn as_toml(about: &About, text: &str) -> String {
    match about.kind {
        Kind::Count { .. } | Kind::Switch | Kind::Table(_) => text.to_owned(),
        Kind::List(_) | Kind::Counts { .. } => format!("[{text}]"),
        _ => format!("\"{text}\""),
    }
}
