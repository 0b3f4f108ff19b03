//! `clients.*`

use outboard_sdk::ClientChange;
use outboard_sdk::identity::{Client, ClientCheck, Clients, GrantedScope};
use serde_json::{Map, Value, json};

use super::{Args, Called, flag_of, text_of, texts_of, unknown};

pub(super) async fn call(clients: &Clients, method: &str, args: &Args) -> Called {
    Ok(match method {
        "list" => clients.list(&args.query()).await.map(|all| all.iter().map(shown).collect()),
        "get" => {
            let client = clients.get(args.text("client_id")?).await;
            client.map(|client| json!(client.as_ref().map(shown)))
        }
        "check" => {
            let check = ClientCheck {
                client_id: args.text("client_id")?,
                password: args.maybe("password"),
                handle: args.flag("by_handle").unwrap_or_default().then(|| args.handle()),
            };
            clients.check(&check).await.map(|client| shown(&client))
        }
        "granted_scopes" => {
            let (client_id, username) = (args.text("client_id")?, args.text("username")?);
            let granted = clients.granted_scopes(client_id, username, &args.texts("scopes")).await;
            granted.map(|granted| {
                let scopes: Vec<_> = granted.scopes.iter().map(scope).collect();
                json!({ "client_name": granted.client_name, "scopes": scopes })
            })
        }
        "validate" => {
            clients.validate(args.maybe("client_id"), change(args)).await.map(|lines| json!(lines))
        }
        "add" => clients.add(change(args)).await.map(|client| shown(&client)),
        "set" => {
            clients.set(args.text("client_id")?, change(args)).await.map(|client| shown(&client))
        }
        "delete" => clients.delete(args.text("client_id")?).await.map(|()| Value::Null),
        _ => return Err(unknown()),
    })
}

fn shown(client: &Client) -> Value {
    json!({
        "client_id": client.client_id,
        "name": client.name,
        "description": client.description,
        "enabled": client.enabled,
        "confidential": client.confidential,
        "scopes": client.scopes,
        "properties": client.properties,
        "source": client.source,
    })
}

fn scope(scope: &GrantedScope) -> Value {
    json!({
        "name": scope.name,
        "display_name": scope.display_name,
        "description": scope.description,
        "granted": scope.granted,
        "password_required": scope.password_required,
        "password_max_age": scope.password_max_age,
    })
}

/// `args.client`
fn change(args: &Args) -> ClientChange {
    let client: Map<String, Value> = args.properties("client");
    let mut change = ClientChange::default();
    change.client_id = text_of(&client, "client_id");
    change.name = text_of(&client, "name");
    change.description = text_of(&client, "description");
    change.enabled = flag_of(&client, "enabled");
    change.confidential = flag_of(&client, "confidential");
    change.scopes = texts_of(&client, "scopes");
    change.password = text_of(&client, "password");
    change.properties =
        client.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    change
}
