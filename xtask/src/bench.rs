//! `cargo xtask bench`: measures release builds, each beside its peer, and writes bench/RESULTS.md.

use anyhow::Result;

use crate::{
    command::{cargo, output, program, run},
    golang, needs,
    postgres::Postgres,
    tree,
};

pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    needs::go()?;
    needs::bench()?;
    let go = golang::build()?;
    let postgres = Postgres::start()?;
    // Alone, so that it gets the features that it has everywhere else.
    run(&mut cargo(&["build", "--release", "-p", "outboard"]))?;
    run(&mut cargo(&["build", "--release", "-p", "bench", "--bins"]))?;
    // The results of the last run are no change of what is measured.
    let status = ["status", "--porcelain", "--", ".", ":!bench/RESULTS.md"];
    let changed = !output(&mut program("git", &status))?.trim().is_empty();
    let commit = output(&mut program("git", &["rev-parse", "--short=12", "HEAD"]))?;
    let suffix = if changed { " with uncommitted changes" } else { "" };
    run(program(tree::target().join("release/bench"), &[])
        .args(arguments)
        .env("OUTBOARD_BENCH_GO_BIN", go)
        .env("OUTBOARD_BENCH_POSTGRES_URL", postgres.url())
        .env("OUTBOARD_BENCH_COMMIT", format!("{}{suffix}", commit.trim()))
        .env("OUTBOARD_BENCH_RESULTS", tree::root().join("bench/RESULTS.md")))
}
