//! Locks.

use std::time::{Duration, Instant};

use e2e::on_both_databases;

use super::*;

on_both_databases! {
    fn a_lock_is_one_holders_until_it_is_let_go_or_its_time_is_over(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        let acquire = |args: Value| ok(&supervisor, "locks.acquire", args);
        let first = acquire(json!({ "name": "l", "ttl_ms": 1000 }))?;
        ensure!(acquire(json!({ "name": "l", "ttl_ms": 1000 }))?.is_null());
        ensure!(acquire(json!({ "name": "other", "ttl_ms": 1000, "release": true }))?["released"] == true);
        // Nobody lets it go: it is free when its second is over, and whoever waits gets it.
        let second = acquire(json!({ "name": "l", "ttl_ms": 60_000, "wait_ms": 10_000, "release": true }))?;
        ensure!(second["token"].as_u64() > first["token"].as_u64(), "{first} {second}");
        ensure!(second["released"] == true, "{second}");
        // Work that takes longer than the lock lasts has lost it, and is told.
        let late = acquire(json!({
            "name": "l", "ttl_ms": 1000, "work_ms": 1500, "renew_ms": 1000, "release": true,
        }))?;
        ensure!(late["renewed"] == false && late["released"] == false, "{late}");
        let kept = acquire(json!({ "name": "l", "ttl_ms": 1000, "renew_ms": 60_000 }))?;
        ensure!(kept["renewed"] == true, "{kept}");
        let begun = Instant::now();
        ensure!(acquire(json!({ "name": "l", "ttl_ms": 1000, "wait_ms": 1500 }))?.is_null());
        ensure!(begun.elapsed() >= Duration::from_millis(1500), "{:?}", begun.elapsed());
        Ok(())
    }

    fn what_can_not_be_a_lock_is_refused(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        for (args, word) in [
            (json!({ "name": "", "ttl_ms": 1000 }), "name"),
            (json!({ "name": "n".repeat(129), "ttl_ms": 1000 }), "name"),
            (json!({ "name": "l", "ttl_ms": 999 }), "ttl"),
            (json!({ "name": "l", "ttl_ms": 3_600_001 }), "ttl"),
            (json!({ "name": "l", "ttl_ms": 1000, "wait_ms": 30_001 }), "wait"),
        ] {
            let (kind, message) = refused(&supervisor, "locks.acquire", args)?;
            ensure!(kind == "Invalid" && message.contains(word), "{kind} {message}");
        }
        Ok(())
    }
}

#[test]
fn a_lock_is_one_for_all_supervisors_of_a_database() -> Result<()> {
    let stage = Stage::on_postgres()?;
    let other = stage.beside()?;
    with_mock(&stage, GRANTS, "")?;
    with_mock(&other, GRANTS, "")?;
    let (one, two) = (stage.serve()?, other.serve()?);
    let held = ok(&one, "locks.acquire", json!({ "name": "l", "ttl_ms": 60_000 }))?;
    ensure!(held["token"].is_u64(), "{held}");
    ensure!(ok(&two, "locks.acquire", json!({ "name": "l", "ttl_ms": 1000 }))?.is_null());
    let kept = ok(&one, "storage.put", json!({ "key": "k", "value": "shared" }))?;
    let read = ok(&two, "storage.get", json!({ "key": "k" }))?;
    ensure!(read["value"] == "shared" && read["version"] == kept, "{read}");
    Ok(())
}
