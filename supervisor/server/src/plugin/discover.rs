//! Which plugins a directory holds, by looking only: nothing is read but manifests.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use outboard_core::config::{PluginEntry, ProctorRole};
use outboard_core::manifest::{self, Manifest};
use outboard_core::name::PluginName;

use super::import::Source;

/// Something in the plugins directory that is, or should have been, a plugin.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The manifest's name; until there is one, the file's.
    pub name: String,
    pub path: PathBuf,
    /// What is wrong with it and what to do, if something is.
    pub found: Result<Found, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub manifest: Manifest,
    pub source: Source,
    /// The program, where it has no manifest.
    pub lone: Option<PathBuf>,
}

/// All candidates of `dir`, in the order of their names. Hidden files are none.
///
/// Two of one name: both are refused, so that which one runs never hangs on the order of files.
pub(super) fn discover(dir: &Path) -> io::Result<Vec<Candidate>> {
    let mut by_name: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if !is_hidden {
            let candidate = look(path);
            by_name.entry(candidate.name.clone()).or_default().push(candidate);
        }
    }
    Ok(by_name.into_values().map(only_one).collect())
}

fn only_one(mut same: Vec<Candidate>) -> Candidate {
    same.sort_by(|a, b| a.path.cmp(&b.path));
    let paths: Vec<_> = same.iter().map(|other| other.path.display().to_string()).collect();
    let mut first = same.swap_remove(0);
    if paths.len() > 1 {
        let all = paths.join(" and ");
        first.found = Err(format!("{all} have the same name; rename or remove all but one"));
    }
    first
}

/// What is at the path that the operator names for a plugin, which must then have that name. `None`: no path
/// is named.
pub(super) fn look_for(entry: &PluginEntry) -> Option<Candidate> {
    let path = root(entry.path.as_deref()?);
    let found = match kind(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let variable = entry.proctor.first().map(|role| role.binary().to_owned());
            let place = variable.unwrap_or_else(|| entry.place.to_string());
            Err(format!("{error}; correct the path ({place})"))
        }
        Ok(Kind::Program { is_executable }) => {
            executable(is_executable).and_then(|()| lone(&path, entry.name.clone()))
        }
        other => found(&path, other),
    };
    let found = found.and_then(|found| is_meant(&found.manifest, entry).map(|()| found));
    Some(Candidate { name: entry.name.as_str().to_owned(), path, found })
}

/// The plugin that a path leads to: for a program with a manifest beside it, the directory of both.
pub(crate) fn root(path: &Path) -> PathBuf {
    let directory = path
        .parent()
        .filter(|directory| path.is_file() && directory.join(manifest::FILE_NAME).is_file());
    directory.unwrap_or(path).to_owned()
}

/// What keeps the plugin at a path that the operator names from running, before it is started.
pub(crate) fn problem_of(entry: &PluginEntry) -> Option<String> {
    let Candidate { path, found, .. } = look_for(entry)?;
    found.err().map(|problem| format!("{}: {problem}", path.display()))
}

/// Refuses a plugin that is not what the operator takes it for.
fn is_meant(manifest: &Manifest, entry: &PluginEntry) -> Result<(), String> {
    let (name, place) = (manifest.name.as_str(), &entry.place);
    if manifest.name != entry.name {
        let expected = entry.name.as_str();
        return Err(format!(
            "this plugin is {name:?}, and not {expected:?} as expected ({place}); write the one name in both places"
        ));
    }
    for role in &entry.proctor {
        let (is_there, missing) = match role {
            ProctorRole::Notification => (manifest.notify.is_some(), "notify.types = [\"*\"]"),
            ProctorRole::Authentication => (manifest.authenticate, "authenticate = true"),
        };
        if !is_there {
            let variable = role.binary();
            return Err(format!(
                "{variable} names it, but its plugin.toml has no `{missing}`; name another plugin, or add that \
                 line if the plugin can do it"
            ));
        }
    }
    Ok(())
}

