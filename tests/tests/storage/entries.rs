//! Entries.

use std::sync::Barrier;

use e2e::on_both_databases;

use super::*;

on_both_databases! {
    fn a_plugin_keeps_and_finds_and_changes(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        let ok = |call: &str, args: Value| ok(&supervisor, call, args);
        let refused = |call: &str, args: Value| refused(&supervisor, call, args);

        let entry = json!({ "key": "a/1", "value": "one", "tags": { "user": "7" }, "expires_ms": 600_000 });
        let first = ok("storage.put", entry)?;
        let read = ok("storage.get", json!({ "key": "a/1" }))?;
        ensure!(read["value"] == "one" && read["version"] == first, "{read}");
        ensure!(read["tags"] == json!([["user", "7"]]) && read["expires"].is_u64(), "{read}");
        ensure!(ok("storage.get", json!({ "key": "a/2" }))?.is_null());

        let (kind, _) = refused("storage.put", json!({ "key": "a/1", "value": "x", "if_absent": true }))?;
        ensure!(kind == "Conflict", "{kind}");
        let second = ok("storage.put", json!({ "key": "a/1", "value": "two", "if_version": first }))?;
        ensure!(second.as_u64() > first.as_u64(), "{first} {second}");
        let (kind, _) = refused("storage.put", json!({ "key": "a/1", "value": "x", "if_version": first }))?;
        ensure!(kind == "Conflict", "{kind}");

        ok("storage.put", json!({ "key": "a/2", "value": "", "tags": { "user": "7", "family": "f" } }))?;
        ok("storage.put", json!({ "key": "b", "value": "", "tags": { "user": "8" } }))?;
        let page = ok("storage.list", json!({ "prefix": "a/", "limit": 1 }))?;
        ensure!(page["entries"][0]["key"] == "a/1" && page["more"] == true, "{page}");
        let page = ok("storage.list", json!({ "prefix": "a/", "after": "a/1" }))?;
        ensure!(page["entries"][0]["key"] == "a/2" && page["more"] == false, "{page}");
        let tagged = ok("storage.list_by_tag", json!({ "name": "user", "value": "7" }))?;
        ensure!(tagged["entries"].as_array().is_some_and(|it| it.len() == 1), "the new value has no tag: {tagged}");

        ensure!(ok("storage.increment", json!({ "key": "n", "by": 5 }))? == 5);
        ensure!(ok("storage.increment", json!({ "key": "n", "by": -7 }))? == -2);
        let (kind, _) = refused("storage.increment", json!({ "key": "a/1" }))?;
        ensure!(kind == "Conflict", "{kind}");

        let all = json!({ "operations": [
            { "version": ["a/1", second] }, { "absent": "c" }, { "put": { "key": "c", "value": "3" } },
            { "increment": { "key": "n" } }, { "delete": "b" },
        ] });
        ok("storage.transact", all.clone())?;
        let (kind, _) = refused("storage.transact", all)?;
        ensure!(kind == "Conflict", "{kind}");
        ensure!(ok("storage.get", json!({ "key": "n" }))?["value"] == "-1");
        ensure!(ok("storage.get", json!({ "key": "b" }))?.is_null());

        ensure!(ok("storage.delete_by_tag", json!({ "name": "family", "value": "f" }))? == 1);
        ensure!(ok("storage.delete", json!({ "key": "c" }))? == true);
        ensure!(ok("storage.delete", json!({ "key": "c" }))? == false);

        ok("storage.put", json!({ "key": "soon", "value": "x", "expires_ms": 1 }))?;
        until(|| ok("storage.get", json!({ "key": "soon" })), Value::is_null)?;
        Ok(())
    }

    fn of_a_hundred_who_take_one_key_one_has_it_and_all_others_are_told(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        ok(&supervisor, "storage.put", json!({ "key": "code", "value": "ann" }))?;
        let start = Barrier::new(100);
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let take = || {
                start.wait();
                ok(&supervisor, "storage.take", json!({ "key": "code" }))
            };
            let takes: Vec<_> = (0..100).map(|_| scope.spawn(take)).collect();
            let joined = takes.into_iter().map(|it| it.join().map_err(|_| anyhow::anyhow!("panicked"))?);
            joined.collect::<Result<_>>()
        })?;
        let count = |name: &str| answers.iter().filter(|it| it[name]["value"] == "ann").count();
        ensure!((count("taken"), count("consumed")) == (1, 99), "{answers:?}");
        ensure!(ok(&supervisor, "storage.get", json!({ "key": "code" }))?.is_null());
        ensure!(ok(&supervisor, "storage.take", json!({ "key": "other" }))?.is_null());
        Ok(())
    }

    fn what_is_kept_outlives_plugin_and_supervisor(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        ok(&supervisor, "storage.put", json!({ "key": "k", "value": "v" }))?;
        ok(&supervisor, "storage.put", json!({ "key": "code", "value": "v" }))?;
        ok(&supervisor, "storage.take", json!({ "key": "code" }))?;
        let before = supervisor.plugin("mock")?;
        e2e::supervisor::processes::kill_9(before.pid()?)?;
        supervisor.serves_after("mock", before.generation())?;
        ensure!(ok(&supervisor, "storage.get", json!({ "key": "k" }))?["value"] == "v");
        drop(supervisor);
        let supervisor = stage.serve()?;
        ensure!(ok(&supervisor, "storage.get", json!({ "key": "k" }))?["value"] == "v");
        let taken = ok(&supervisor, "storage.take", json!({ "key": "code" }))?;
        ensure!(taken["consumed"]["value"] == "v" && taken["at"].is_u64(), "{taken}");
        Ok(())
    }

    fn what_can_not_be_kept_is_refused_and_nothing_is_half_written(stage) {
        with_mock(&stage, GRANTS, "[storage]\nquota = \"3MiB\"\n")?;
        let supervisor = stage.serve()?;
        let refused = |call: &str, args: Value| refused(&supervisor, call, args);
        let long = "k".repeat(513);
        for (args, word) in [
            (json!({ "key": "" }), "key"),
            (json!({ "key": long }), "key"),
            (json!({ "key": "a\u{0}" }), "key"),
            (json!({ "key": "k", "zeros": (1 << 20) + 1 }), "value"),
            (json!({ "key": "k", "expires_ms": 0 }), "expires_in"),
            (json!({ "key": "k", "tags": { "": "x" } }), "tag.name"),
        ] {
            let (kind, message) = refused("storage.put", args)?;
            ensure!(kind == "Invalid" && message.contains(word), "{kind} {message}");
        }
        let (kind, message) = refused("storage.list", json!({ "limit": 1001 }))?;
        ensure!(kind == "Invalid" && message.contains("limit"), "{kind} {message}");
        let (kind, _) = refused("storage.transact", json!({ "operations": [] }))?;
        ensure!(kind == "Invalid", "{kind}");
        let many: Vec<_> = (0..65).map(|n| json!({ "delete": n.to_string() })).collect();
        let (kind, _) = refused("storage.transact", json!({ "operations": many }))?;
        ensure!(kind == "Invalid", "{kind}");

        let half = 1 << 19;
        for n in 0..5 {
            ok(&supervisor, "storage.put", json!({ "key": format!("k{n}"), "zeros": half }))?;
        }
        let (kind, message) = refused("storage.transact", json!({ "operations": [
            { "put": { "key": "small", "value": "1" } }, { "put": { "key": "k5", "zeros": half } },
        ] }))?;
        ensure!(kind == "Limit" && message.contains("storage.quota"), "{kind} {message}");
        ensure!(ok(&supervisor, "storage.get", json!({ "key": "small" }))?.is_null());
        ok(&supervisor, "storage.put", json!({ "key": "k0", "value": "less" }))?;
        ok(&supervisor, "storage.put", json!({ "key": "k5", "zeros": half }))?;
        // A page is about 2 MiB, whatever was asked for.
        let page = ok(&supervisor, "storage.list", json!({ "prefix": "k" }))?;
        ensure!(page["more"] == true, "all of it came");
        Ok(())
    }

    fn a_plugin_without_the_grants_is_told_which_ones(stage) {
        with_mock(&stage, "\"users.read\"", "")?;
        let supervisor = stage.serve()?;
        for (call, group) in [
            ("storage.get", "storage"), ("storage.put", "storage"), ("storage.delete", "storage"),
            ("storage.increment", "storage"), ("storage.take", "storage"), ("storage.list", "storage"),
            ("storage.list_by_tag", "storage"), ("storage.delete_by_tag", "storage"),
            ("storage.transact", "storage"), ("locks.acquire", "locks"), ("schedules.set", "schedules"),
            ("schedules.delete", "schedules"), ("schedules.list", "schedules"),
        ] {
            let (kind, message) = refused(&supervisor, call, json!({ "name": "n", "ttl_ms": 1000 }))?;
            ensure!(kind == "Denied", "{call}: {kind} {message}");
            ensure!(message.contains(&format!("outboard plugin grant mock {group}")), "{call}: {message}");
        }
        Ok(())
    }
}
