//! Schedules.

use std::time::SystemTime;

use e2e::on_both_databases;

use super::*;

/// How often a schedule of this name went off, or was tried.
fn count(supervisor: &Supervisor<'_>, what: &str, name: &str) -> Result<Value> {
    let entry = ok(supervisor, "storage.get", json!({ "key": format!("{what}/{name}") }))?;
    let text = entry["value"].as_str().unwrap_or("0");
    Ok(json!(text.parse::<u64>()?))
}

fn goes_off(supervisor: &Supervisor<'_>, name: &str, times: u64) -> Result<()> {
    let is_enough = |count: &Value| count.as_u64() >= Some(times);
    until(|| count(supervisor, "fired", name), is_enough).map(drop)
}

/// The databases of the tests go by this machine's clock.
fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?)
}

on_both_databases! {
    fn what_is_set_goes_off_and_comes_again_after_a_failure(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        let ok = |call: &str, args: Value| ok(&supervisor, call, args);

        let set = ok("schedules.set", json!({ "name": "once", "in_ms": 300, "data": { "fail": 1 } }))?;
        ensure!(set["data"] == json!({ "fail": 1 }) && set["every_ms"].is_null(), "{set}");
        let far = ok("schedules.set", json!({ "name": "later", "every_ms": 3_600_000 }))?;
        let again = ok("schedules.set", json!({ "name": "later", "every_ms": 3_600_000 }))?;
        ensure!(far["at_ms"] == again["at_ms"], "{far} {again}");
        ok("schedules.set", json!({ "name": "often", "every_ms": 1000, "in_ms": 0 }))?;

        goes_off(&supervisor, "once", 1)?;
        ensure!(count(&supervisor, "tried", "once")? == 2);
        supervisor.log.wait(0, "a schedule failed; it is tried again")?;
        goes_off(&supervisor, "often", 3)?;
        ensure!(ok("schedules.delete", json!({ "name": "often" }))? == true);
        ensure!(ok("schedules.delete", json!({ "name": "often" }))? == false);
        until(|| ok("schedules.list", json!({})), |list| {
            list.as_array().is_some_and(|list| list.len() == 1 && list[0]["name"] == "later")
        })?;
        ensure!(count(&supervisor, "fired", "once")? == 1 && count(&supervisor, "fired", "later")? == 0);
        Ok(())
    }

    fn one_that_fails_says_why_until_it_goes_well(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        ok(&supervisor, "schedules.set", json!({ "name": "bad", "every_ms": 600_000, "in_ms": 0, "data": { "fail": 2 } }))?;
        let first = |list: &Value| list[0].clone();
        let list = || ok(&supervisor, "schedules.list", json!({}));
        let failing = until(list, |list| first(list)["failures"] == 1)?;
        let error = first(&failing)["last_error"].as_str().unwrap_or_default().to_owned();
        ensure!(error.contains("attempt 1 fails, as asked"), "{error}");
        goes_off(&supervisor, "bad", 1)?;
        let well = until(list, |list| first(list)["failures"] == 0)?;
        ensure!(first(&well)["last_error"].is_null(), "{well}");
        ensure!(count(&supervisor, "tried", "bad")? == 3);
        Ok(())
    }

    fn what_was_due_while_nobody_was_there_goes_off_once(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        let mut due = 0;
        for (name, every) in [("once", None), ("often", Some(600_000))] {
            let set = json!({ "name": name, "in_ms": 1500, "every_ms": every });
            due = ok(&supervisor, "schedules.set", set)?["at_ms"].as_u64().unwrap_or_default();
        }
        drop(supervisor);
        ensure!(due > 0);
        until(|| Ok(json!(now_ms()?)), |now| now.as_u64() > Some(due))?;
        let supervisor = stage.serve()?;
        goes_off(&supervisor, "once", 1)?;
        goes_off(&supervisor, "often", 1)?;
        let list = ok(&supervisor, "schedules.list", json!({}))?;
        ensure!(list.as_array().is_some_and(|list| list.len() == 1), "{list}");
        ensure!(count(&supervisor, "fired", "once")? == 1 && count(&supervisor, "fired", "often")? == 1);
        Ok(())
    }

    fn what_can_not_be_scheduled_is_refused(stage) {
        with_mock(&stage, GRANTS, "")?;
        let supervisor = stage.serve()?;
        for (args, word) in [
            (json!({ "name": "" }), "name"),
            (json!({ "name": "n".repeat(129) }), "name"),
            (json!({ "name": "n", "every_ms": 999 }), "every"),
            (json!({ "name": "n", "data": "x".repeat(17_000) }), "data"),
        ] {
            let (kind, message) = refused(&supervisor, "schedules.set", args)?;
            ensure!(kind == "Invalid" && message.contains(word), "{kind} {message}");
        }
        Ok(())
    }
}

#[test]
fn a_schedule_goes_off_once_in_all_supervisors_of_a_database() -> Result<()> {
    let stage = Stage::on_postgres()?;
    let other = stage.beside()?;
    with_mock(&stage, GRANTS, "")?;
    with_mock(&other, GRANTS, "")?;
    let (one, two) = (stage.serve()?, other.serve()?);
    for n in 0..20 {
        let set = json!({ "name": format!("s{n}"), "in_ms": 2000, "data": { "wait_ms": 200 } });
        ok(if n % 2 == 0 { &one } else { &two }, "schedules.set", set)?;
    }
    for n in 0..20 {
        goes_off(&two, &format!("s{n}"), 1)?;
    }
    until(|| ok(&one, "schedules.list", json!({})), |list| *list == json!([]))?;
    for n in 0..20 {
        let (fired, tried) =
            (count(&one, "fired", &format!("s{n}"))?, count(&one, "tried", &format!("s{n}"))?);
        ensure!(fired == 1 && tried == 1, "s{n}: {fired} {tried}");
    }
    Ok(())
}
