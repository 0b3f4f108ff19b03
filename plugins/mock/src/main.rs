//! A plugin to copy from.
//!
//! It greets, echoes, and shows chains, filters, live endpoints and the way back to the host (`handlers`),
//! bodies in pieces (`bodies`), connections that stay (`connections`), and limits (`limited`). It is told of events
//! (`notify`), announces some (`announce`) and knows people (`people`), where its manifest is roles.toml. Where that is
//! callbacks.toml, it calls the host for whoever asks (`callbacks`). An instance of another kind is a scheme (`scheme`),
//! or keeps users or clients (`keeper`). It counts how often its schedules went off (`scheduled`). It forgets nobody, but tells who was deleted (`revoked`). What a plugin should
//! not do stands apart, in `misbehave` and `trouble`.

mod announce;
mod bodies;
mod callbacks;
mod connections;
mod handlers;
mod keeper;
mod limited;
mod misbehave;
mod notify;
mod people;
mod revoked;
mod scheduled;
mod scheme;
mod trouble;

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outboard_sdk::{
    Endpoint, EndpointId, Endpoints, Failure, Host, Init, LiveEndpoints, Load, Plugin, Problem,
    Problems, RevokedUser, Server,
};
use serde::Deserialize;
use serde_json::Value;

/// The plugin: one value for the whole process.
struct Mock;

/// What an operator may configure.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    /// What `hello` says before the name.
    greeting: String,
    misbehave: misbehave::Parameters,
    notify: notify::Parameters,
    auth: people::Parameters,
    /// The code of a scheme. Named as in Glewlwyd's mock, like the next one.
    #[serde(rename = "mock-value", alias = "code")]
    mock_value: String,
    /// Whatever it is: the parameters are refused.
    error: Option<Value>,
    scheme: scheme::Parameters,
    keep: keeper::Parameters,
    revoke: revoked::Parameters,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            greeting: "Hello".to_owned(),
            misbehave: misbehave::Parameters::default(),
            notify: notify::Parameters::default(),
            auth: people::Parameters::default(),
            mock_value: "42".to_owned(),
            error: None,
            scheme: scheme::Parameters::default(),
            keep: keeper::Parameters::default(),
            revoke: revoked::Parameters::default(),
        }
    }
}

/// The state of one activation, shared by its handlers.
struct Instance {
    name: String,
    greeting: String,
    host: Host,
    endpoints: LiveEndpoints<Self>,
    /// What was added while it serves, by name.
    live: Mutex<HashMap<String, EndpointId>>,
    /// Requests until the process crashes, where that was asked for.
    fuse: AtomicU32,
    notified: notify::Notified,
    people: people::People,
    scheme: scheme::Registry,
    users: keeper::Users,
    clients: keeper::Clients,
    revoked: revoked::Revoked,
    asked: trouble::Asked,
}

impl Instance {
    fn live(&self) -> MutexGuard<'_, HashMap<String, EndpointId>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugin for Mock {
    type Parameters = Parameters;
    type Instance = Instance;

    async fn load(&self, _: Load) -> Result<(), Failure> {
        misbehave::in_load().await;
        Ok(())
    }

    async fn check(&self, _: &str, parameters: Parameters) -> Result<(), Problems> {
        judge(&parameters)
    }

    async fn init(
        &self,
        init: Init<Parameters>,
        endpoints: &mut Endpoints<Instance>,
    ) -> Result<Instance, Problems> {
        judge(&init.parameters)?;
        let Parameters {
            greeting, misbehave, notify, auth, mock_value, scheme, keep, revoke, ..
        } = init.parameters;
        misbehave::in_init(&misbehave, endpoints).await?;
        publish(endpoints);
        tracing::info!(instance = init.instance, reason = ?init.reason, kind = ?init.kind, "ready");
        let (users, clients) = keeper::open(keep);
        Ok(Instance {
            name: init.instance,
            greeting,
            host: init.host,
            endpoints: endpoints.live(),
            live: Mutex::default(),
            fuse: AtomicU32::new(misbehave.crash_after),
            notified: notify::Notified::new(notify)?,
            people: people::People::new(auth),
            scheme: scheme::Registry::new(mock_value, scheme),
            users,
            clients,
            revoked: revoked::Revoked::new(revoke)?,
            asked: trouble::Asked::default(),
        })
    }

    async fn revoke_user(&self, instance: Arc<Instance>, user: RevokedUser) -> Result<(), Failure> {
        instance.revoked.tell(&instance.name, user).await
    }
}

fn judge(parameters: &Parameters) -> Result<(), Problems> {
    if parameters.greeting.trim().is_empty() {
        return Err(Problem::new("/greeting", "is empty; write a word or two").into());
    }
    if parameters.error.is_some() {
        return Err(Problem::new("/error", "is refused, as asked").into());
    }
    Ok(())
}

/// Everything that an instance serves, below `/<prefix>/<instance>/`.
fn publish(endpoints: &mut Endpoints<Instance>) {
    endpoints.get("hello/:name", handlers::hello);
    endpoints.any("echo/*", handlers::echo);
    endpoints.any("status/:code", handlers::status);
    endpoints.get("slow", handlers::slow);
    endpoints.get("big", handlers::big);
    endpoints.get("info", handlers::info);
    endpoints.get("env", handlers::env);

    endpoints.any("mirror", bodies::mirror);
    endpoints.get("download", bodies::download);
    endpoints.on(Endpoint::put("upload"), bodies::upload);
    endpoints.post("upload", bodies::upload);
    endpoints.get("trailers", bodies::trailers);
    endpoints.get("break", bodies::broken);
    endpoints.get("stall", bodies::stall);
    endpoints.post("early", bodies::early);

    endpoints.get("sse", connections::events);
    endpoints.get("hints", connections::hints);
    endpoints.get("ws", connections::socket);

    limited::publish(endpoints);

    // A chain: the filter lets pass or refuses, the first step leaves a note, the second answers.
    endpoints.on(Endpoint::any("vault/*").filter(), handlers::only_with_token);
    endpoints.on(Endpoint::get("vault/gold").priority(1), handlers::weigh);
    endpoints.on(Endpoint::get("vault/gold").priority(2), handlers::gold);

    // Endpoints that come and go while the instance serves.
    endpoints.post("live/:name", handlers::add_live);
    endpoints.on(Endpoint::delete("live/:name"), handlers::remove_live);

    endpoints.get("notified", notify::list);
    endpoints.on(Endpoint::delete("notified"), notify::forget);
    endpoints.post("emit/:kind", announce::emit);
    endpoints.get("asked", people::asked);
    endpoints.get("revoked", revoked::list);

    callbacks::publish(endpoints);

    endpoints.post("misbehave/:what", misbehave::on_request);
}

fn main() -> ExitCode {
    if let Some(exit) = misbehave::before_start() {
        return exit;
    }
    Server::new("mock", Mock)
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("Mock")
        .description("Echoes, greets, and misbehaves on demand.")
        .notifier()
        .authenticator()
        .scheduled()
        .scheme()
        .user_backend()
        .client_backend()
        .serve()
}
