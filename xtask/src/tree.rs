//! Where things are: the workspace, what it builds, and copies of directories.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = manifest.or_else(|| env::current_dir().ok()).unwrap_or_default();
    start
        .ancestors()
        .find(|directory| directory.join("Cargo.lock").is_file())
        .map_or(start.clone(), Path::to_path_buf)
}

/// Where cargo builds, and where everything else that is made here goes too.
pub(crate) fn target() -> PathBuf {
    let given = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(given.unwrap_or_else(|| "target".into()))
}

/// Makes `to` hold what `from` holds. Files that look the same are left alone, so that whoever watches their
/// times sees no change.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            copy_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// As [`copy`], for one file. A running program's file is replaced, not written to.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let source = fs::metadata(from).with_context(|| format!("cannot read {}", from.display()))?;
    let same = fs::metadata(to).is_ok_and(|target| {
        target.len() == source.len() && target.modified().ok() == source.modified().ok()
    });
    if same {
        return Ok(());
    }
    let describe = || format!("cannot copy {} to {}", from.display(), to.display());
    let _ = fs::remove_file(to);
    fs::copy(from, to).with_context(describe)?;
    let copied = fs::File::options().write(true).open(to).with_context(describe)?;
    copied.set_modified(source.modified()?).with_context(describe)
}