/// What is at `path`.
fn look(path: PathBuf) -> Candidate {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let found = match kind(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("{error}; remove the link, or put back what it points to"))
        }
        Ok(Kind::Program { is_executable }) => executable(is_executable).and_then(|()| {
            let name = PluginName::new(&stem);
            lone(&path, name.map_err(|error| format!("{error}, as the file's name"))?)
        }),
        other => found(&path, other),
    };
    let name = match &found {
        Ok(found) => found.manifest.name.as_str().to_owned(),
        Err(_) => stem,
    };
    Candidate { name, path, found }
}

enum Kind {
    Directory,
    Program { is_executable: bool },
    Other,
}

fn kind(path: &Path) -> io::Result<Kind> {
    let metadata = fs::metadata(path)?;
    Ok(if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_file() {
        Kind::Program { is_executable: metadata.permissions().mode() & 0o111 != 0 }
    } else {
        Kind::Other
    })
}

/// What needs no name: a directory, or nothing that could be a plugin.
fn found(path: &Path, kind: io::Result<Kind>) -> Result<Found, String> {
    match kind {
        Ok(Kind::Directory) => directory(path),
        Ok(Kind::Program { .. } | Kind::Other) => {
            Err("neither a file nor a directory; remove it".to_owned())
        }
        Err(error) => Err(format!("{error}; make it readable for the supervisor")),
    }
}

fn directory(path: &Path) -> Result<Found, String> {
    let file = path.join(manifest::FILE_NAME);
    let text = fs::read_to_string(&file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!(
            "a directory without {}; add one, or move the program itself into the plugins directory",
            manifest::FILE_NAME
        ),
        _ => format!("{}: {error}; make it readable for the supervisor", file.display()),
    })?;
    let manifest = Manifest::parse(&file.display().to_string(), &text)
        .map_err(|mistakes| mistakes.to_string())?;
    let files = if manifest.files.is_empty() {
        vec![PathBuf::from(".")]
    } else {
        manifest.files.iter().map(PathBuf::from).collect()
    };
    let source = Source { root: path.to_owned(), files };
    Ok(Found { manifest, source, lone: None })
}

fn executable(is_executable: bool) -> Result<(), String> {
    if is_executable {
        return Ok(());
    }
    Err("not executable; chmod +x it, or move it out of the plugins directory".to_owned())
}

fn lone(path: &Path, name: PluginName) -> Result<Found, String> {
    let (Some(root), Some(file)) = (path.parent(), path.file_name()) else {
        return Err("has no name; move it into the plugins directory".to_owned());
    };
    let file = PathBuf::from(file);
    let source = Source { root: root.to_owned(), files: vec![file.clone()] };
    Ok(Found { manifest: Manifest::lone(name), source, lone: Some(file) })
}

#[cfg(test)]
mod tests {
    use outboard_core::config::{RawConfig, Surroundings};

    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn reason(candidates: &[Candidate], name: &str) -> String {
        let candidate = candidates.iter().find(|candidate| candidate.name == name).unwrap();
        candidate.found.as_ref().unwrap_err().clone()
    }

