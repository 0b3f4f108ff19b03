use super::*;

const OLD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const NEW: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn grants(callbacks: &[&str], emit: &[&str]) -> Grants {
    Grants {
        remote_tcp: false,
        emit: Types::new(emit).unwrap(),
        callbacks: Groups::read(callbacks).unwrap(),
    }
}

fn entry(plugin: &str, hash: &str, callbacks: &[&str], emit: &[&str]) -> Entry {
    let Grants { emit, callbacks, .. } = grants(callbacks, emit);
    let (plugin, hash) = (plugin.to_owned(), hash.to_owned());
    Entry { plugin, hash, emit, callbacks, time: "2026-01-02T03:04:05Z".to_owned() }
}

fn lock(entries: &[Entry]) -> Lock {
    let mut lock = Lock::default();
    for entry in entries {
        lock.grant(entry.clone());
    }
    lock
}

fn decide(asked: &Grants, hash: &str, operator: &Grants, lock: &Lock) -> Decision {
    Decision::of(asked, "p", hash, operator, lock)
}

#[test]
fn what_is_asked_for_and_given_holds_and_no_more() {
    let asked = grants(&["users.read", "storage"], &["job.*"]);
    let operator = grants(&["users.read", "users.write"], &["job.started"]);
    let decision = decide(&asked, OLD, &operator, &Lock::default());
    assert_eq!(decision.granted, grants(&["users.read"], &["job.started"]));
    assert_eq!(decision.missing, grants(&["storage"], &["job.*"]));
}

#[test]
fn a_lock_counts_for_its_plugin_and_its_hash_alone() {
    let asked = grants(&["users.read"], &[]);
    let nothing = Grants::default();
    let given = lock(&[entry("p", OLD, &["users.read"], &[])]);
    assert_eq!(decide(&asked, OLD, &nothing, &given).granted, asked);
    assert_eq!(decide(&asked, NEW, &nothing, &given).missing, asked);
    assert_eq!(Decision::of(&asked, "q", OLD, &nothing, &given).missing, asked);
}

#[test]
fn file_and_lock_add_up() {
    let asked = grants(&["users.read", "storage"], &["a", "b"]);
    let given = lock(&[entry("p", OLD, &["storage"], &["b"])]);
    let decision = decide(&asked, OLD, &grants(&["users.read"], &["a"]), &given);
    assert!(decision.missing.is_empty(), "{decision:?}");
}

#[test]
fn a_version_waits_for_what_it_would_lack_and_the_serving_one_has_or_never_asked_for() {
    let (few, many) = (grants(&["users.read"], &[]), grants(&["users.read", "users.write"], &[]));
    let nothing = Grants::default();
    let given = lock(&[entry("p", OLD, &["users.read"], &[])]);
    let serving = decide(&few, OLD, &nothing, &given);
    let check = |asked: &Grants, operator: &Grants, lock: &Lock, waits: bool| {
        assert_eq!(decide(asked, NEW, operator, lock).waits_behind(&serving), waits);
    };
    check(&few, &nothing, &given, true);
    check(&many, &few, &given, true);
    check(&few, &few, &given, false);
    check(&nothing, &nothing, &given, false);
    let both =
        lock(&[entry("p", OLD, &["users.read"], &[]), entry("p", NEW, &["users.read"], &[])]);
    check(&few, &nothing, &both, false);
    check(&many, &nothing, &both, true);
}

#[test]
fn what_both_versions_lack_keeps_nobody_waiting() {
    let (asked, nothing, empty) =
        (grants(&["users.read"], &["a"]), Grants::default(), Lock::default());
    let serving = decide(&asked, OLD, &nothing, &empty);
    assert!(!decide(&asked, NEW, &nothing, &empty).waits_behind(&serving));
    let more = grants(&["users.read"], &["a", "b"]);
    assert!(decide(&more, NEW, &nothing, &empty).waits_behind(&serving));
}

#[test]
fn a_lock_is_read_as_it_was_written() {
    let written = lock(&[
        entry("p", OLD, &["users.read", "web.same_origin"], &["job.*", "*"]),
        entry("q", NEW, &[], &["a"]),
    ]);
    assert_eq!(Lock::parse(&written.text()).unwrap(), written);
    assert_eq!(Lock::parse("").unwrap(), Lock::default());
    assert_eq!(Lock::parse(&Lock::default().text()).unwrap(), Lock::default());
}

#[test]
fn a_lock_that_is_not_as_it_was_written_says_where() {
    let check = |text: &str, words: &str| {
        let error = Lock::parse(text).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("remove it"), "{error}");
    };
    check("\n[[grant]\n", "line 2");
    check("[[grant]]\nplugin = \"p\"\nmore = 1\n", "unknown field `more`");
    let of = |hash: &str, group: &str| {
        format!(
            "[[grant]]\nplugin = \"p\"\nhash = {hash:?}\ncallbacks = [{group:?}]\nemit = []\ntime = \"\"\n"
        )
    };
    check(&of("abc", "storage"), "is not a hash");
    check(&of(OLD, "user.read"), "did you mean \"users.read\"?");
}

#[test]
fn grants_of_one_version_add_up_and_earlier_versions_are_kept_for_a_while() {
    let mut lock = lock(&[entry("p", OLD, &["storage"], &[]), entry("p", OLD, &["locks"], &["a"])]);
    assert_eq!(lock.given("p", OLD), grants(&["storage", "locks"], &["a"]));
    lock.grant(entry("q", OLD, &["storage"], &[]));
    for digit in 0..8 {
        lock.grant(entry("p", &digit.to_string().repeat(64), &["storage"], &[]));
    }
    assert!(lock.given("p", OLD).is_empty());
    assert!(!lock.given("p", &"0".repeat(64)).is_empty() && !lock.given("q", OLD).is_empty());
}

#[test]
fn the_newest_is_the_one_that_was_granted_something_last() {
    let mut lock = lock(&[
        entry("p", NEW, &["storage"], &[]),
        entry("p", OLD, &["storage"], &[]),
        entry("q", NEW, &["storage"], &[]),
    ]);
    assert_eq!(lock.newest("p").unwrap().hash, OLD);
    lock.grant(entry("p", NEW, &["locks"], &[]));
    assert_eq!(lock.newest("p").unwrap().hash, NEW);
    assert!(lock.newest("r").is_none());
}

#[test]
fn what_is_revoked_is_gone_from_every_version() {
    let mut lock = lock(&[
        entry("p", OLD, &["storage", "locks"], &["a"]),
        entry("p", NEW, &["storage"], &[]),
        entry("q", NEW, &["storage"], &[]),
    ]);
    assert!(!lock.revoke("p", &grants(&["users.read"], &[])));
    assert!(lock.revoke("p", &grants(&["storage"], &["a"])));
    assert_eq!(lock.given("p", OLD), grants(&["locks"], &[]));
    assert!(lock.given("p", NEW).is_empty() && !lock.given("q", NEW).is_empty());
    assert!(lock.revoke_all("p") && !lock.revoke_all("p"));
}

#[test]
fn every_group_has_a_word_of_its_own_that_leads_back_to_it() {
    let words = Group::ALL.map(Group::word);
    let groups = Groups::read(&words).unwrap();
    assert_eq!(groups.iter().count(), words.len());
    assert_eq!(groups.words(), words);
}
