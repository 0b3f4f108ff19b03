use outboard_core::event::Types;
use outboard_core::grant::Groups;

use super::*;

fn grants(callbacks: &[&str]) -> Grants {
    Grants { callbacks: Groups::read(callbacks).unwrap(), ..Grants::default() }
}

fn entry(hash: &str, callbacks: &[&str]) -> Entry {
    Entry {
        plugin: "p".to_owned(),
        hash: hash.repeat(64),
        emit: Types::default(),
        callbacks: Groups::read(callbacks).unwrap(),
        time: "2026-01-02T03:04:05Z".to_owned(),
    }
}

#[test]
fn a_grant_counts_at_once_and_survives() {
    let dir = tempfile::tempdir().unwrap();
    let file = file_in(dir.path());
    let given = Given::open(file.clone()).unwrap();
    let asked = grants(&["users.read", "storage"]);
    let badge = given.badge("p", &"a".repeat(64), &asked);
    let other = given.badge("p", &"b".repeat(64), &asked);
    assert!(!badge.has(Group::Storage) && badge.asks(Group::Storage));
    given.grant(entry("a", &["storage", "locks"])).unwrap();
    assert!(badge.has(Group::Storage) && !badge.has(Group::Locks) && !badge.has(Group::UsersRead));
    assert!(!other.has(Group::Storage));

    let again = Given::open(file).unwrap();
    assert!(again.badge("p", &"a".repeat(64), &asked).has(Group::Storage));
    assert!(given.revoke("p", Some(&grants(&["storage"]))).unwrap());
    assert!(!badge.has(Group::Storage));
    assert!(given.revoke("p", None).unwrap() && !given.revoke("p", None).unwrap());
}

#[test]
fn a_reload_takes_over_what_both_files_say_now() {
    let dir = tempfile::tempdir().unwrap();
    let file = file_in(dir.path());
    let given = Given::open(file.clone()).unwrap();
    let badge = given.badge("p", &"a".repeat(64), &grants(&["users.read", "storage"]));
    let mut lock = Lock::default();
    lock.grant(entry("a", &["storage"]));
    write(&file, &lock).unwrap();
    given.reload([("p".to_owned(), grants(&["users.read"]))].into()).unwrap();
    assert!(badge.has(Group::Storage) && badge.has(Group::UsersRead));

    std::fs::write(&file, "[[grant]]\n").unwrap();
    let error = given.reload(BTreeMap::new()).unwrap_err().to_string();
    assert!(error.contains("grants.toml") && error.contains("remove it"), "{error}");
    assert!(badge.has(Group::Storage) && badge.has(Group::UsersRead));
    given.reload(BTreeMap::new()).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    given.reload(BTreeMap::new()).unwrap();
    assert!(!badge.has(Group::Storage) && !badge.has(Group::UsersRead));
}

#[test]
fn the_file_is_the_supervisors_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let file = file_in(dir.path());
    let given = Given::open(file.clone()).unwrap();
    given.grant(entry("a", &["storage"])).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains("storage"));
}
