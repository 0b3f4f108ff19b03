//! The steps of a registration.
//!
//! `{"register": true}` makes a secret and shows it, once; `{"confirm": true, "code": …}` proves that the app has it, and
//! only then it counts. `{"generate-secret": true}` and `{"type": …, "secret": …}` are Glewlwyd's two steps, where the
//! client keeps the secret in between.

use outboard_sdk::{SchemeError, Subject};
use serde_json::{Value, json};

use crate::Instance;
use crate::codes::{self, Kind, Registration};
use crate::picture;

/// Of a step of time, in seconds.
const PERIOD: u64 = 30;
const MOST_PERIOD: u64 = 120;
/// What is left of it is more than anybody can use.
const MOST_COUNTER: u64 = u64::MAX / 2;

type Answer = Result<Option<Value>, SchemeError>;

/// Does what the user wants.
pub(crate) async fn step(instance: &Instance, subject: &Subject, data: &Value, now: u64) -> Answer {
    if data["register"] == true {
        begin(instance, subject, data).await
    } else if data["confirm"] == true {
        confirm(instance, subject, data, now).await
    } else if data["generate-secret"] == true {
        Ok(Some(json!({ "secret": codes::new_secret(instance.rules.least_secret) })))
    } else if data["register"] == false || data["type"] == "NONE" {
        instance.vault.forget(&subject.user_id).await?;
        Ok(None)
    } else {
        set(instance, subject, data, now).await
    }
}

/// Shows a new secret, which does not count yet.
async fn begin(instance: &Instance, subject: &Subject, data: &Value) -> Answer {
    let rules = &instance.rules;
    let kind = match &data["type"] {
        Value::Null if rules.totp => Kind::Totp,
        Value::Null => Kind::Hotp,
        kind => read_kind(instance, kind)?,
    };
    let registration = Registration {
        kind,
        secret: codes::new_secret(rules.least_secret),
        digits: rules.digits,
        next: 0,
        period: PERIOD,
    };
    instance.vault.propose(&subject.user_id, &registration).await?;
    Ok(Some(shown(instance, subject, &registration)))
}

/// What is shown of a new secret, to people and to programs.
fn shown(instance: &Instance, subject: &Subject, registration: &Registration) -> Value {
    let issuer = instance.rules.issuer(subject);
    let url = picture::url(registration, &issuer, &subject.username);
    let mut forms = vec![json!({
        "text": "Then type the code that the app shows.",
        "fields": [{ "name": "code", "label": "Code", "kind": "code" }],
        "button": "Confirm",
        "data": { "confirm": true },
    })];
    let others = [(Kind::Totp, "TOTP", "a clock"), (Kind::Hotp, "HOTP", "a counter")];
    let others = others
        .iter()
        .filter(|(kind, ..)| *kind != registration.kind && instance.rules.allows(*kind));
    forms.extend(others.map(|(_, kind, how)| {
        json!({
            "fields": [],
            "button": format!("Use codes by {how} ({kind}) instead"),
            "data": { "register": true, "type": kind },
        })
    }));
    let mut page = json!({
        "text": "Scan this with an authenticator app, or type the key into it.",
        "secret": grouped(&registration.secret),
        "forms": forms,
    });
    if let Some(image) = picture::qr(&url) {
        page["image"] = image.into();
        page["image_text"] = "QR code that holds the key".into();
    }
    let mut shown = registration.told();
    shown["secret"] = registration.secret.clone().into();
    shown["issuer"] = issuer.into();
    shown["url"] = url.into();
    shown["page"] = page;
    shown
}

/// In groups of four, as people can copy it.
fn grouped(secret: &str) -> String {
    let groups = secret.as_bytes().chunks(4).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(" ")
}

/// The app has the secret that was shown.
async fn confirm(instance: &Instance, subject: &Subject, data: &Value, now: u64) -> Answer {
    let proposed = instance.vault.proposed(&subject.user_id).await?;
    let proposed = proposed.ok_or_else(|| {
        SchemeError::invalid("code: nothing is to be confirmed any more; begin again")
    })?;
    let proved = prove(instance, &proposed, data, now)?;
    instance.vault.set(&subject.user_id, &proved).await?;
    Ok(None)
}

/// A registration from outside, such as from a token that came with its secret. A code with it must be right.
async fn set(instance: &Instance, subject: &Subject, data: &Value, now: u64) -> Answer {
    let registration = read(instance, data)?;
    let has_code = data.get("code").or_else(|| data.get("value")).is_some();
    let registration =
        if has_code { prove(instance, &registration, data, now)? } else { registration };
    instance.vault.set(&subject.user_id, &registration).await?;
    Ok(None)
}

fn prove(
    instance: &Instance,
    registration: &Registration,
    data: &Value,
    now: u64,
) -> Result<Registration, SchemeError> {
    let code = codes::typed(data).ok_or_else(|| SchemeError::invalid("code: is missing"))?;
    let proved = registration.accept(&code, now, &instance.rules);
    proved.ok_or_else(|| SchemeError::invalid("code: is not the one that the app should show"))
}

/// All that is wrong at once.
fn read(instance: &Instance, data: &Value) -> Result<Registration, SchemeError> {
    let mut errors = Vec::new();
    let kind = read_kind(instance, &data["type"]).map_err(|error| errors.push(error.to_string()));
    let secret = read_secret(instance, &data["secret"]).map_err(|error| errors.push(error));
    let mut number = |name: &str, default: u64, least: u64, most: u64| match &data[name] {
        Value::Null => default,
        value => value.as_u64().filter(|it| (least..=most).contains(it)).unwrap_or_else(|| {
            errors.push(format!("{name}: must be a whole number from {least} to {most}"));
            default
        }),
    };
    let next = number("moving_factor", 0, 0, MOST_COUNTER);
    let period = number("time_step_size", PERIOD, 1, MOST_PERIOD);
    let (Ok(kind), Ok(secret), true) = (kind, secret, errors.is_empty()) else {
        return Err(SchemeError::Invalid(errors));
    };
    let next = if kind == Kind::Hotp { next } else { 0 };
    Ok(Registration { kind, secret, digits: instance.rules.digits, next, period })
}

fn read_kind(instance: &Instance, value: &Value) -> Result<Kind, SchemeError> {
    let kind = match value.as_str() {
        Some("TOTP") => Some(Kind::Totp),
        Some("HOTP") => Some(Kind::Hotp),
        _ => None,
    };
    kind.filter(|kind| instance.rules.allows(*kind)).ok_or_else(|| {
        let allowed = [(instance.rules.totp, "TOTP"), (instance.rules.hotp, "HOTP")];
        let allowed: Vec<&str> = allowed.iter().filter(|it| it.0).map(|it| it.1).collect();
        SchemeError::invalid(format!("type: must be {}", allowed.join(" or ")))
    })
}

fn read_secret(instance: &Instance, value: &Value) -> Result<String, String> {
    let least = instance.rules.least_secret;
    match value.as_str().and_then(codes::secret) {
        Some((secret, bytes)) if (least..=128).contains(&bytes) => Ok(secret),
        Some(_) => Err(format!("secret: must have {least} to 128 bytes")),
        None => Err("secret: must be base 32 of at most 255 characters".to_owned()),
    }
}
