//! The result codes of the identity services, as errors.

use outboard_proto::host::v1::ResultCode;
use serde_json::{Map, Value};

use super::{HostError, HostErrorKind};

/// Nothing, if it went well.
pub(super) fn done(result: ResultCode, errors: Vec<String>) -> Result<(), HostError> {
    let (kind, message) = match result {
        ResultCode::Ok => return Ok(()),
        ResultCode::Unauthorized => (HostErrorKind::Refused, "the host has refused it"),
        ResultCode::Invalid => (HostErrorKind::Invalid, "something in it is wrong"),
        ResultCode::NotFound => (HostErrorKind::NotFound, "there is no such thing"),
        ResultCode::ReadOnly => (HostErrorKind::ReadOnly, "it may not be changed"),
        ResultCode::Conflict => {
            (HostErrorKind::Conflict, "it is taken, or was changed by somebody else")
        }
        ResultCode::Error | ResultCode::Unspecified => (HostErrorKind::Failed, "the host failed"),
    };
    Err(HostError::new(kind, message).with_problems(errors))
}

/// What came with an `Ok`.
pub(super) fn got<T>(
    result: ResultCode,
    errors: Vec<String>,
    it: Option<T>,
) -> Result<T, HostError> {
    done(result, errors)?;
    it.ok_or_else(odd)
}

/// What came with an `Ok`, or nothing where there is no such thing.
pub(super) fn found<T>(result: ResultCode, it: Option<T>) -> Result<Option<T>, HostError> {
    match result {
        ResultCode::NotFound => Ok(None),
        result => got(result, Vec::new(), it).map(Some),
    }
}

pub(super) fn odd() -> HostError {
    HostError::new(HostErrorKind::Failed, "the host's answer contradicts itself")
}

/// Free properties, as they were sent.
pub(super) fn properties(json: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(json).unwrap_or_default()
}

/// JSON, if there is any.
pub(super) fn json(bytes: &[u8]) -> Result<Option<Value>, HostError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(bytes).map(Some).map_err(|_| odd())
}
