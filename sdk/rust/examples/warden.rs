//! A plugin that authenticates users, keeps users, and keeps clients that nobody can write: what the tests of the wire
//! need.

use std::future::pending;
use std::process::ExitCode;
use std::sync::Arc;

use outboard_sdk::{
    Availability, BackendClient, BackendError, BackendPage, BackendQuery, BackendUser,
    ClientBackend, Endpoints, Init, InstanceKind, Plugin, Problem, Problems, Scheme, SchemeError,
    Server, Subject, UserBackend, UserChange,
};
use serde_json::{Value, json};

struct Warden;

impl Plugin for Warden {
    type Parameters = Value;
    type Instance = InstanceKind;

    /// With a parameter `kind` it is one of that kind only, and with `scheme` a scheme only.
    async fn init(
        &self,
        init: Init<Value>,
        _: &mut Endpoints<InstanceKind>,
    ) -> Result<InstanceKind, Problems> {
        if init.parameters["scheme"] == true {
            init.only(InstanceKind::Scheme)?;
        }
        let kind = format!("{:?}", init.kind);
        match init.parameters["kind"].as_str() {
            Some(only) if only != kind => Err(Problem::new("/kind", format!("is {kind}")).into()),
            _ => Ok(init.kind),
        }
    }
}

impl Scheme for Warden {
    async fn can_use(
        &self,
        _: Arc<InstanceKind>,
        subject: Subject,
    ) -> Result<Availability, SchemeError> {
        match subject.username.as_str() {
            "ann" => Ok(Availability::Registered),
            "bob" => Ok(Availability::Available),
            "down" => Err(SchemeError::failed("the directory does not answer")),
            "panic" => panic!("panicking, as asked"),
            "hang" => pending().await,
            _ => Ok(Availability::NotAvailable),
        }
    }

    /// Says what it was told.
    async fn register(
        &self,
        _: Arc<InstanceKind>,
        subject: Subject,
        data: Value,
    ) -> Result<Option<Value>, SchemeError> {
        match data["say"].as_str() {
            Some("nothing") => Ok(None),
            Some("much") => Ok(Some("x".repeat(65_535).into())),
            Some("wrong") => Err(SchemeError::Invalid(vec!["a line".to_owned(); 1000])),
            Some("no") => Err(SchemeError::Unauthorized),
            Some("broken") => Err(SchemeError::failed("what is wrong is for the log")),
            _ => Ok(Some(json!({
                "data": data,
                "id": subject.user_id,
                "name": subject.name,
                "email": subject.email,
                "address": subject.client_address,
                "agent": subject.user_agent,
                "properties": subject.properties,
                "session": subject.session,
                "origin": subject.origin,
            }))),
        }
    }

    async fn registration(
        &self,
        _: Arc<InstanceKind>,
        subject: Subject,
    ) -> Result<Option<Value>, SchemeError> {
        match subject.username.as_str() {
            "ann" => Ok(Some(json!({ "since": 7 }))),
            _ => Err(SchemeError::NotFound),
        }
    }

    async fn validate(
        &self,
        _: Arc<InstanceKind>,
        _: Subject,
        value: Value,
    ) -> Result<(), SchemeError> {
        match value["code"].as_str() {
            Some("42") => Ok(()),
            Some(_) => Err(SchemeError::Unauthorized),
            None => Err(SchemeError::invalid("code is missing")),
        }
    }
}

impl UserBackend for Warden {
    async fn list_users(
        &self,
        _: Arc<InstanceKind>,
        query: BackendQuery,
    ) -> Result<BackendPage<BackendUser>, BackendError> {
        let names = ["ann", "bob", "hannah"].into_iter();
        let matching = names.filter(|name| name.contains(&query.pattern));
        Ok(query.page(matching.map(BackendUser::new)))
    }

    async fn get_user(
        &self,
        _: Arc<InstanceKind>,
        username: String,
    ) -> Result<Option<BackendUser>, BackendError> {
        let mut user = BackendUser::new("Ann");
        user.name = Some("Ann Example".to_owned());
        user.scopes = vec!["a".to_owned()];
        user.properties.insert("phone".to_owned(), json!(["1", "2"]));
        Ok((username == "ann").then_some(user))
    }

    async fn check_user_password(
        &self,
        _: Arc<InstanceKind>,
        username: String,
        password: String,
    ) -> Result<bool, BackendError> {
        match username.as_str() {
            "down" => Err(BackendError::Unavailable("the directory does not answer".to_owned())),
            name => Ok(name == "ann" && password == "right"),
        }
    }

    /// Says what it was told, and does not say the password.
    async fn validate_user(
        &self,
        _: Arc<InstanceKind>,
        username: Option<String>,
        change: UserChange,
    ) -> Result<Vec<String>, BackendError> {
        Ok(vec![format!("{username:?} {change:?}"), change.password.unwrap_or_default()])
    }

    async fn add_user(&self, _: Arc<InstanceKind>, user: UserChange) -> Result<(), BackendError> {
        match user.username.as_deref() {
            Some("ann") => Err(BackendError::Exists),
            Some(_) => Ok(()),
            None => Err(BackendError::Invalid("a user has a name".to_owned())),
        }
    }

    async fn set_user(
        &self,
        _: Arc<InstanceKind>,
        username: String,
        _: UserChange,
    ) -> Result<(), BackendError> {
        if username == "ann" { Ok(()) } else { Err(BackendError::NotFound) }
    }
}

impl ClientBackend for Warden {
    async fn list_clients(
        &self,
        _: Arc<InstanceKind>,
        query: BackendQuery,
    ) -> Result<BackendPage<BackendClient>, BackendError> {
        Ok(query.page(["app"].into_iter().map(BackendClient::new)))
    }

    async fn get_client(
        &self,
        _: Arc<InstanceKind>,
        client_id: String,
    ) -> Result<Option<BackendClient>, BackendError> {
        let mut client = BackendClient::new("app");
        client.confidential = true;
        client.properties.insert("redirect_uri".to_owned(), json!(["https://a.example"]));
        Ok((client_id == "app").then_some(client))
    }

    async fn check_client_password(
        &self,
        _: Arc<InstanceKind>,
        _: String,
        password: String,
    ) -> Result<bool, BackendError> {
        Ok(password == "right")
    }
}

fn main() -> ExitCode {
    Server::new("warden", Warden).scheme().user_backend().client_backend().serve()
}
