//! `docs/callbacks.md` is made from the protos of `outboard/host/v1`, and says what they say.
#![expect(clippy::unwrap_used, reason = "clippy takes helpers of tests for production code")]

mod page;
mod source;

use std::path::{Path, PathBuf};
use std::{env, fs};

use source::Source;

/// Set, the page is written and not compared.
const WRITE: &str = "OUTBOARD_WRITE_REFERENCE";

const DIRECTORY: &str = "outboard/host/v1";

#[test]
fn the_callback_reference_says_what_the_protos_say() {
    let page = page::write(&sources());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/callbacks.md");
    if env::var_os(WRITE).is_some() {
        fs::write(path, page).unwrap();
        return;
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    let first = written.lines().zip(page.lines()).position(|(old, new)| old != new);
    assert!(
        written == page,
        "docs/callbacks.md is not what the protos say any more, from line {} on; write it anew with \
         {WRITE}=1 cargo test -p outboard-proto --test reference",
        first.map_or(0, |line| line + 1)
    );
}

#[test]
fn every_callback_and_every_service_is_explained() {
    for source in sources() {
        for service in &source.services {
            assert!(!service.comment.is_empty(), "service {} has no comment", service.name);
            for method in &service.methods {
                assert!(!method.comment.is_empty(), "{}.{}", service.name, method.name);
            }
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> =
        fs::read_dir(root.join(DIRECTORY)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let set = protox::compile(&files, [root]).unwrap();
    let ours = set.file.iter().filter(|file| file.package() == "outboard.host.v1");
    let mut sources: Vec<_> = ours.map(Source::read).collect();
    sources.sort_by(|one, other| one.file.cmp(&other.file));
    sources
}
