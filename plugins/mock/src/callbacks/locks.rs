//! `locks.*`: `{"name", "ttl_ms", "wait_ms"}`. A lock is taken, and renewed or let go in the same call where `renew_ms` or
//! `release` says so.

use std::time::Duration;

use outboard_sdk::{HostError, Lock, Locks};
use serde_json::{Value, json};

use super::{Args, Called, unknown};

pub(super) async fn call(locks: &Locks, method: &str, args: &Args) -> Called {
    let (ttl, wait) = (args.number("ttl_ms"), args.number("wait_ms"));
    let (ttl, wait) = (Duration::from_millis(ttl), Duration::from_millis(wait));
    if method != "acquire" {
        return Err(unknown());
    }
    Ok(match locks.acquire_within(args.text("name")?, ttl, wait).await {
        Ok(Some(lock)) => hold(lock, args).await,
        Ok(None) => Ok(Value::Null),
        Err(error) => Err(error),
    })
}

async fn hold(lock: Lock, args: &Args) -> Result<Value, HostError> {
    let mut told = json!({ "token": lock.token() });
    // Longer than it is held, perhaps.
    tokio::time::sleep(Duration::from_millis(args.number("work_ms"))).await;
    let renew = args.number("renew_ms");
    if renew > 0 {
        told["renewed"] = lock.renew(Duration::from_millis(renew)).await?.into();
    }
    if args.flag("release") == Some(true) {
        told["released"] = lock.release().await?.into();
    }
    Ok(told)
}
