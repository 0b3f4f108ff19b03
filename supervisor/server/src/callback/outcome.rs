//! What a failure of the identity services is to a plugin: a result that it must expect, or an error status.

use outboard_proto::host::v1::ResultCode;
use tonic::Status;

use crate::identity::Failure;

/// The code, and what is wrong, a line each.
pub(super) fn outcome(failure: Failure) -> Result<(ResultCode, Vec<String>), Status> {
    let message = failure.to_string();
    Ok(match failure {
        Failure::NotFound => (ResultCode::NotFound, Vec::new()),
        Failure::Unauthorized => (ResultCode::Unauthorized, Vec::new()),
        Failure::Invalid(errors) => (ResultCode::Invalid, errors),
        Failure::ReadOnly(error) => (ResultCode::ReadOnly, vec![error]),
        Failure::Conflict(error) => (ResultCode::Conflict, vec![error]),
        Failure::Limited { .. } => return Err(Status::resource_exhausted(message)),
        Failure::Unavailable(_) => return Err(Status::unavailable(message)),
    })
}

/// The same where nothing but an error status can be told.
pub(super) fn status(failure: &Failure) -> Status {
    match failure {
        Failure::Limited { .. } => Status::resource_exhausted(failure.to_string()),
        _ => Status::unavailable(failure.to_string()),
    }
}
