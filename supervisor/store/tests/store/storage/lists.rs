//! Lists, by key and by tag.

use outboard_store::storage::{Page, Slice};

use super::*;
use crate::harness::{Database, on_both_databases};

fn keys(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn slice(after: &str, limit: u32) -> Slice<'_> {
    Slice { after, limit, bytes: 1 << 30 }
}

on_both_databases! {
    async fn a_prefix_is_all_that_begins_with_it_and_nothing_else(database: Database) {
        let store = database.open().await;
        let furthest = format!("a/{}", "\u{10ffff}".repeat(127));
        for key in ["a", "a/", "a/1", "a/é", "a/\u{10ffff}", &furthest, "a0", "A/1", "b", "%", "_"] {
            done(&store, Operation::Put(put(key, "v"))).await;
        }
        let list = async |prefix: &str| store.storage().list("otp", prefix, slice("", 100)).await.unwrap();
        assert_eq!(keys(&list("a/").await), ["a/", "a/1", "a/é", "a/\u{10ffff}", &furthest]);
        assert_eq!(keys(&list("a").await).len(), 7);
        assert_eq!(keys(&list("").await).len(), 11);
        for (prefix, expected) in [("%", vec!["%"]), ("_", vec!["_"]), ("c", vec![]), ("a/1x", vec![])] {
            assert_eq!(keys(&list(prefix).await), expected, "{prefix}");
        }
        assert!(store.storage().list("mail", "", slice("", 100)).await.unwrap().entries.is_empty());
    }

    async fn pages_follow_each_other_without_a_gap(database: Database) {
        let store = database.open().await;
        for n in 0..25 {
            let tags = vec![tag("user", "1")];
            done(&store, Operation::Put(Put { tags, ..put(&format!("k{n:02}"), &"x".repeat(90)) })).await;
        }
        done(&store, Operation::Put(put("l", "another"))).await;
        for (limit, bytes) in [(7, 1 << 30), (1, 1 << 30), (25, 1 << 30), (100, 1), (100, 250), (24, 1 << 30)] {
            for by_tag in [false, true] {
                let (mut read, mut after) = (Vec::new(), String::new());
                loop {
                    let slice = Slice { after: &after, limit, bytes };
                    let page = if by_tag {
                        store.storage().list_by_tag("otp", &tag("user", "1"), slice).await.unwrap()
                    } else {
                        store.storage().list("otp", "k", slice).await.unwrap()
                    };
                    assert!(page.entries.len() <= limit as usize);
                    read.extend(page.entries.iter().map(|entry| entry.key.clone()));
                    if !page.has_more {
                        break;
                    }
                    after.clone_from(&page.entries.last().unwrap().key);
                }
                let expected: Vec<_> = (0..25).map(|n| format!("k{n:02}")).collect();
                assert_eq!(read, expected, "{limit} {bytes} {by_tag}");
            }
        }
    }

    async fn tags_are_those_that_were_written_last(database: Database) {
        let store = database.open().await;
        let tagged = |key: &str, value: &str| {
            Operation::Put(Put { tags: vec![tag("user", value), tag("family", "f")], ..put(key, "v") })
        };
        for (key, user) in [("a", "1"), ("b", "2"), ("c", "1")] {
            done(&store, tagged(key, user)).await;
        }
        done(&store, tagged("c", "2")).await;
        let list = async |name: &str, value: &str| {
            store.storage().list_by_tag("otp", &tag(name, value), slice("", 100)).await.unwrap()
        };
        assert_eq!(keys(&list("user", "1").await), ["a"]);
        assert_eq!(keys(&list("user", "2").await), ["b", "c"]);
        assert_eq!(keys(&list("family", "f").await), ["a", "b", "c"]);
        assert_eq!(keys(&list("family", "").await), [""; 0]);
        put_ended(&store, "b", "v").await;
        assert_eq!(keys(&list("family", "f").await), ["a", "c"]);
        let delete = async |value: &str| {
            store.storage().delete_by_tag("otp", &tag("user", value)).await.unwrap()
        };
        assert_eq!((delete("2").await, delete("2").await, delete("3").await), (1, 0, 0));
        assert_eq!(keys(&list("family", "f").await), ["a"]);
    }
}
