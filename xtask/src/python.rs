//! The Python side: a venv with the generator of the stubs, another for the clients of the tests, and the packages
//! that a Python plugin ships with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    command::{output, program, run},
    tree,
};

/// Generates the stubs of all our protos into a directory, as the package `outboard`.
pub(crate) fn stubs(to: &Path) -> Result<()> {
    let protos = tree::root().join("proto");
    let mut files = Vec::new();
    collect_protos(&protos.join("outboard"), &mut files)?;
    files.sort();
    fs::create_dir_all(to)?;
    run(program(tools()?, &["-m", "grpc_tools.protoc"])
        .arg("-I")
        .arg(&protos)
        .arg(format!("--python_out={}", to.display()))
        .arg(format!("--grpc_python_out={}", to.display()))
        .args(files))
}

fn collect_protos(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_protos(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// The interpreter of a venv that can run `grpc_tools`.
fn tools() -> Result<PathBuf> {
    venv("tools", &tree::root().join("xtask/python-tools.txt"))
}

/// The interpreter of a venv with what the Python clients of the tests import.
pub(crate) fn clients() -> Result<PathBuf> {
    venv("clients", &tree::root().join("tests/clients/requirements.txt"))
}

/// The interpreter of a venv below `target/python`, with the packages of a requirements file.
fn venv(name: &str, requirements: &Path) -> Result<PathBuf> {
    let venv = tree::target().join("python").join(name);
    let python = venv.join("bin/python");
    once_for(requirements, &venv, || {
        run(program("python3", &["-m", "venv", "--clear"]).arg(&venv))?;
        pip(&python, &["install", "--requirement"], requirements)
    })?;
    Ok(python)
}

/// A directory with the packages of a requirements file, compiled.
pub(crate) fn packages(requirements: &Path) -> Result<PathBuf> {
    let directory = tree::target().join("python/packages");
    let python = Path::new("python3");
    once_for(requirements, &directory, || {
        let to = directory.display().to_string();
        pip(python, &["install", "--no-compile", "--target", &to, "--requirement"], requirements)?;
        compile(&directory)
    })?;
    Ok(directory)
}

/// Byte-compiles in place. What is compiled by hash and unchecked stays good wherever it is copied to, read-only or
/// not.
pub(crate) fn compile(directory: &Path) -> Result<()> {
    run(program("python3", &["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"])
        .arg(directory))
}

fn pip(python: &Path, arguments: &[&str], requirements: &Path) -> Result<()> {
    run(program(python, &["-m", "pip", "--quiet", "--disable-pip-version-check"])
        .args(arguments)
        .arg(requirements)
        .env("PIP_ROOT_USER_ACTION", "ignore"))
}

/// Makes a directory anew, unless it was made from this very file by this very Python.
fn once_for(source: &Path, directory: &Path, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let text =
        fs::read_to_string(source).with_context(|| format!("cannot read {}", source.display()))?;
    let version = output(&mut program("python3", &["-c", "import sys; print(sys.version)"]))?;
    let wanted = format!("{version}{text}");
    let stamp = directory.with_extension("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    let _ = fs::remove_file(&stamp);
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory)?;
    make()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
