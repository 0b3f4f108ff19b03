//! `schedules.*`

use std::time::{Duration, SystemTime};

use outboard_sdk::{Schedule, Schedules};
use serde_json::{Value, json};

use super::{Args, Called, unknown};

pub(super) async fn call(schedules: &Schedules, method: &str, args: &Args) -> Called {
    Ok(match method {
        "set" => schedules.set(schedule(args)).await.map(|schedule| shown(&schedule)),
        "delete" => schedules.delete(args.text("name")?).await.map(|existed| json!(existed)),
        "list" => schedules.list().await.map(|all| all.iter().map(shown).collect()),
        _ => return Err(unknown()),
    })
}

/// Of `{"name", "every_ms", "in_ms", "data"}`. Without any time it is for now, once.
fn schedule(args: &Args) -> Schedule {
    let name = args.maybe("name").unwrap_or_default();
    let from_now = args.values.get("in_ms").and_then(Value::as_u64);
    let at = SystemTime::now() + Duration::from_millis(from_now.unwrap_or_default());
    let schedule = match args.values.get("every_ms").and_then(Value::as_u64) {
        Some(every) => {
            let schedule = Schedule::every(name, Duration::from_millis(every));
            if from_now.is_some() { schedule.starting(at) } else { schedule }
        }
        None => Schedule::once(name, at),
    };
    schedule.data(args.value("data").to_string())
}

fn shown(schedule: &Schedule) -> Value {
    let at = schedule.at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    json!({
        "name": schedule.name,
        "every_ms": schedule.every.map(|every| every.as_millis()),
        "at_ms": at.map(|at| at.as_millis()),
        "data": serde_json::from_slice::<Value>(&schedule.data).unwrap_or_default(),
        "failures": schedule.failures,
        "last_error": schedule.last_error,
    })
}
