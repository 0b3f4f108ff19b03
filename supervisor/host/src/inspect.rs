//! Looks at a program that could not be run. Reads only, and only after the fact.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use outboard_jail::{Program, Spec};

use crate::diagnose::binary::{self, Binary, HEAD};
use crate::diagnose::{self, Kind};

/// What stands where `spec` names its program.
pub(crate) fn program(spec: &Spec) -> diagnose::Program {
    let opened = match &spec.program {
        Program::Path(path) => spec.dir.join(path),
        // The descriptor may be open for its path only, and is then read through this name.
        Program::File(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
    };
    let metadata = opened.metadata();
    let kind = metadata.as_ref().map_or(Kind::Missing, kind);
    let mode = metadata.map_or(0, |metadata| metadata.permissions().mode() & 0o7777);
    let head = if kind == Kind::File { head(&opened) } else { Vec::new() };
    let interpreter = interpreter(&head, &spec.dir);
    diagnose::Program { path: named(&spec.program, opened), kind, mode, head, interpreter }
}

/// The kernel takes a relative one from where the plugin runs.
fn interpreter(head: &[u8], dir: &Path) -> Option<u32> {
    let Binary::Script { interpreter } = binary::kind(head, binary::OURS) else { return None };
    let metadata = dir.join(interpreter).metadata().ok().filter(Metadata::is_file)?;
    Some(metadata.permissions().mode() & 0o7777)
}

fn kind(metadata: &Metadata) -> Kind {
    if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
}

fn named(program: &Program, opened: PathBuf) -> PathBuf {
    match program {
        Program::Path(_) => opened,
        Program::File(_) => opened.read_link().unwrap_or(opened),
    }
}

fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    // A program that may not be read is diagnosed without its bytes.
    if let Ok(file) = File::open(path) {
        let _ = file.take(HEAD as u64).read_to_end(&mut head);
    }
    head
}