    #[test]
    fn directories_with_a_manifest_and_lone_executables_are_plugins() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("a/plugin.toml"), "name = \"hello\"", 0o644);
        write(&dir.path().join("lone.bin"), "", 0o755);
        write(&dir.path().join(".hidden"), "", 0o755);
        let candidates = discover(dir.path()).unwrap();
        let names: Vec<_> = candidates.iter().map(|c| (&*c.name, c.found.is_ok())).collect();
        assert_eq!(names, [("hello", true), ("lone", true)]);
    }

    #[test]
    fn everything_else_is_told_what_is_wrong_with_it() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("text"), "hello", 0o644);
        write(&dir.path().join("Bad Name"), "", 0o755);
        write(&dir.path().join("bare/main"), "", 0o755);
        write(&dir.path().join("broken/plugin.toml"), "name = 5", 0o644);
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        let candidates = discover(dir.path()).unwrap();
        assert!(reason(&candidates, "text").contains("chmod +x"));
        assert!(reason(&candidates, "Bad Name").contains("is not a name"));
        assert!(reason(&candidates, "bare").contains("plugin.toml"));
        assert!(reason(&candidates, "broken").contains("plugin.toml:1"));
        assert!(reason(&candidates, "dangling").contains("link"));
    }

    fn entry(name: &str, path: &Path, proctor: &[ProctorRole]) -> PluginEntry {
        let file = format!("[[plugin]]\nname = {name:?}\npath = {path:?}\n");
        let file = Some((PathBuf::from("outboard.toml"), file));
        let surroundings = Surroundings { data_dir: "/data".into(), ..Surroundings::default() };
        let raw = RawConfig { file, surroundings, ..RawConfig::default() };
        let config = raw.resolve().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let mut entry = config.plugin_entries[0].clone();
        entry.proctor.extend(proctor);
        entry
    }

    fn at(name: &str, path: &Path, proctor: &[ProctorRole]) -> Result<Found, String> {
        let candidate = look_for(&entry(name, path, proctor)).unwrap();
        assert_eq!(candidate.name, name);
        candidate.found
    }

    #[test]
    fn a_path_leads_to_a_directory_a_program_in_one_or_a_program_alone() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("a/plugin.toml"), "name = \"slack\"", 0o644);
        write(&dir.path().join("a/main"), "", 0o755);
        write(&dir.path().join("Lone Program"), "", 0o755);
        for path in ["a", "a/main"] {
            let found = at("slack", &dir.path().join(path), &[]).unwrap();
            assert_eq!((found.source.root, found.lone), (dir.path().join("a"), None));
        }
        let lone = at("alone", &dir.path().join("Lone Program"), &[]).unwrap();
        assert_eq!(
            (lone.manifest.name.as_str(), lone.lone),
            ("alone", Some("Lone Program".into()))
        );
    }

    #[test]
    fn cases_6_and_7_a_path_that_leads_to_no_plugin_or_another_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("a/plugin.toml"), "name = \"slack\"", 0o644);
        write(&dir.path().join("text"), "", 0o644);
        let reason = at("slack", &dir.path().join("nothing"), &[]).unwrap_err();
        assert!(reason.contains("outboard.toml:1"), "{reason}");
        let reason = at("slak", &dir.path().join("a"), &[]).unwrap_err();
        assert!(reason.contains("\"slack\"") && reason.contains("\"slak\""), "{reason}");
        assert!(at("text", &dir.path().join("text"), &[]).unwrap_err().contains("chmod +x"));
    }

    #[test]
    fn n1_a_plugin_of_the_wrong_kind_is_told() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("a/plugin.toml"), "name = \"a\"\nnotify.types = [\"*\"]", 0o644);
        write(&dir.path().join("b/plugin.toml"), "name = \"b\"\nauthenticate = true", 0o644);
        let [notification, authentication] =
            [ProctorRole::Notification, ProctorRole::Authentication];
        at("a", &dir.path().join("a"), &[notification]).unwrap();
        at("b", &dir.path().join("b"), &[authentication]).unwrap();
        let reason = at("a", &dir.path().join("a"), &[authentication]).unwrap_err();
        assert!(
            reason.contains("PROCTOR_AUTH_PLUGIN_BINARY") && reason.contains("authenticate"),
            "{reason}"
        );
        let reason = at("b", &dir.path().join("b"), &[notification]).unwrap_err();
        assert!(
            reason.contains("PROCTOR_NOTIFICATION_PLUGIN_BINARY") && reason.contains("notify"),
            "{reason}"
        );
    }

    #[test]
    fn two_plugins_of_one_name_are_both_refused_naming_both() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("a/plugin.toml"), "name = \"hello\"", 0o644);
        write(&dir.path().join("b/plugin.toml"), "name = \"hello\"", 0o644);
        let candidates = discover(dir.path()).unwrap();
        assert_eq!(candidates.len(), 1);
        let reason = reason(&candidates, "hello");
        assert!(reason.contains("/a") && reason.contains("/b"), "{reason}");
    }
}
