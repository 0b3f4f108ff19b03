//! What Gate's answer means: a user, a refusal, or that nothing can be said. It knows no network.
//!
//! Only what Gate itself answers on purpose counts: 200 with a JSON profile, 401 for a token that it does not
//! know, and an empty 404 for a user whom it does not know. All else comes from something broken or from
//! somebody else, such as a login page in front of it, and says nothing about anybody.

use std::fmt::Display;

use outboard_sdk::{AuthError, RefusalReason, User};
use serde::Deserialize;

/// What came back, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// Empty: none.
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
}

/// Judges what came when it was asked for the user `claimed`.
pub(crate) fn judge(claimed: &str, answer: &Answer<'_>) -> Result<User, AuthError> {
    match answer.status {
        200 => profile(answer).and_then(|user| accept(claimed, user)),
        401 => {
            let why =
                "Gate does not know this access token; regenerating one in Gate ends the old one";
            Err(AuthError::refuse(RefusalReason::Token, why))
        }
        404 if answer.body.is_empty() => {
            let why = format!("Gate knows nobody with the e-mail {claimed}");
            Err(AuthError::refuse(RefusalReason::User, why))
        }
        404 => {
            trouble("status 404 with a body, which is not Gate's; check the path of the profiles")
        }
        300..=399 => trouble(format!(
            "a redirect (status {}), which is not followed since it would take the token elsewhere; check \
             protocol, host and path",
            answer.status
        )),
        status => trouble(format!("status {status}; see Gate's own log")),
    }
}

/// A profile as Gate writes it. What it has beyond this does not matter here.
#[derive(Deserialize)]
struct Written {
    email: Option<String>,
    name: Option<String>,
    active: Option<bool>,
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
}

fn profile(answer: &Answer<'_>) -> Result<User, AuthError> {
    if !is_json(answer.content_type) {
        return trouble(
            "status 200 with something that is no JSON, such as a login page; check the host",
        );
    }
    // serde_json's own words would show what is in the profile.
    let written: Written = serde_json::from_slice(answer.body).or_else(|error| {
        let (line, column) = (error.line(), error.column());
        trouble(format!(
            "status 200 with a profile that can't be read (line {line}, column {column})"
        ))
    })?;
    Ok(User {
        name: written.name.unwrap_or_default(),
        email: written.email.unwrap_or_default(),
        active: written.active.unwrap_or_default(),
        groups: written.groups.unwrap_or_default().into_iter().map(|group| group.name).collect(),
    })
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// A profile is of use only if it is that of whoever is claimed to be here.
fn accept(claimed: &str, user: User) -> Result<User, AuthError> {
    if user.email.trim().is_empty() {
        return trouble("a profile without an e-mail, which is nobody's");
    }
    // Gate's database finds "ann" for "Ann", and may find "ann" for "änn".
    if !user.email.eq_ignore_ascii_case(claimed) {
        let why = format!("asked for {claimed}, Gate gave the profile of somebody else");
        return Err(AuthError::refuse(RefusalReason::Owner, why));
    }
    if !user.active {
        let why = format!("{claimed} is not active in Gate");
        return Err(AuthError::refuse(RefusalReason::Inactive, why));
    }
    Ok(user)
}

fn trouble<T>(why: impl Display) -> Result<T, AuthError> {
    Err(AuthError::unavailable(format!("Gate answered {why}")))
}

#[cfg(test)]
mod tests;
