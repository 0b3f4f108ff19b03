//! `host.*`

use outboard_sdk::{Host, LoginUrl};
use serde_json::{Map, Value, json};

use super::{Args, Called, unknown};
use crate::handlers::bad_request;

pub(super) async fn call(host: &Host, method: &str, args: &Args) -> Called {
    Ok(match method {
        "config" => host.config().await.map(|config| {
            let cookie = config.session_cookie;
            json!({
                "external_url": config.external_url,
                "prefix": config.prefix,
                "login_url": config.login_url,
                "admin_scope": config.admin_scope,
                "profile_scope": config.profile_scope,
                "cookie": { "name": cookie.name, "domain": cookie.domain, "secure": cookie.secure, "same_site": cookie.same_site },
                "hash_algorithm": config.hash_algorithm,
                "max_request_bytes": config.max_request_bytes,
                "storage_quota_bytes": config.storage_quota_bytes,
            })
        }),
        "external_url" => match args.maybe("instance") {
            Some(instance) => host.external_url_of(instance).await.map(Value::String),
            None => host.external_url().await.map(Value::String),
        },
        "login_url" => host.login_url(login_url(args)).await.map(Value::String),
        "hash" => host.hash(args.text("text")?.to_owned()).await.map(Value::String),
        "locate" => {
            let address = args.text("address")?.parse();
            let address = address.map_err(|_| bad_request("args.address must be an IP address"))?;
            let found = host.locate(address).await;
            found.map(|at| json!({ "place": at.place, "country_code": at.country_code }))
        }
        _ => return Err(unknown()),
    })
}

/// `parameters` is a list of `[name, value]`, or `[name]` for one that stands alone.
fn login_url(args: &Args) -> LoginUrl {
    let mut login = LoginUrl::new();
    if let Some(client_id) = args.maybe("client_id") {
        login = login.client_id(client_id);
    }
    if let Some(scope) = args.maybe("scope") {
        login = login.scope(scope);
    }
    if let Some(callback_url) = args.maybe("callback_url") {
        login = login.callback_url(callback_url);
    }
    let parameters = args.value("parameters");
    for parameter in parameters.as_array().into_iter().flatten() {
        let name = parameter[0].as_str().unwrap_or_default();
        login = match parameter[1].as_str() {
            Some(value) => login.parameter(name, value),
            None => login.flag(name),
        };
    }
    login
}

/// The fields of an object that are texts.
pub(super) fn texts(object: &Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    object.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}
