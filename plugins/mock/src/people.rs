//! The mock as an authenticator: it knows the people in its parameters (`auth.users`, by e-mail), and goes wrong on
//! demand, for everybody or for one of them. `GET asked` tells how often it was asked.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outboard_sdk::{
    AuthError, Authenticator, Credentials, Needed, Permission, RefusalReason, Request, Response,
    User,
};
use serde::Deserialize;
use serde_json::json;

use crate::{Instance, Mock};

/// What the operator may configure.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    /// By e-mail, as a client must write it.
    users: BTreeMap<String, Person>,
    /// What to get wrong for everybody.
    behaviour: Behaviour,
    /// Who decides about groups.
    authorize: Judge,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default = "yes")]
    active: bool,
    #[serde(default)]
    groups: Vec<String>,
    /// The e-mail to answer instead of the right one: somebody else's, or an empty one.
    answer: Option<String>,
    /// What to get wrong for this one.
    #[serde(default)]
    behaviour: Behaviour,
}

fn yes() -> bool {
    true
}

/// What to get wrong.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Behaviour {
    /// First of all, wait.
    delay_ms: u64,
    /// End the process.
    crash: bool,
    panic: bool,
    /// Never answer.
    hang: bool,
    /// Say that it can't be told now.
    error: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Judge {
    /// The host, by the groups.
    #[default]
    Host,
    Allow,
    Deny,
    Error,
    Hang,
}

/// Who there is, and how often the host has asked.
pub(crate) struct People {
    parameters: Parameters,
    authenticated: AtomicU64,
    authorized: AtomicU64,
}

impl People {
    pub(crate) fn new(parameters: Parameters) -> Self {
        Self { parameters, authenticated: AtomicU64::new(0), authorized: AtomicU64::new(0) }
    }
}

impl Authenticator for Mock {
    async fn authenticate(
        &self,
        instance: Arc<Instance>,
        credentials: Credentials,
    ) -> Result<User, AuthError> {
        let people = &instance.people;
        people.authenticated.fetch_add(1, Ordering::Relaxed);
        people.parameters.behaviour.behave().await?;
        let person = people.parameters.users.get(&credentials.email);
        let person = person.ok_or_else(|| {
            let message = format!("nobody is called {}", credentials.email);
            AuthError::refuse(RefusalReason::User, message)
        })?;
        person.behaviour.behave().await?;
        if person.token != credentials.token {
            return Err(AuthError::refuse(RefusalReason::Token, "the token is another one"));
        }
        Ok(User {
            name: person.name.clone(),
            email: person.answer.clone().unwrap_or(credentials.email),
            active: person.active,
            groups: person.groups.clone(),
        })
    }

    async fn authorize(
        &self,
        instance: Arc<Instance>,
        _: User,
        _: Needed,
    ) -> Result<Permission, AuthError> {
        let people = &instance.people;
        people.authorized.fetch_add(1, Ordering::Relaxed);
        match people.parameters.authorize {
            Judge::Host => Ok(Permission::ByGroups),
            Judge::Allow => Ok(Permission::Allowed),
            Judge::Deny => Ok(Permission::Denied("denying, as asked".to_owned())),
            Judge::Error => Err(AuthError::unavailable("failing, as asked")),
            Judge::Hang => pending().await,
        }
    }
}

impl Behaviour {
    async fn behave(&self) -> Result<(), AuthError> {
        tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        if self.crash {
            std::process::abort();
        }
        assert!(!self.panic, "panicking in an authentication, as asked");
        if self.hang {
            pending::<()>().await;
        }
        if self.error {
            return Err(AuthError::unavailable("failing, as asked"));
        }
        Ok(())
    }
}

/// `GET asked`: how often the host has asked, and as `calls` what a scheme or a backend was asked.
pub(crate) async fn asked(instance: Arc<Instance>, _: Request) -> Response {
    let people = &instance.people;
    Response::json(&json!({
        "authenticate": people.authenticated.load(Ordering::Relaxed),
        "authorize": people.authorized.load(Ordering::Relaxed),
        "calls": instance.asked.calls(),
    }))
}
