//! Flags made from the table of settings, so that a new key needs no line here.

use std::collections::BTreeMap;

use clap::builder::{Resettable, Str};
use clap::{Arg, ArgMatches, Args, Command};
use outboard_core::config::SETTINGS;
use outboard_core::written::{About, Kind};

/// The settings given as flags, by the paths of their keys.
#[derive(Clone, Debug, Default)]
pub struct Settings(pub BTreeMap<&'static str, String>);

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(|about| arg(about)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS.iter().filter_map(|about| {
            let text = matches.get_one::<String>(about.path)?;
            Some((about.path, text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// One flag. Its value is checked with all other settings, so that all mistakes are told together.
pub(super) fn arg(about: &'static About) -> Arg {
    Arg::new(about.path)
        .long(about.flag())
        .value_name(value_name(&about.kind))
        .help(short_help(about))
        .long_help(help(about))
        // A value such as "-1" is then refused with the words for the key, not as an unknown flag.
        .allow_hyphen_values(true)
        .help_heading(heading(about))
}

/// For `-h`: the first sentence.
fn short_help(about: &About) -> String {
    let end = about.doc.find(". ").map_or(about.doc.len(), |end| end + 1);
    with_default(&about.doc[..end], about)
}

/// For `--help`: all that the reference page says.
fn help(about: &About) -> String {
    with_default(about.doc, about)
}

fn with_default(doc: &str, about: &About) -> String {
    let doc = doc.replace('`', "");
    match about.default {
        Some(default) if !default.is_empty() => format!("{doc} [default: {default}]"),
        _ => doc,
    }
}

fn heading(about: &About) -> Resettable<Str> {
    let table = about.path.split_once('.').map(|(table, _)| table);
    table.map(|table| format!("Options of [{table}]").into()).into()
}

fn value_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Path => "PATH",
        Kind::Switch => "BOOL",
        Kind::Count { .. } => "NUMBER",
        Kind::Duration { .. } => "TIME",
        Kind::Size { .. } => "SIZE",
        Kind::Choice(_) => "WORD",
        Kind::List(_) | Kind::Counts { .. } => "LIST",
        Kind::Text(_) | Kind::Table(_) => "VALUE",
    }
}
