//! `metrics.*`

use outboard_sdk::{Metrics, Raise};
use serde_json::{Value, json};

use super::{Args, Called, host, unknown};

pub(super) async fn call(metrics: &Metrics, method: &str, args: &Args) -> Called {
    let done = match method {
        "describe" => metrics.describe(host::texts(&args.properties("helps"))).await,
        "raise" => {
            let raises = args.value("raises");
            metrics.raise(raises.as_array().into_iter().flatten().map(raise)).await
        }
        _ => return Err(unknown()),
    };
    Ok(done.map(|()| json!(true)))
}

/// Of `{"name", "labels", "by"}`.
fn raise(value: &Value) -> Raise {
    let mut raise = Raise::new(value["name"].as_str().unwrap_or_default());
    if let Some(by) = value["by"].as_u64() {
        raise = raise.by(by);
    }
    for (name, value) in value["labels"].as_object().into_iter().flat_map(host::texts) {
        raise = raise.label(name, value);
    }
    raise
}
