//! What the endpoints answer. Each is an async function of the instance and the request.

use std::sync::Arc;
use std::time::Duration;

use outboard_sdk::{
    Endpoint, Failure, HeaderValue, HostError, HostErrorKind, Outcome, Request, Response,
    StatusCode,
};
use serde_json::{Value, json};

use crate::Instance;

/// The host takes 4 MiB with the headers.
const BIGGEST: usize = 4 * 1024 * 1024 - 64 * 1024;
const SLOWEST: Duration = Duration::from_mins(5);

/// `GET hello/:name`
pub(crate) async fn hello(instance: Arc<Instance>, request: Request) -> Result<String, Failure> {
    let name = request.variable("name")?;
    tracing::debug!(name, "greeting");
    Ok(format!("{}, {name}!\n", instance.greeting))
}

/// `* echo/*`: the request as JSON, repeated names kept.
pub(crate) async fn echo(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let body = request.bytes().await?;
    let headers: Vec<Value> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    Ok(Response::json(&json!({
        "method": request.method().as_str(),
        "path": String::from_utf8_lossy(request.path()),
        "query": request.raw_query().map(String::from_utf8_lossy),
        "headers": headers,
        "scheme": request.scheme(),
        "authority": request.authority(),
        "protocol": request.protocol(),
        "client_address": request.client_address(),
        "request_id": request.request_id(),
        "traceparent": request.traceparent(),
        "body_bytes": body.len(),
        "body": String::from_utf8_lossy(&body),
    })))
}

/// `* status/:code`
pub(crate) async fn status(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let code = request.variable("code")?;
    let status = code.parse().ok().filter(|status: &StatusCode| status.as_u16() >= 200);
    let status = status.ok_or_else(|| bad_request("the code must be 200 to 599"))?;
    Ok(Response::new().status(status))
}

/// `GET slow?ms=`, `POST gate?ms=`: answers after that time. It stops waiting when the client is gone.
pub(crate) async fn slow(_: Arc<Instance>, request: Request) -> Result<String, Failure> {
    let wait = Duration::from_millis(number(&request, "ms", 1000)?);
    // As most handlers do: a client that waits to be told sends it now.
    request.bytes().await?;
    if wait > SLOWEST {
        return Err(bad_request("ms must be at most 300000"));
    }
    tokio::time::sleep(wait).await;
    Ok(format!("waited {} ms\n", wait.as_millis()))
}

/// `GET big?bytes=`: a body of that size.
pub(crate) async fn big(_: Arc<Instance>, request: Request) -> Result<Response, Failure> {
    let bytes = usize::try_from(number(&request, "bytes", 1024 * 1024)?)?;
    if bytes > BIGGEST {
        return Err(bad_request(format!("bytes must be at most {BIGGEST}")));
    }
    Ok(Response::bytes(HeaderValue::from_static("application/octet-stream"), vec![b'x'; bytes]))
}

/// `GET info`: what the host says of this activation.
pub(crate) async fn info(instance: Arc<Instance>, _: Request) -> Result<Response, Failure> {
    let info = instance.host.info().await?;
    Ok(Response::json(&json!({
        "host_version": info.host_version,
        "plugin": info.plugin,
        "instance": info.instance,
        "generation": info.generation,
        "base_path": info.base_path,
        "external_url": info.external_url,
        "pid": std::process::id(),
    })))
}

/// `GET env`: the names of the variables that this process sees; never their values.
pub(crate) async fn env(_: Arc<Instance>, _: Request) -> Response {
    let mut names: Vec<String> =
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.sort();
    Response::json(&names)
}

/// `* vault/*`, a filter: refuses whoever does not know the word, and tells the next step who came.
pub(crate) async fn only_with_token(_: Arc<Instance>, request: Request) -> Outcome {
    match request.header("x-word") {
        Some("sesame") => Outcome::proceed().context("ali"),
        _ => Outcome::refuse().response(Response::text("say the word\n")),
    }
}

/// `GET vault/gold`, first step: begins the response and lets the next one go on with it.
pub(crate) async fn weigh(_: Arc<Instance>, request: Request) -> Outcome {
    let scale = Response::text(format!("40 pounds for {}", text(request.context())));
    Outcome::proceed().response(scale)
}

/// `GET vault/gold`, second step: sees the response so far and answers.
pub(crate) async fn gold(_: Arc<Instance>, mut request: Request) -> Result<Response, Failure> {
    let so_far = request.take_response_so_far().unwrap_or_default();
    let (status, headers) = (so_far.status_code(), so_far.headers().clone());
    let weight = so_far.into_body().bytes_up_to(BIGGEST).await?;
    let body = format!("{}, thief: {}\n", text(&weight), text(request.context()));
    let mut response = Response::new().status(status).with_body(body);
    *response.headers_mut() = headers;
    Ok(response)
}

/// `POST live/:name`: serves `GET live/<name>` from now on.
pub(crate) async fn add_live(
    instance: Arc<Instance>,
    request: Request,
) -> Result<Response, Failure> {
    let name = request.variable("name")?.to_owned();
    let url = format!("live/{name}");
    let answer = format!("{name} is live\n");
    let handler = move |_, _| std::future::ready(answer.clone());
    let id = instance.endpoints.add(Endpoint::get(&url), handler).await.map_err(refused)?;
    instance.live().insert(name, id);
    Ok(Response::text(format!("{url} is there\n")).status(StatusCode::CREATED))
}

/// `DELETE live/:name`: ends that again.
pub(crate) async fn remove_live(
    instance: Arc<Instance>,
    request: Request,
) -> Result<StatusCode, Failure> {
    // Taken out first, so that of two who ask at once only one asks the host.
    let id = instance.live().remove(request.variable("name")?);
    let id = id.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "that one is not live"))?;
    instance.endpoints.remove(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn refused(error: HostError) -> Failure {
    match error.kind() {
        HostErrorKind::Exists => Failure::new(StatusCode::CONFLICT, "that one is live already"),
        _ => error.into(),
    }
}

pub(crate) fn number(request: &Request, name: &str, default: u64) -> Result<u64, Failure> {
    let Some(value) = request.query_value(name) else { return Ok(default) };
    value.parse().map_err(|_| bad_request(format!("{name} must be a whole number")))
}

pub(crate) fn bad_request(message: impl Into<String>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, message)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
