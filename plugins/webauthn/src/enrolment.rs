//! The steps of a registration: a challenge, the key that a browser makes for it, and later its end. The words are
//! Glewlwyd's, and `{"register": true}`.

use std::time::SystemTime;

use outboard_sdk::{SchemeError, Subject};
use serde_json::{Value, json};

use crate::Instance;
use crate::party;
use crate::vault::Ceremony;

type Answer = Result<Option<Value>, SchemeError>;

/// Does what the user wants.
pub(crate) async fn step(
    instance: &Instance,
    subject: &Subject,
    data: &Value,
    now: SystemTime,
) -> Answer {
    match &data["register"] {
        Value::Bool(true) => begin(instance, subject).await,
        Value::Bool(false) => {
            instance.vault.forget(&subject.user_id).await?;
            Ok(None)
        }
        Value::String(what) if what == "new-credential" => begin(instance, subject).await,
        Value::String(what) if what == "register-credential" => {
            finish(instance, subject, data, now).await
        }
        Value::String(what) if what == "remove-credential" => remove(instance, subject, data).await,
        _ => Err(SchemeError::invalid(
            "register: must be true, false, \"new-credential\", \"register-credential\" or \
             \"remove-credential\"",
        )),
    }
}

async fn begin(instance: &Instance, subject: &Subject) -> Answer {
    let (keys, _) = instance.vault.keys(&subject.user_id).await?;
    if keys.len() >= instance.rules.most_keys {
        return Err(too_many(instance));
    }
    let (options, state) = instance.rules.party(subject)?.invite(subject, &keys)?;
    instance.vault.begin(Ceremony::Create, subject, &state).await?;
    let name =
        json!({ "name": "name", "label": "What you call it", "kind": "text", "value": "Key" });
    let credential = json!({
        "name": "credential",
        "label": "Security key or passkey",
        "kind": "credential",
        "options": { "ceremony": "create", "publicKey": options },
    });
    let form = json!({
        "fields": [name, credential],
        "button": "Add",
        "data": { "register": "register-credential" },
    });
    Ok(Some(json!({ "publicKey": options, "page": { "forms": [form] } })))
}

async fn finish(instance: &Instance, subject: &Subject, data: &Value, now: SystemTime) -> Answer {
    let made = party::answer(&data["credential"])?;
    let party = instance.rules.party(subject)?;
    let state = instance.vault.end(Ceremony::Create, subject).await?.ok_or_else(|| {
        SchemeError::invalid("credential: nothing is to be registered any more; begin again")
    })?;
    let name = data["name"].as_str().unwrap_or_default();
    let key = party.meet(&made, &state, name, now).map_err(|error| {
        tracing::info!(user = subject.user_id, %error, "a new key was refused");
        SchemeError::invalid(format!("credential: was not accepted: {error}"))
    })?;
    let most = instance.rules.most_keys;
    let added = instance.vault.change(&subject.user_id, |keys| {
        if keys.len() >= most {
            return Err(too_many(instance));
        }
        let there = || SchemeError::invalid("credential: is registered already");
        keys.with(key.clone()).ok_or_else(there)
    });
    added.await?.map(|()| None)
}

async fn remove(instance: &Instance, subject: &Subject, data: &Value) -> Answer {
    let id = data["id"].as_str().unwrap_or_default();
    let removed = instance.vault.change(&subject.user_id, |keys| {
        keys.without(id).ok_or_else(|| SchemeError::invalid("id: there is no such key"))
    });
    removed.await?.map(|()| None)
}

fn too_many(instance: &Instance) -> SchemeError {
    let most = instance.rules.most_keys;
    SchemeError::invalid(format!("credential: there are {most} keys already; remove one first"))
}
