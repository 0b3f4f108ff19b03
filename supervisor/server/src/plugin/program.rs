//! From an imported plugin to what is executed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use outboard_core::manifest::Command;

use super::discover::Found;

/// What to execute. Everything that lies in the store is named by its place there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    /// The program's own name first.
    pub args: Vec<OsString>,
}

impl Program {
    /// `search` is the value of `PATH`, where interpreters are looked for.
    pub fn resolve(found: &Found, store: &Path, search: &OsStr) -> Result<Self, String> {
        match (&found.lone, &found.manifest.command) {
            (Some(file), _) => Ok(Self::alone(store.join(file))),
            (None, Some(command)) => Self::command(command, store, search),
            (None, None) => only_executable(found, store).map(Self::alone),
        }
    }

    /// What the jail executes: ELF files by descriptor, so that nothing can come between looking and
    /// running; scripts by path, since their interpreter has to find them again.
    pub fn open(&self) -> io::Result<outboard_jail::Program> {
        let mut file = File::open(&self.path)?;
        let mut magic = [0; 4];
        let is_elf = file.read_exact(&mut magic).is_ok() && magic == *b"\x7fELF";
        if is_elf {
            return Ok(outboard_jail::Program::File(file));
        }
        Ok(outboard_jail::Program::Path(self.path.clone()))
    }

    fn alone(path: PathBuf) -> Self {
        let args = vec![path.clone().into_os_string()];
        Self { path, args }
    }

    fn command(command: &Command, store: &Path, search: &OsStr) -> Result<Self, String> {
        let entry = store.join(&command.program);
        let path = if entry.is_file() { entry } else { interpreter(&command.program, search)? };
        let mut args = vec![path.clone().into_os_string()];
        args.extend(command.args.iter().map(|arg| in_store(arg, store)));
        Ok(Self { path, args })
    }
}

/// An argument that names an entry of the store becomes its path there: the working directory is not.
fn in_store(arg: &str, store: &Path) -> OsString {
    let entry = store.join(arg);
    let is_entry = !arg.is_empty() && !Path::new(arg).is_absolute() && entry.exists();
    if is_entry { entry.into_os_string() } else { arg.into() }
}

fn interpreter(name: &str, search: &OsStr) -> Result<PathBuf, String> {
    let is_bare = !name.contains('/');
    std::env::split_paths(search)
        .map(|dir| dir.join(name))
        .find(|path| is_bare && is_executable(path))
        .ok_or_else(|| {
            format!(
                "command {name:?}: neither a file of the plugin nor an interpreter in PATH; \
                 correct `command` in plugin.toml, or install {name}"
            )
        })
}

/// Without a command: the one executable, or the one named like the plugin or its directory.
fn only_executable(found: &Found, store: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(store).map_err(|error| error.to_string())?;
    let mut executables: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_executable(path)).collect();
    let directory = found.source.root.file_name().unwrap_or_default();
    let named: Vec<PathBuf> = [OsStr::new(found.manifest.name.as_str()), directory]
        .into_iter()
        .map(|name| store.join(name))
        .filter(|path| executables.contains(path))
        .collect();
    match (named.first(), executables.len()) {
        (Some(path), _) => Ok(path.clone()),
        (None, 1) => Ok(executables.remove(0)),
        (None, 0) => Err("holds no executable; chmod +x its program, or name an interpreter with \
             `command` in plugin.toml"
            .to_owned()),
        (None, count) => Err(format!(
            "holds {count} executables and none is named like the plugin; say which one to start \
             with `command` in plugin.toml"
        )),
    }
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use outboard_core::manifest::Manifest;

    use super::*;
    use crate::plugin::import::Source;

    fn found(manifest: &str) -> Found {
        let manifest = Manifest::parse("plugin.toml", manifest).unwrap();
        let source = Source { root: PathBuf::from("/plugins/dir"), files: Vec::new() };
        Found { manifest, source, lone: None }
    }

    fn store(executables: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("data.txt"), "").unwrap();
        for name in executables {
            let path = dir.path().join(name);
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    }

    fn chosen(manifest: &str, executables: &[&str]) -> Result<String, String> {
        let store = store(executables);
        let program = Program::resolve(&found(manifest), store.path(), OsStr::new(""))?;
        Ok(program.path.file_name().unwrap().to_string_lossy().into_owned())
    }

    #[test]
    fn the_only_executable_or_the_one_named_like_the_plugin_is_the_program() {
        let plain = "name = \"hello\"";
        assert_eq!(chosen(plain, &["anything"]).unwrap(), "anything");
        assert_eq!(chosen(plain, &["tool", "hello"]).unwrap(), "hello");
        assert_eq!(chosen(plain, &["tool", "dir"]).unwrap(), "dir");
        assert!(chosen(plain, &["one", "two"]).unwrap_err().contains("2 executables"));
        assert!(chosen(plain, &[]).unwrap_err().contains("chmod"));
    }

    #[test]
    fn an_interpreter_is_found_in_path_and_its_script_in_the_store() {
        let store = store(&["main.py"]);
        let bin = self::store(&["python3"]);
        let found = found("name = \"hello\"\ncommand = [\"python3\", \"main.py\", \"-v\"]");
        let program = Program::resolve(&found, store.path(), bin.path().as_os_str()).unwrap();
        assert_eq!(program.path, bin.path().join("python3"));
        assert_eq!(program.args[1..], [store.path().join("main.py").into_os_string(), "-v".into()]);
        let missing = Program::resolve(&found, store.path(), OsStr::new("")).unwrap_err();
        assert!(missing.contains("install python3"), "{missing}");
    }
}
