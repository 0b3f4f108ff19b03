//! Asks Gate, a single sign-on server, who somebody is: the auth plugin of Proctor, without its faults.
//!
//! `request` says what is asked, `answer` what the answer means, `owners` whose a token is, `groups` who is in
//! enough of them, and `parameters` what of it an operator decides. None of these knows the network; `client`
//! does. There are no endpoints.

mod answer;
mod client;
mod groups;
mod owners;
mod parameters;
mod request;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use outboard_sdk::{
    AuthError, Authenticator, Credentials, Endpoints, Init, Needed, Permission, Plugin, Problem,
    Problems, Server, User,
};

use client::Gate;
use owners::Binding;
use parameters::{Parameters, Settings, Variables};

/// The plugin: one value for the whole process.
struct GatePlugin {
    variables: Variables,
}

/// The state of one activation.
struct Instance {
    gate: Gate,
    binding: Binding,
}

impl Plugin for GatePlugin {
    type Parameters = Parameters;
    type Instance = Instance;

    async fn check(&self, _: &str, parameters: Parameters) -> Result<(), Problems> {
        parameters.settings(&self.variables).map(drop)
    }

    async fn init(
        &self,
        init: Init<Parameters>,
        _: &mut Endpoints<Instance>,
    ) -> Result<Instance, Problems> {
        let settings = init.parameters.settings(&self.variables)?;
        warn_of(&init.instance, &settings);
        let Settings { profiles, timeout, binding } = settings;
        let gate = Gate::new(profiles, timeout).map_err(|why| Problem::new("", why))?;
        Ok(Instance { gate, binding })
    }
}

impl Authenticator for GatePlugin {
    async fn authenticate(
        &self,
        instance: Arc<Instance>,
        credentials: Credentials,
    ) -> Result<User, AuthError> {
        let Credentials { email, token, .. } = &credentials;
        instance.binding.check(email, token)?;
        instance.gate.user(email, token).await
    }

    async fn authorize(
        &self,
        _: Arc<Instance>,
        user: User,
        needed: Needed,
    ) -> Result<Permission, AuthError> {
        if groups::allows(&user, &needed.groups, needed.matched) {
            return Ok(Permission::Allowed);
        }
        Ok(Permission::Denied(format!("{} is not in the groups that it takes", user.email)))
    }
}

/// What an operator has accepted should be seen, not forgotten.
fn warn_of(instance: &str, settings: &Settings) {
    if settings.profiles.is_open() {
        tracing::warn!(instance, "tokens travel to Gate unencrypted; use protocol = \"https\"");
    }
    if settings.binding == Binding::Unbound {
        tracing::warn!(instance, "tokens are not tied to persons: whoever has one can be anybody");
    }
}

fn main() -> ExitCode {
    let variables = Variables::of(|name| env::var(name).ok());
    Server::new("gate", GatePlugin { variables })
        .version(env!("CARGO_PKG_VERSION"))
        .display_name("Gate")
        .description("Asks Gate who somebody is, and which groups they are in.")
        .authenticator()
        .serve()
}
