//! `users.*`

use outboard_sdk::UserChange;
use outboard_sdk::identity::{User, UserCheck, Users};
use serde_json::{Map, Value, json};

use super::{Args, Called, flag_of, seconds, text_of, texts_of, unknown};

pub(super) async fn call(users: &Users, method: &str, args: &Args) -> Called {
    Ok(match method {
        "list" => users.list(&args.query()).await.map(|all| all.iter().map(shown).collect()),
        "get" => {
            users.get(args.text("username")?).await.map(|user| json!(user.as_ref().map(shown)))
        }
        "profile" => {
            let user = users.profile(args.text("username")?).await;
            user.map(|user| json!(user.as_ref().map(shown)))
        }
        "check" => {
            let scopes = args.texts("scopes");
            let check = UserCheck {
                username: args.text("username")?,
                password: args.maybe("password"),
                scopes: &scopes,
                handle: args.flag("by_handle").unwrap_or_default().then(|| args.handle()),
            };
            let checked = users.check(&check).await;
            checked.map(|it| json!({ "user": shown(&it.user), "scopes": it.scopes }))
        }
        "validate" => {
            users.validate(args.maybe("username"), change(args)).await.map(|lines| json!(lines))
        }
        "add" => users.add(change(args)).await.map(|user| shown(&user)),
        "set" => users.set(args.text("username")?, change(args)).await.map(|user| shown(&user)),
        "set_password" => {
            let (username, password) = (args.text("username")?, args.text("password")?);
            users.set_password(username, password).await.map(|()| Value::Null)
        }
        "delete" => users.delete(args.text("username")?).await.map(|()| Value::Null),
        _ => return Err(unknown()),
    })
}

pub(super) fn shown(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "email": user.email,
        "enabled": user.enabled,
        "scopes": user.scopes,
        "properties": user.properties,
        "source": user.source,
        "passwords": user.passwords,
        "last_login": seconds(user.last_login),
    })
}

/// `args.user`
fn change(args: &Args) -> UserChange {
    let user: Map<String, Value> = args.properties("user");
    let mut change = UserChange::default();
    change.username = text_of(&user, "username");
    change.name = text_of(&user, "name");
    change.email = text_of(&user, "email");
    change.enabled = flag_of(&user, "enabled");
    change.scopes = texts_of(&user, "scopes");
    change.password = text_of(&user, "password");
    change.properties =
        user.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    change
}
