//! `POST /v1/authenticate` and `POST /v1/authorize`: who somebody is, and what they may do, for a service that asks
//! itself.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts as Head;
use outboard_core::auth::GroupMatch;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::body::whole;
use super::reply::{Refused, json};
use super::{Parts, identity};
use crate::auth::{Decision, Identity, Requirement};

/// A thousand groups of the longest names fit in.
const MOST_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authenticate {
    email: String,
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorize {
    email: String,
    token: String,
    #[serde(default)]
    required_groups: Vec<String>,
    #[serde(rename = "match")]
    rule: Option<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rule {
    All,
    Any,
}

#[derive(Serialize)]
struct User<'u> {
    name: &'u str,
    email: &'u str,
    groups: &'u [String],
}

#[derive(Serialize)]
struct Authenticated<'u> {
    user: Option<User<'u>>,
}

#[derive(Serialize)]
struct Authorized<'u> {
    allowed: bool,
    user: Option<User<'u>>,
}

pub(super) async fn authenticate(
    State(parts): State<Parts>,
    request: Request,
) -> Result<Response, Refused> {
    let Authenticate { email, token } = read(request).await?;
    let who = parts.auth.authenticate(&email, &token).await?;
    Ok(json(StatusCode::OK, &Authenticated { user: user(&who) }))
}

pub(super) async fn authorize(
    State(parts): State<Parts>,
    request: Request,
) -> Result<Response, Refused> {
    let Authorize { email, token, required_groups, rule } = read(request).await?;
    let required = Requirement { groups: required_groups, rule: rule.map(GroupMatch::from) };
    identity::check(&required).map_err(|message| Refused::new(400, message))?;
    let Decision { is_allowed, who } = parts.auth.authorize(&email, &token, &required).await?;
    Ok(json(StatusCode::OK, &Authorized { allowed: is_allowed, user: user(&who) }))
}

impl From<Rule> for GroupMatch {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::All => Self::All,
            Rule::Any => Self::Any,
        }
    }
}

/// None where nobody was asked.
fn user(who: &Identity) -> Option<User<'_>> {
    match who {
        Identity::Anybody => None,
        Identity::User(user) => {
            Some(User { name: &user.name, email: &user.email, groups: &user.groups })
        }
    }
}

async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Refused> {
    let (head, body) = request.into_parts();
    if !is_json(&head) {
        return Err(Refused::new(
            415,
            "the body must be JSON; send content-type: application/json",
        ));
    }
    let body = whole(&head, body, MOST_BYTES, "the body").await?;
    parse(&body)
}

/// What serde says of a value shows the value, which may be a token; so only the place is told.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what =
            if error.is_data() { "does not have the fields that it should" } else { "is no JSON" };
        Refused::new(400, format!("the body {what}, at line {line}, column {column}"))
    })
}

fn is_json(head: &Head) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    #[tokio::test]
    async fn a_mistake_is_told_by_its_place_and_never_by_the_value() {
        let check = |text: &'static str, expected: &str| {
            let refused = parse::<Authorize>(&Bytes::from(text)).err().unwrap();
            let told = format!("{refused:?}");
            assert!(told.contains(expected) && !told.contains("s3cret"), "{told}");
            assert_eq!(refused.into_response().status(), 400);
        };
        check(r#"{"email":"a","token":["s3cret"]}"#, "the fields");
        check(r#"{"email":"a","token":"s3cret","x":1}"#, "the fields");
        check(r#"{"email":"a","token":"s3cret","token":"s3cret"}"#, "the fields");
        check(r#"{"email":"a","token":"s3cret","match":"s3cret"}"#, "the fields");
        check(r#"{"email":"a","token":"s3cret"#, "no JSON");
        check("", "no JSON");
    }
}
