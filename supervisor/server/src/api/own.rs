//! What is one's own: the same whether a user looks at it, or an administrator for the user.

use outboard_core::identity::kind::InstanceKind;
use outboard_core::identity::user::{Mode, User, UserDraft};
use serde_json::{Map, Value, json};

use super::Parts;
use super::auth::answered;
use super::body::Query;
use super::reply::{Answer, Refused, done, found};
use super::schemes::Named;
use crate::identity::Failure;
use crate::identity::consents::Connection;
use crate::identity::schemes::At;
use crate::identity::sessions::Session;

pub(super) async fn change(parts: &Parts, user: &User, body: &Value) -> Answer {
    let draft = UserDraft::from_json(body, Mode::Profile).map_err(Refused::Invalid)?;
    let (people, name) = (parts.identity.people(), user.username.shown());
    people.validate(Some(name), &draft, Mode::Profile).await?;
    people.set_profile(name, &draft).await?;
    Ok(done())
}

/// By client, what a user lets it do.
pub(super) async fn grants(parts: &Parts, user: &User) -> Answer {
    let mut shown = Vec::new();
    for connection in parts.identity.consents().list(user).await? {
        shown.push(connected(parts, &connection).await?);
    }
    Ok(found(&Value::Array(shown)))
}

/// A client or a scope that is no longer there is shown by its name.
async fn connected(parts: &Parts, connection: &Connection) -> Result<Value, Refused> {
    let client = match parts.identity.clients().get(&connection.client_id).await {
        Ok(client) => Some(client),
        Err(Failure::NotFound) => None,
        Err(failure) => return Err(failure.into()),
    };
    let names: Vec<_> = connection.scopes.keys().cloned().collect();
    let scopes = parts.identity.scopes().get_many(&names).await?;
    let scopes = scopes.iter().map(|scope| {
        json!({
            "name": scope.name,
            "display_name": scope.display_name,
            "description": scope.description,
        })
    });
    Ok(json!({
        "client_id": connection.client_id,
        "name": client.as_ref().and_then(|client| client.name.as_deref()),
        "description": client.as_ref().and_then(|client| client.description.as_deref()),
        "scope": scopes.collect::<Vec<_>>(),
    }))
}

pub(super) async fn plugins(parts: &Parts) -> Answer {
    let instances = parts.live.list(InstanceKind::Plugin).await?.into_iter();
    let enabled = instances.filter(|instance| instance.enabled).map(|instance| {
        json!({
            "module": instance.module,
            "name": instance.name,
            "display_name": instance.display_name,
        })
    });
    Ok(found(&enabled.collect()))
}

pub(super) async fn sessions(parts: &Parts, user: &User, query: &Query) -> Answer {
    let mut sessions = parts.identity.sessions().list_of(&user.id).await?;
    match query.get("sort") {
        Some("user_agent") => sessions.sort_by(|a, b| a.user_agent().cmp(b.user_agent())),
        Some("issued_for") => sessions.sort_by(|a, b| a.issued_for().cmp(b.issued_for())),
        Some("expiration") => sessions.sort_by_key(Session::expires_ms),
        _ => sessions.sort_by_key(|session| last_login_ms(session, user)),
    }
    if query.get("desc").is_some() {
        sessions.reverse();
    }
    let shown = query.window().of(sessions, |session, pattern| {
        session.user_agent().contains(pattern) || session.issued_for().contains(pattern)
    });
    let shown = shown.iter().map(|session| {
        json!({
            "session_hash": session.hash(),
            "user_agent": session.user_agent(),
            "issued_for": session.issued_for(),
            "expiration": session.expires_ms() / 1000,
            "last_login": last_login_ms(session, user) / 1000,
            "enabled": true,
        })
    });
    Ok(found(&shown.collect()))
}

fn last_login_ms(session: &Session, user: &User) -> i64 {
    let own = session.users().find(|it| it.account == user.id.as_str());
    own.map_or(session.last_seen_ms(), |own| own.last_login_ms)
}

/// Those that a user can use and may see.
pub(super) async fn schemes(parts: &Parts, user: &User, at: At<'_>) -> Answer {
    let schemes = parts.identity.schemes().of_user(user, at).await?.into_iter();
    let shown = schemes.filter(|(scheme, _)| !scheme.settings.forbid_user_profile);
    let shown = shown.map(|(scheme, _)| {
        let mut object = scheme.to_full_json();
        object["enabled"] = true.into();
        object
    });
    Ok(found(&shown.collect()))
}

/// `is_delegated`: an administrator acts, who may what users may not do themselves.
pub(super) async fn registration(
    parts: &Parts,
    user: &User,
    at: At<'_>,
    body: &Map<String, Value>,
    is_delegated: bool,
) -> Answer {
    let named = allowed(parts, user, body, is_delegated).await?;
    let answer = parts.identity.schemes().registration(named.scheme, user, at).await;
    Ok(answered(answer.map_err(nothing_registered)?))
}

pub(super) async fn register(
    parts: &Parts,
    user: &User,
    at: At<'_>,
    body: &Map<String, Value>,
    is_delegated: bool,
) -> Answer {
    let named = allowed(parts, user, body, is_delegated).await?;
    let answer = parts.identity.schemes().register(named.scheme, user, at, named.value()?).await?;
    Ok(answered(answer))
}

/// A scheme of the user's, if they may register it.
async fn allowed<'a>(
    parts: &Parts,
    user: &User,
    body: &'a Map<String, Value>,
    is_delegated: bool,
) -> Result<Named<'a>, Refused> {
    let named = Named::of(body)?;
    let scheme = named.check(parts).await?;
    let settings = &scheme.settings;
    if !is_delegated && (settings.forbid_user_profile || !settings.allow_user_register) {
        return Err(Refused::Forbidden(format!(
            "users can't register {:?} themselves; ask an administrator",
            scheme.name
        )));
    }
    if !parts.identity.schemes().is_of_user(named.scheme, user).await? {
        return Err(Refused::invalid("scheme_name: is not a scheme of this user"));
    }
    Ok(named)
}

/// As Glewlwyd says it. Who asks is known, so that a scheme which refuses has nothing to show.
fn nothing_registered(failure: Failure) -> Refused {
    match failure {
        Failure::NotFound | Failure::Unauthorized => Refused::invalid("nothing is registered"),
        other => other.into(),
    }
}
