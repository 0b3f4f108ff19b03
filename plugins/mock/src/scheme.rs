//! The mock as a scheme, for instances of that kind: its code is its parameter `mock-value`, and who sends
//! `{"register": true}` is registered, in memory. As an unsafe scheme it takes a code again, unless `scheme.once`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outboard_sdk::{Availability, Scheme, SchemeError, Subject};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::trouble::Trouble;
use crate::{Instance, Mock};

/// What the operator may configure.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Names of those who are registered from the start on.
    registered: Vec<String>,
    /// Names of those who can't use it.
    unavailable: Vec<String>,
    /// Take the code once from each user.
    once: bool,
    /// Say yes to every code,
    accept_all: bool,
    /// and that everybody is registered.
    register_all: bool,
    /// Answer a trigger with so many bytes.
    response_bytes: Option<usize>,
    trouble: Trouble,
}

/// Who is registered, and with which code.
pub(crate) struct Registry {
    code: String,
    parameters: Parameters,
    known: Mutex<Known>,
}

/// By name, since parameters know no ids.
#[derive(Default)]
struct Known {
    registered: BTreeSet<String>,
    /// Those whose code was taken.
    used: BTreeSet<String>,
}

impl Registry {
    pub(crate) fn new(code: String, parameters: Parameters) -> Self {
        let registered = parameters.registered.iter().map(|name| name.to_lowercase()).collect();
        let known = Known { registered, used: BTreeSet::new() };
        Self { code, parameters, known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn availability(&self, name: &str) -> Availability {
        if self.parameters.unavailable.iter().any(|it| it == name) {
            return Availability::NotAvailable;
        }
        if self.parameters.register_all || self.known().registered.contains(&name.to_lowercase()) {
            return Availability::Registered;
        }
        Availability::Available
    }

    fn only_if_registered(&self, name: &str) -> Result<(), SchemeError> {
        match self.availability(name) {
            Availability::Registered => Ok(()),
            _ => Err(SchemeError::Unauthorized),
        }
    }

    fn accept(&self, name: &str, value: &Value) -> Result<(), SchemeError> {
        if self.parameters.accept_all {
            return Ok(());
        }
        if value["code"].as_str() != Some(&self.code) {
            return Err(SchemeError::Unauthorized);
        }
        let is_fresh = self.known().used.insert(name.to_lowercase());
        if is_fresh || !self.parameters.once { Ok(()) } else { Err(SchemeError::Unauthorized) }
    }
}

impl Instance {
    /// Notes a call of the host's, and gets it wrong where that was asked for.
    async fn begin(&self, call: &'static str, subject: &Subject) -> Result<(), SchemeError> {
        self.asked.count(call);
        let trouble = &self.scheme.parameters.trouble;
        trouble.make(call, &subject.username).await.map_err(SchemeError::Failed)
    }
}

impl Scheme for Mock {
    async fn can_use(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<Availability, SchemeError> {
        instance.begin("can_use", &subject).await?;
        Ok(instance.scheme.availability(&subject.username))
    }

    async fn register(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        data: Value,
    ) -> Result<Option<Value>, SchemeError> {
        instance.begin("register", &subject).await?;
        if instance.scheme.availability(&subject.username) == Availability::NotAvailable {
            return Err(SchemeError::Unauthorized);
        }
        let name = subject.username.to_lowercase();
        let mut known = instance.scheme.known();
        match &data["register"] {
            Value::Bool(true) => known.registered.insert(name),
            Value::Bool(false) => known.registered.remove(&name),
            _ => return Err(SchemeError::invalid("register must be true or false")),
        };
        Ok(Some(true.into()))
    }

    async fn registration(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<Option<Value>, SchemeError> {
        instance.begin("registration", &subject).await?;
        instance.scheme.only_if_registered(&subject.username)?;
        Ok(Some(true.into()))
    }

    async fn deregister(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
    ) -> Result<(), SchemeError> {
        instance.begin("deregister", &subject).await?;
        let name = subject.username.to_lowercase();
        let mut known = instance.scheme.known();
        known.registered.remove(&name);
        known.used.remove(&name);
        Ok(())
    }

    async fn trigger(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        _: Value,
    ) -> Result<Option<Value>, SchemeError> {
        instance.begin("trigger", &subject).await?;
        let scheme = &instance.scheme;
        scheme.only_if_registered(&subject.username)?;
        let filler = scheme.parameters.response_bytes.map(|bytes| "x".repeat(bytes));
        Ok(Some(filler.map_or_else(|| json!({ "code": scheme.code }), Value::String)))
    }

    async fn validate(
        &self,
        instance: Arc<Instance>,
        subject: Subject,
        value: Value,
    ) -> Result<(), SchemeError> {
        instance.begin("validate", &subject).await?;
        instance.scheme.only_if_registered(&subject.username)?;
        instance.scheme.accept(&subject.username, &value)
    }
}
