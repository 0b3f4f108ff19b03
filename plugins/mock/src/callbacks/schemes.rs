//! `schemes.*`: of the session's user, or of `args.username`.

use outboard_sdk::Availability;
use outboard_sdk::identity::{SchemeInfo, Schemes, Whose};
use serde_json::{Value, json};

use super::{Args, Called, unknown};

pub(super) async fn call(schemes: &Schemes, method: &str, args: &Args) -> Called {
    let whose = whose(args);
    let name = args.text("name");
    Ok(match method {
        "get" => schemes.get(name?).await.map(|scheme| json!(scheme.as_ref().map(shown))),
        "list" => schemes.list(whose).await.map(|all| all.iter().map(shown).collect()),
        "register" => {
            let answer = schemes.register(whose, name?, &args.value("data")).await;
            answer.map(Option::unwrap_or_default)
        }
        "registration" => schemes.registration(whose, name?).await.map(Option::unwrap_or_default),
        "deregister" => schemes.deregister(whose, name?).await.map(|()| Value::Null),
        "can_use" => schemes.can_use(whose, name?).await.map(|it| json!(word(it))),
        _ => return Err(unknown()),
    })
}

fn whose(args: &Args) -> Whose<'_> {
    match args.maybe("username") {
        Some(username) => Whose::user(username).by(args.handle()),
        None => Whose::session(args.handle()),
    }
}

fn word(availability: Availability) -> &'static str {
    match availability {
        Availability::Available => "available",
        Availability::Registered => "registered",
        _ => "not_available",
    }
}

fn shown(scheme: &SchemeInfo) -> Value {
    json!({
        "module": scheme.module,
        "name": scheme.name,
        "display_name": scheme.display_name,
        "expiration": scheme.expiration,
        "max_use": scheme.max_use,
        "allow_user_register": scheme.allow_user_register,
        "forbid_user_profile": scheme.forbid_user_profile,
        "forbid_user_reset_credential": scheme.forbid_user_reset_credential,
        "enabled": scheme.enabled,
    })
}
