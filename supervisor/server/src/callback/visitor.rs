//! Who sent the request that a handle names. A plugin holds handles, and never what is behind them.

use outboard_core::identity::scope::MOST_ASKED;
use tonic::Status;

use super::Caller;
use super::permit::Permitted;
use crate::identity::Origin;

/// Longest name of anything that a plugin may ask about.
const LONGEST_NAME: usize = 256;

/// The client of one request.
#[derive(Default)]
pub(super) struct Visitor {
    /// The host's session cookie, if the client has one.
    pub(super) cookie: Option<String>,
    pub(super) origin: Origin,
}

impl Caller {
    /// The client behind a handle, as long as its request is being answered by the activation that calls.
    pub(super) fn visitor(&self, handle: &str, caller: &Permitted) -> Result<Visitor, Status> {
        let found = self.0.routes.handles().find(handle, &caller.activation);
        let found = found.ok_or_else(|| {
            Status::permission_denied(
                "the handle is not of a request that this activation is answering; send Request.handle, and not after \
                 the end of its response",
            )
        })?;
        let origin =
            Origin { address: found.address.clone(), user_agent: found.user_agent.clone() };
        Ok(Visitor { cookie: found.cookie.clone(), origin })
    }
}

/// Refuses more names than anybody asks about.
pub(super) fn bounded(names: &[String]) -> Result<(), Status> {
    if names.len() > MOST_ASKED {
        return Err(Status::invalid_argument(format!(
            "{} scopes in one call, more than {MOST_ASKED}",
            names.len()
        )));
    }
    if names.iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(Status::invalid_argument(format!(
            "a scope's name is longer than {LONGEST_NAME} bytes"
        )));
    }
    Ok(())
}
