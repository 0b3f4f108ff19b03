//! `storage.*`

use std::time::Duration;

use outboard_sdk::{Entry, Increment, Operation, Put, Storage, Taken};
use serde_json::{Map, Value, json};

use super::{Args, Called, seconds, unknown};
use crate::handlers::bad_request;

pub(super) async fn call(storage: &Storage, method: &str, args: &Args) -> Called {
    let text = |name: &str| args.maybe(name).unwrap_or_default();
    let limit = u32::try_from(args.number("limit")).unwrap_or(u32::MAX);
    Ok(match method {
        "get" => storage.get(text("key")).await.map(|entry| json!(entry.as_ref().map(shown))),
        "put" => storage.put(put(&args.values)).await.map(|version| json!(version)),
        "delete" => storage.delete(text("key")).await.map(|existed| json!(existed)),
        "increment" => storage.increment(increment(&args.values)).await.map(|sum| json!(sum)),
        "take" => storage.take(text("key")).await.map(|taken| taken_shown(&taken)),
        "list" => {
            let page = storage.list(text("prefix"), text("after"), limit).await;
            page.map(|page| page_shown(&page.entries, page.more))
        }
        "list_by_tag" => {
            let page = storage.list_by_tag(text("name"), text("value"), text("after"), limit).await;
            page.map(|page| page_shown(&page.entries, page.more))
        }
        "delete_by_tag" => {
            let deleted = storage.delete_by_tag(text("name"), text("value")).await;
            deleted.map(|count| json!(count))
        }
        "transact" => {
            let operations = args.value("operations");
            let operations: Option<Vec<_>> =
                operations.as_array().into_iter().flatten().map(operation).collect();
            let operations = operations.ok_or_else(|| bad_request("there is no such operation"))?;
            storage.transact(operations).await.map(|()| Value::Null)
        }
        _ => return Err(unknown()),
    })
}

fn text_in(values: &Map<String, Value>, name: &str) -> String {
    values.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Of `{"key", "value", "zeros", "if_absent", "if_version", "expires_ms", "tags"}`; `zeros` is a value of so many.
fn put(values: &Map<String, Value>) -> Put {
    let zeros = values.get("zeros").and_then(Value::as_u64).and_then(|it| usize::try_from(it).ok());
    let value = zeros.map_or_else(|| text_in(values, "value").into_bytes(), |it| vec![b'0'; it]);
    let mut put = Put::new(text_in(values, "key"), value);
    if values.get("if_absent").and_then(Value::as_bool) == Some(true) {
        put = put.if_absent();
    }
    if let Some(version) = values.get("if_version").and_then(Value::as_u64) {
        put = put.if_version(version);
    }
    if let Some(expires_in) = expires_in(values) {
        put = put.expires_in(expires_in);
    }
    tags(values).fold(put, |put, (name, value)| put.tag(name, value))
}

/// Of `{"key", "by", "expires_ms", "tags"}`
fn increment(values: &Map<String, Value>) -> Increment {
    let by = values.get("by").and_then(Value::as_i64).unwrap_or(1);
    let mut increment = Increment::new(text_in(values, "key"), by);
    if let Some(expires_in) = expires_in(values) {
        increment = increment.expires_in(expires_in);
    }
    tags(values).fold(increment, |increment, (name, value)| increment.tag(name, value))
}

/// Of `{"put": …}`, `{"increment": …}`, `{"delete": key}`, `{"absent": key}` or `{"version": [key, version]}`
fn operation(value: &Value) -> Option<Operation> {
    let (does, of) = value.as_object()?.iter().next()?;
    Some(match does.as_str() {
        "put" => Operation::put(put(of.as_object()?)),
        "increment" => Operation::increment(increment(of.as_object()?)),
        "delete" => Operation::delete(of.as_str()?),
        "absent" => Operation::check_absent(of.as_str()?),
        "version" => Operation::check_version(of[0].as_str()?, of[1].as_u64()?),
        _ => return None,
    })
}

fn expires_in(values: &Map<String, Value>) -> Option<Duration> {
    values.get("expires_ms").and_then(Value::as_u64).map(Duration::from_millis)
}

fn tags(values: &Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    let tags = values.get("tags").and_then(Value::as_object).into_iter().flatten();
    tags.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

fn shown(entry: &Entry) -> Value {
    json!({
        "key": entry.key,
        "value": String::from_utf8_lossy(&entry.value),
        "version": entry.version,
        "expires": seconds(entry.expires_at),
        "tags": entry.tags,
    })
}

fn page_shown(entries: &[Entry], more: bool) -> Value {
    let entries: Vec<Value> = entries.iter().map(shown).collect();
    json!({ "entries": entries, "more": more })
}

fn taken_shown(taken: &Taken) -> Value {
    match taken {
        Taken::Value(entry) => json!({ "taken": shown(entry) }),
        Taken::Consumed { entry, at } => {
            json!({ "consumed": shown(entry), "at": seconds(Some(*at)) })
        }
        _ => Value::Null,
    }
}
