//! Where `cargo xtask test` put what the tests run. Without it, what it put there last time is found.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// The `outboard` program.
pub fn outboard() -> Result<PathBuf> {
    file(place("OUTBOARD_TEST_BIN", &target().join("debug/outboard")))
}

/// A Go program: one of tests/go/cmd, or `example-grpc`, `example-bidirectional`, `example-streaming`,
/// `example-negotiated` out of the go-plugin module.
pub fn go(name: &str) -> Result<PathBuf> {
    file(place("OUTBOARD_TEST_GO_BIN", &target().join("test-go")).join(name))
}

/// A directory with the bundled plugins, each in a folder of its name.
pub fn plugins() -> Result<PathBuf> {
    let directory = place("OUTBOARD_TEST_PLUGINS", &target().join("test-plugins"));
    ensure!(directory.is_dir(), "{} is missing; run `cargo xtask test`", directory.display());
    Ok(directory)
}

/// A client that others have made, such as `curl`.
pub fn client(name: &str) -> Result<PathBuf> {
    let variable = format!("OUTBOARD_TEST_{}", name.to_uppercase());
    let path = env::var_os("PATH").unwrap_or_default();
    let given = env::var_os(variable).map(PathBuf::from);
    // Servers are below /usr/sbin, which is not on everybody's PATH.
    let on_path = env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut places = given.into_iter().chain(on_path.map(|place| place.join(name)));
    places
        .find(|place| place.is_file())
        .with_context(|| format!("{name} is not on PATH; run `cargo xtask prepare`"))
}

/// The interpreter that has what the programs of `tests/clients` import.
pub fn python() -> Result<PathBuf> {
    file(place("OUTBOARD_TEST_PYTHON", &target().join("python/clients/bin/python")))
}

/// Where pictures of a test are left for people to look at.
pub fn pictures(name: &str) -> Result<PathBuf> {
    let directory = target().join(name);
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    Ok(directory)
}

fn place(variable: &str, default: &Path) -> PathBuf {
    env::var_os(variable).map_or_else(|| default.to_path_buf(), PathBuf::from)
}

/// Cargo's target directory: the tests run from `target/<profile>/deps`.
fn target() -> PathBuf {
    let own = env::current_exe().unwrap_or_default();
    own.ancestors().nth(3).unwrap_or(Path::new("target")).to_path_buf()
}

fn file(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.is_file(), "{} is missing; run `cargo xtask test`", path.display());
    Ok(path)
}
