//! The page, in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::source::{Enum, Message, Method, Source};

const HEAD: &str = "\
# Callbacks

What a plugin may ask of its host: every service of the package `outboard.host.v1`, made from the comments of
`proto/outboard/host/v1`. Change it there; the test `reference` of `outboard-proto` says how to write this page anew.
";

pub(crate) fn write(sources: &[Source]) -> String {
    let mut page = HEAD.to_owned();
    let mut sources: Vec<_> = sources.iter().collect();
    // How to call is said where the calls begin; what many of them share comes last.
    sources.sort_by_key(|source| (source.file != "host.proto", source.services.is_empty()));
    contents(&mut page, &sources);
    for source in sources {
        section(&mut page, source);
    }
    page
}

fn contents(page: &mut String, sources: &[&Source]) {
    page.push_str("\n| service | calls |\n|---|---|\n");
    for service in sources.iter().flat_map(|source| &source.services) {
        let calls: Vec<_> = service.methods.iter().map(|it| format!("`{}`", it.name)).collect();
        let anchor = service.name.to_lowercase();
        writeln!(page, "| [{}](#{anchor}) | {} |", service.name, calls.join(", ")).unwrap();
    }
}

fn section(page: &mut String, source: &Source) {
    let mut told = BTreeSet::new();
    for service in &source.services {
        heading(page, "##", &service.name, &[&source.comment, &service.comment]);
        for method in &service.methods {
            call(page, &service.name, method, source, &mut told);
        }
    }
    if source.services.is_empty() {
        heading(page, "##", &format!("In `{}`", source.file), &[&source.comment]);
    }
    for message in source.messages.iter().filter(|it| !told.contains(it.name.as_str())) {
        heading(page, "###", &message.name, &[&message.comment]);
        fields(page, message);
    }
    for choice in &source.enums {
        values(page, choice);
    }
}

fn call<'a>(
    page: &mut String,
    service: &str,
    method: &Method,
    source: &'a Source,
    told: &mut BTreeSet<&'a str>,
) {
    heading(page, "###", &format!("{service}.{}", method.name), &[&method.comment]);
    for (way, name) in [("Takes", &method.takes), ("Gives", &method.gives)] {
        let Some(message) = source.messages.iter().find(|it| it.name == *name) else { continue };
        let is_new = told.insert(&message.name);
        let what = match (is_new, message.fields.is_empty()) {
            (false, _) => ", as above.".to_owned(),
            (true, true) => ", which is empty.".to_owned(),
            (true, false) if message.comment.is_empty() => ":".to_owned(),
            (true, false) => format!(": {}", lower(&message.comment)),
        };
        writeln!(page, "\n{way} `{name}`{what}").unwrap();
        if is_new {
            fields(page, message);
        }
    }
}

fn fields(page: &mut String, message: &Message) {
    if message.fields.is_empty() {
        return;
    }
    page.push_str("\n| field | type | |\n|---|---|---|\n");
    for field in &message.fields {
        writeln!(page, "| `{}` | `{}` | {} |", field.name, field.kind, cell(&field.comment))
            .unwrap();
    }
}

fn values(page: &mut String, choice: &Enum) {
    heading(page, "###", &choice.name, &[&choice.comment]);
    page.push_str("\n| value | |\n|---|---|\n");
    for (name, comment) in &choice.values {
        writeln!(page, "| `{name}` | {} |", cell(comment)).unwrap();
    }
}

fn heading(page: &mut String, level: &str, title: &str, paragraphs: &[&str]) {
    writeln!(page, "\n{level} {title}").unwrap();
    for paragraph in paragraphs.iter().filter(|it| !it.is_empty()) {
        writeln!(page, "\n{paragraph}").unwrap();
    }
}

/// In one line of a table.
fn cell(comment: &str) -> String {
    comment.replace("\n\n", " ").replace('|', "\\|")
}

/// As the rest of a sentence.
fn lower(comment: &str) -> String {
    let mut letters = comment.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
