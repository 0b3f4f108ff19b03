//! `cargo xtask tidy`: the rules of the house that no compiler checks.

use std::{env, fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    arrows,
    command::{cargo, output, program},
    tree,
};

/// More lines than this are a reason to look whether a file is two things.
const LONG: usize = 600;

/// A word that must not appear in code below a directory, but for one file.
struct Forbidden {
    word: &'static str,
    below: &'static str,
    except: &'static str,
    why: &'static str,
}

const FORBIDDEN: [Forbidden; 5] = [
    Forbidden {
        word: "Instant::now",
        below: "supervisor/core/",
        except: "",
        why: "decisions get the time as an argument",
    },
    Forbidden {
        word: "SystemTime::now",
        below: "supervisor/core/",
        except: "",
        why: "decisions get the time as an argument",
    },
    Forbidden {
        word: "tokio::spawn",
        below: "supervisor/server/src/",
        except: "supervisor/server/src/task.rs",
        why: "every task has an owner: use task.rs",
    },
    Forbidden {
        word: "unsafe {",
        below: "",
        except: "supervisor/jail/",
        why: "only supervisor/jail may be unsafe",
    },
    Forbidden {
        word: "sqlx::",
        below: "supervisor/",
        except: "supervisor/store/",
        why: "only supervisor/store may speak SQL",
    },
];

pub(crate) fn tidy() -> Result<()> {
    let mut faults = Vec::new();
    for path in files()? {
        let Ok(text) = fs::read_to_string(tree::root().join(&path)) else {
            continue; // Not text, or deleted and not yet committed.
        };
        faults.extend(machine_paths(&path, &text));
        if Path::new(&path).extension().is_some_and(|extension| extension == "rs") {
            faults.extend(rust_faults(&path, &text));
        }
    }
    faults.extend(arrows::faults()?);
    faults.extend(banned_crates()?);
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{} to mend:\n  {}", faults.len(), faults.join("\n  "))
}

/// Everything that is in the repository or about to be.
fn files() -> Result<Vec<String>> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listing = output(&mut program("git", &arguments)).context("tidy needs git")?;
    Ok(listing.lines().map(str::to_owned).collect())
}

fn rust_faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let is_tests = path.ends_with("/tests.rs");
    if !is_tests && !text.starts_with("//!") {
        faults.push(format!(
            "{path}:1: begin with `//!`: what the module decides, and what it never does"
        ));
    }
    let lines = text.lines().count();
    if lines > LONG {
        eprintln!("tidy: {path} has {lines} lines; is it two things?");
    }
    for (index, line) in text.lines().enumerate() {
        if is_tests || line.trim_start().starts_with("//") || path.starts_with("xtask/") {
            continue;
        }
        let hits = FORBIDDEN.iter().filter(|rule| rule.forbids(path, line));
        faults.extend(
            hits.map(|rule| format!("{path}:{}: `{}`: {}", index + 1, rule.word, rule.why)),
        );
    }
    faults
}

impl Forbidden {
    fn forbids(&self, path: &str, line: &str) -> bool {
        let is_exempt = !self.except.is_empty() && path.starts_with(self.except);
        path.starts_with(self.below) && !is_exempt && line.contains(self.word)
    }
}

/// Paths that only exist on this machine: the workspace's own, and what is at home here.
fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let home = env::var("HOME").unwrap_or_default();
    let prefixes = [tree::root().display().to_string(), home].map(|prefix| prefix + "/");
    // A home of "/" would forbid every path.
    let prefixes = || prefixes.iter().filter(|prefix| prefix.len() > 2);
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if prefixes().any(|prefix| begins_a_path(line, prefix)) {
            faults.push(format!("{path}:{}: a path of one machine", index + 1));
        }
    }
    faults
}

/// Whether `prefix` stands in the line where a path may begin, not in the middle of one.
fn begins_a_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !(before.is_alphanumeric() || "/.-_~>}*".contains(before)))
    })
}

/// One TLS stack: the rest of deny.toml is cargo-deny's, this much is checked without it.
fn banned_crates() -> Result<Vec<String>> {
    let tree = output(&mut cargo(&[
        "tree",
        "--workspace",
        "--all-features",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let banned = ["ring", "openssl", "openssl-sys", "native-tls", "boring"];
    let mut found: Vec<_> = tree
        .lines()
        .filter(|line| banned.iter().any(|name| line.split(' ').next() == Some(name)))
        .map(|line| format!("{line}: banned in deny.toml"))
        .collect();
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_that_begins_in_a_home_directory_is_of_one_machine() {
        let home = format!("/{}/", "home");
        for (line, expected) in [
            (format!("see {home}me/notes"), true),
            (format!("\"{home}me\""), true),
            (format!("<data>{home}x"), false),
            (format!("https://example.org{home}x"), false),
            ("nothing".to_owned(), false),
        ] {
            assert_eq!(begins_a_path(&line, &home), expected, "{line}");
        }
    }
}
