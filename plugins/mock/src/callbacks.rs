//! Every call to the host, made from outside: `POST call` with `{"call": "users.get", "args": {"username": "ann"}}` answers
//! `{"ok": …}` or `{"error": {"kind", "message", "problems"}}`.
//!
//! A call that names a request names the one that it came with, unless `args.handle` says otherwise.

mod clients;
mod host;
mod locks;
mod metrics;
mod only;
mod schedules;
mod schemes;
mod sessions;
mod storage;
mod users;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use outboard_sdk::identity::Query;
use outboard_sdk::{Endpoint, Endpoints, Failure, HeaderValue, Host, HostError, Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Instance;
use crate::handlers::bad_request;

/// What is to be called, and with what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    call: String,
    #[serde(default)]
    args: Map<String, Value>,
}

/// The arguments of a call.
struct Args {
    values: Map<String, Value>,
    /// Of the request that asks for the call.
    handle: String,
}

/// How a call ended: what the host said, or that it can't be made.
type Called = Result<Result<Value, HostError>, Failure>;

pub(crate) fn publish(endpoints: &mut Endpoints<Instance>) {
    endpoints.post("call", call);
    endpoints.get("handle", handle);
    endpoints.get("page", page);
    let admin = || Endpoint::any("only/admin").scope("g_admin");
    endpoints.on(Endpoint::any("only/signed-in").signed_in(), only::identity);
    endpoints.on(admin(), only::identity);
    endpoints.on(Endpoint::any("only/key").scope("g_admin").or_api_key(), only::identity);
    endpoints.on(Endpoint::any("only/unknown").scope("no_such_scope"), only::identity);
    // A filter that requires something guards what is behind it.
    endpoints.on(Endpoint::any("guarded/*").signed_in().filter(), only::pass);
    endpoints.get("guarded/gold", only::identity);
}

/// `POST call`
async fn call(instance: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let Call { call, args } = request.json().await?;
    let args = Args { values: args, handle: request.handle().unwrap_or_default().to_owned() };
    let called = match dispatch(&instance.host, &call, &args).await? {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": {
            "kind": format!("{:?}", error.kind()),
            "message": error.message(),
            "problems": error.problems(),
        } }),
    };
    Ok(Response::json(&called))
}

async fn dispatch(host: &Host, call: &str, args: &Args) -> Called {
    let (service, method) = call.split_once('.').unwrap_or((call, ""));
    match service {
        "host" => host::call(host, method, args).await,
        "metrics" => metrics::call(&host.metrics(), method, args).await,
        "storage" => storage::call(&host.storage(), method, args).await,
        "locks" => locks::call(&host.locks(), method, args).await,
        "schedules" => schedules::call(&host.schedules(), method, args).await,
        "sessions" => sessions::call(&host.sessions(), method, args).await,
        "users" => users::call(&host.users(), method, args).await,
        "clients" => clients::call(&host.clients(), method, args).await,
        "schemes" => schemes::call(&host.schemes(), method, args).await,
        _ => Err(unknown()),
    }
}

/// `GET handle`: what the host calls this request by, and whose it is. A real plugin keeps that to itself.
async fn handle(_: Arc<Instance>, request: Request) -> Response {
    Response::json(&json!({ "handle": request.handle(), "identity": only::told(&request) }))
}

/// `GET page`: a page for whoever wants to see what its scripts may do.
async fn page(_: Arc<Instance>, _: Request) -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Response::bytes(html, "<!doctype html>\n<title>Mock</title>\n<p>A page of a plugin.</p>\n")
}

fn unknown() -> Failure {
    bad_request("there is no such call")
}

impl Args {
    fn text(&self, name: &str) -> Result<&str, Failure> {
        self.maybe(name).ok_or_else(|| bad_request(format!("args.{name} must be a text")))
    }

    fn maybe(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// Texts; none where there is no such argument.
    fn texts(&self, name: &str) -> Vec<&str> {
        let texts = self.values.get(name).and_then(Value::as_array);
        texts.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn number(&self, name: &str) -> u64 {
        self.values.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.values.get(name).and_then(Value::as_bool)
    }

    fn value(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or_default()
    }

    fn handle(&self) -> &str {
        self.maybe("handle").unwrap_or(&self.handle)
    }

    fn query(&self) -> Query {
        Query {
            pattern: self.maybe("pattern").unwrap_or_default().to_owned(),
            offset: self.number("offset"),
            limit: u32::try_from(self.number("limit")).unwrap_or(u32::MAX),
        }
    }

    /// The properties of a user or client, below a name.
    fn properties(&self, name: &str) -> Map<String, Value> {
        self.values.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

/// A field of an object that says what is to change.
fn text_of(change: &Map<String, Value>, name: &str) -> Option<String> {
    change.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn flag_of(change: &Map<String, Value>, name: &str) -> Option<bool> {
    change.get(name).and_then(Value::as_bool)
}

fn texts_of(change: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let texts = change.get(name)?.as_array()?;
    Some(texts.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// In seconds since 1970.
fn seconds(at: Option<SystemTime>) -> Option<u64> {
    at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs())
}
