//! Imports of real files.

use std::os::unix::fs::symlink;

use super::*;

struct Bench {
    _dir: tempfile::TempDir,
    plugin: PathBuf,
    store: Store,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let plugin = dir.path().join("hello");
    fs::create_dir_all(plugin.join("lib")).unwrap();
    fs::write(plugin.join("main"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(plugin.join("main"), Permissions::from_mode(0o755)).unwrap();
    fs::write(plugin.join("lib/words"), "hello").unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    Bench { _dir: dir, plugin, store }
}

impl Bench {
    fn import(&mut self) -> Result<Imported, ImportError> {
        let source = Source { root: self.plugin.clone(), files: vec![PathBuf::from(".")] };
        self.store.import(&source)
    }
}

#[test]
fn the_copy_is_whole_read_only_and_named_by_its_hash() {
    let mut bench = bench();
    let imported = bench.import().unwrap();
    assert_eq!(imported.hash.len(), 64);
    assert_eq!(fs::read_to_string(imported.dir.join("lib/words")).unwrap(), "hello");
    let mode = |name: &str| fs::metadata(imported.dir.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("main"), mode("lib/words"), mode(".")), (0o555, 0o444, 0o555));
}

#[test]
fn a_change_of_content_name_or_mode_is_another_hash() {
    let mut bench = bench();
    let mut hashes = vec![bench.import().unwrap().hash];
    fs::write(bench.plugin.join("lib/words"), "world").unwrap();
    hashes.push(bench.import().unwrap().hash);
    fs::rename(bench.plugin.join("lib/words"), bench.plugin.join("lib/text")).unwrap();
    hashes.push(bench.import().unwrap().hash);
    fs::set_permissions(bench.plugin.join("lib/text"), Permissions::from_mode(0o755)).unwrap();
    hashes.push(bench.import().unwrap().hash);
    let all = hashes.len();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), all);
}

#[test]
fn the_same_files_elsewhere_are_the_same_hash() {
    let mut bench = bench();
    let here = bench.import().unwrap();
    let there = bench.plugin.with_file_name("copy");
    fs::rename(&bench.plugin, &there).unwrap();
    bench.plugin = there;
    assert_eq!(bench.import().unwrap(), here);
}

#[test]
fn untouched_files_are_not_read_again() {
    let mut bench = bench();
    let imported = bench.import().unwrap();
    let words = imported.dir.join("lib/words");
    fs::set_permissions(&words, Permissions::from_mode(0o644)).unwrap();
    fs::write(&words, "only the store's copy").unwrap();
    assert_eq!(bench.import().unwrap(), imported);
    assert_eq!(fs::read_to_string(&words).unwrap(), "only the store's copy");
}

#[test]
fn lone_files_of_one_directory_do_not_forget_each_other() {
    let mut bench = bench();
    let mut import = |file: &str| {
        let source = Source { root: bench.plugin.clone(), files: vec![PathBuf::from(file)] };
        bench.store.import(&source).unwrap()
    };
    let copies = [import("main"), import("lib/words")];
    bench.store.collect(&[]).unwrap();
    assert!(copies.iter().all(|copy| copy.dir.is_dir()));
}

#[test]
fn a_link_inside_is_followed_and_one_that_leaves_is_refused() {
    let mut bench = bench();
    symlink("lib/words", bench.plugin.join("alias")).unwrap();
    let imported = bench.import().unwrap();
    assert_eq!(fs::read_to_string(imported.dir.join("alias")).unwrap(), "hello");
    symlink("/etc/hostname", bench.plugin.join("out")).unwrap();
    let error = bench.import().unwrap_err();
    assert!(matches!(error, ImportError::LeavesDirectory { .. }), "{error}");
}

#[test]
fn a_link_to_its_own_directory_does_not_go_round_for_ever() {
    let mut bench = bench();
    symlink("..", bench.plugin.join("lib/up")).unwrap();
    assert!(matches!(bench.import(), Err(ImportError::LeavesDirectory { .. })));
}

#[test]
fn the_newest_copy_and_the_one_before_survive_a_collection() {
    let mut bench = bench();
    let mut dirs = Vec::new();
    for words in ["one", "two", "three"] {
        fs::write(bench.plugin.join("lib/words"), words).unwrap();
        dirs.push(bench.import().unwrap().dir);
    }
    bench.store.collect(&[]).unwrap();
    let left: Vec<_> = dirs.iter().map(|dir| dir.is_dir()).collect();
    assert_eq!(left, [false, true, true]);
}

#[test]
fn what_an_interrupted_import_left_is_cleared() {
    let bench = bench();
    let left = bench.store.root.join("importing-1");
    fs::create_dir(&left).unwrap();
    Store::open(bench.store.root.clone()).unwrap();
    assert!(!left.exists());
}
