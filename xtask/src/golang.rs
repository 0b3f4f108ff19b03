//! Builds the Go peers: our own programs of tests/go, and the examples inside the go-plugin module.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    command::{program, run},
    tree,
};

/// Examples of go-plugin, by the name under which the tests look for them. Built as they are.
const EXAMPLES: [(&str, &str); 4] = [
    ("example-grpc", "grpc/plugin-go-grpc"),
    ("example-bidirectional", "bidirectional/plugin-go-grpc"),
    ("example-streaming", "streaming/plugin"),
    ("example-negotiated", "negotiated/plugin-go"),
];

/// Builds everything and gives the directory that holds it.
pub(crate) fn build() -> Result<PathBuf> {
    let out = tree::target().join("test-go");
    std::fs::create_dir_all(&out)?;
    build_one(&out.join(""), "./cmd/...")?;
    for (name, path) in EXAMPLES {
        let package = format!("github.com/hashicorp/go-plugin/examples/{path}");
        build_one(&out.join(name), &package)?;
    }
    Ok(out)
}

fn build_one(to: &Path, package: &str) -> Result<()> {
    run(program("go", &["build", "-mod=readonly", "-o"])
        .arg(to)
        .arg(package)
        .current_dir(tree::root().join("tests/go"))
        .env("GOTOOLCHAIN", "local"))
}

/// What gofmt and vet have to say.
pub(crate) fn lint() -> Result<()> {
    let go = tree::root().join("tests/go");
    let unformatted = crate::command::output(program("gofmt", &["-l", "."]).current_dir(&go))?;
    anyhow::ensure!(unformatted.is_empty(), "not formatted (run gofmt -w):\n{unformatted}");
    run(program("go", &["vet", "./..."]).current_dir(&go).env("GOTOOLCHAIN", "local"))
}
