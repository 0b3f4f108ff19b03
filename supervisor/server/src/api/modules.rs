//! `/mod`: plugins, and the instances that are made of them, by what they are there for.

pub(crate) mod wanted;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::user::DATABASE;
use serde_json::{Map, Value, json};

use self::wanted::{Sent, read};
use super::Parts;
use super::body::Json;
use super::caller::Admin;
use super::reply::{Answer, Refused, done, found};
use crate::app::View;

pub(super) fn routes() -> Router<Parts> {
    Router::new()
        .route("/mod/type", get(types))
        .route("/mod/reload", put(reload))
        .route("/mod/{kind}", get(list).post(add))
        .route("/mod/{kind}/{name}", get(show).put(change).delete(remove))
        .route("/mod/{kind}/{name}/{action}", put(act))
}

/// A kind, as it is found in a path.
enum Kind {
    Of(InstanceKind),
    /// Glewlwyd's filters of users. There are none here.
    Middleware,
}

fn kind(text: &str) -> Result<Kind, Refused> {
    match text {
        "user_middleware" => Ok(Kind::Middleware),
        text => text.parse().map(Kind::Of).map_err(|_| Refused::NotFound),
    }
}

async fn types(State(parts): State<Parts>, _: Admin) -> Answer {
    let modules = parts.live.modules();
    let of = |kind: InstanceKind| -> Vec<Value> {
        let built_in = matches!(kind, InstanceKind::UserBackend | InstanceKind::ClientBackend);
        let found = modules.iter().filter(|module| module.kinds.contains(&kind));
        let found = found.map(|it| label(&it.name, &it.display_name, &it.description));
        built_in.then(database).into_iter().chain(found).collect()
    };
    Ok(found(&json!({
        "user": of(InstanceKind::UserBackend),
        "user_middleware": [],
        "client": of(InstanceKind::ClientBackend),
        "scheme": of(InstanceKind::Scheme),
        "plugin": of(InstanceKind::Plugin),
    })))
}

fn database() -> Value {
    label(
        DATABASE,
        "Database",
        "What the host keeps itself. There is one of it, which is always there.",
    )
}

fn label(name: &str, display_name: &str, description: &str) -> Value {
    json!({ "name": name, "display_name": display_name, "description": description })
}

async fn reload(State(parts): State<Parts>, _: Admin) -> Answer {
    parts.live.reload().await?;
    Ok(done())
}

async fn list(State(parts): State<Parts>, _: Admin, Path(text): Path<String>) -> Answer {
    let Kind::Of(kind) = kind(&text)? else { return Ok(found(&json!([]))) };
    let instances = parts.live.list(kind).await?;
    Ok(found(&built_in(kind).into_iter().chain(instances.iter().map(show_one)).collect()))
}

async fn show(
    State(parts): State<Parts>,
    _: Admin,
    Path((text, name)): Path<(String, String)>,
) -> Answer {
    let Kind::Of(kind) = kind(&text)? else { return Err(Refused::NotFound) };
    if let Some(built_in) = built_in(kind).filter(|_| name == DATABASE) {
        return Ok(found(&built_in));
    }
    Ok(found(&show_one(&parts.live.get(kind, &name).await?)))
}

/// What keeps users and clients without any plugin.
fn built_in(kind: InstanceKind) -> Option<Value> {
    matches!(kind, InstanceKind::UserBackend | InstanceKind::ClientBackend).then(|| {
        json!({
            "module": DATABASE,
            "name": DATABASE,
            "display_name": "Database",
            "parameters": {},
            "order_rank": 0,
            "readonly": false,
            "enabled": true,
        })
    })
}

fn show_one(view: &View) -> Value {
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    set("module", view.module.as_str().into());
    set("name", view.name.as_str().into());
    set("display_name", view.display_name.as_str().into());
    set("parameters", view.parameters.clone());
    if view.kind != InstanceKind::Scheme {
        set("order_rank", view.rank.into());
        set("readonly", view.readonly.into());
    }
    set("enabled", view.enabled.into());
    if view.is_fixed {
        // Whoever sees it need not try to change it here.
        set("fixed", true.into());
    }
    if let Some(settings) = &view.scheme {
        settings.add_to(&mut object);
    }
    Value::Object(object)
}

async fn add(
    State(parts): State<Parts>,
    _: Admin,
    Path(text): Path<String>,
    Json(body): Json,
) -> Answer {
    let Kind::Of(kind) = kind(&text)? else {
        return Err(Refused::invalid("module: there are none of this kind"));
    };
    let Sent { module, name, wanted } = read(&body, kind, None).map_err(Refused::Invalid)?;
    let mut errors = Vec::new();
    if !parts.live.modules().iter().any(|it| it.name == module && it.kinds.contains(&kind)) {
        errors.push(format!("module: no plugin {module:?} runs that could be a {kind}"));
    }
    if name == DATABASE || parts.live.is_taken(&name).await? {
        errors.push(format!("name: there is an instance {name:?} already"));
    }
    if !errors.is_empty() {
        return Err(Refused::Invalid(errors));
    }
    parts.live.add(kind, &module, &name, &wanted).await?;
    Ok(done())
}

async fn change(
    State(parts): State<Parts>,
    _: Admin,
    Path((text, name)): Path<(String, String)>,
    Json(body): Json,
) -> Answer {
    let kind = changeable(&text, &name)?;
    let now = parts.live.get(kind, &name).await?;
    let sent = read(&body, kind, Some(&now)).map_err(Refused::Invalid)?;
    parts.live.set(kind, &name, &sent.wanted).await?;
    Ok(done())
}

async fn remove(
    State(parts): State<Parts>,
    _: Admin,
    Path((text, name)): Path<(String, String)>,
) -> Answer {
    parts.live.delete(changeable(&text, &name)?, &name).await?;
    Ok(done())
}

async fn act(
    State(parts): State<Parts>,
    _: Admin,
    Path((text, name, action)): Path<(String, String, String)>,
) -> Answer {
    let kind = changeable(&text, &name)?;
    match action.as_str() {
        "enable" => parts.live.enable(kind, &name).await?,
        "disable" => parts.live.disable(kind, &name).await?,
        "reset" => parts.live.reset(kind, &name).await?,
        _ => {
            parts.live.get(kind, &name).await?;
            return Err(Refused::invalid("action: must be enable, disable or reset"));
        }
    }
    Ok(done())
}

fn changeable(text: &str, name: &str) -> Result<InstanceKind, Refused> {
    match kind(text)? {
        Kind::Middleware => Err(Refused::NotFound),
        Kind::Of(kind) if name == DATABASE && built_in(kind).is_some() => {
            Err(Refused::invalid("name: the host's own database can't be changed here"))
        }
        Kind::Of(kind) => Ok(kind),
    }
}
