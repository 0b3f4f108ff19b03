//! Which plugins a directory holds, by looking only: nothing is read but manifests.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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

/// What is at `path`.
pub(super) fn look(path: PathBuf) -> Candidate {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let found = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("{error}; remove the link, or put back what it points to"))
        }
        Err(error) => Err(format!("{error}; make it readable for the supervisor")),
        Ok(metadata) if metadata.is_dir() => directory(&path),
        Ok(metadata) if metadata.is_file() => {
            lone(&path, &stem, metadata.permissions().mode() & 0o111 != 0)
        }
        Ok(_) => Err("neither a file nor a directory; remove it".to_owned()),
    };
    let name = match &found {
        Ok(found) => found.manifest.name.as_str().to_owned(),
        Err(_) => stem,
    };
    Candidate { name, path, found }
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

fn lone(path: &Path, stem: &str, is_executable: bool) -> Result<Found, String> {
    if !is_executable {
        return Err(
            "not executable; chmod +x it, or move it out of the plugins directory".to_owned()
        );
    }
    let name = PluginName::new(stem).map_err(|error| format!("{error}, as the file's name"))?;
    let (Some(root), Some(file)) = (path.parent(), path.file_name()) else {
        return Err("has no name; move it into the plugins directory".to_owned());
    };
    let file = PathBuf::from(file);
    let source = Source { root: root.to_owned(), files: vec![file.clone()] };
    Ok(Found { manifest: Manifest::lone(name), source, lone: Some(file) })
}

#[cfg(test)]
mod tests {
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
