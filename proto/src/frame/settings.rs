//! What a side can take, as its `Hello` says, and what it sets itself.

use crate::plugin::v1::Hello;

use super::codec::Malformed;

/// The version of the format that this module speaks.
pub(super) const VERSION: u32 = 1;

pub(super) const MIN_DATA_BYTES: u32 = 16 * 1024;
pub(super) const MAX_DATA_BYTES: u32 = 1024 * 1024;
pub(super) const MIN_CREDIT_BYTES: u32 = 64 * 1024;
/// Credit is a sum, and this is what it never passes.
pub(super) const MAX_CREDIT_BYTES: u32 = i32::MAX.unsigned_abs();
pub(super) const DEFAULT_CONCURRENT_REQUESTS: u32 = 256;
pub(super) const MAX_CONCURRENT_REQUESTS: u32 = 4096;

/// What one side can take. The other learns it from `Hello`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most bytes of data in one frame. 16 KiB to 1 MiB.
    pub max_data_bytes: u32,
    /// Credit with which each request begins, in bytes. 64 KiB to 2³¹-1.
    pub initial_credit_bytes: u32,
    /// Requests that may be open at once. 1 to 4096; a host's says nothing.
    pub max_concurrent_requests: u32,
}

impl Default for Settings {
    /// 64 KiB, 64 KiB and 256. Larger frames gain nothing; more credit comes by itself to requests
    /// that are read as fast as they arrive ([`Limits::window_bytes`]).
    fn default() -> Self {
        Self {
            max_data_bytes: 64 * 1024,
            initial_credit_bytes: MIN_CREDIT_BYTES,
            max_concurrent_requests: DEFAULT_CONCURRENT_REQUESTS,
        }
    }
}

impl Settings {
    /// Moved into the limits of the format.
    pub(super) fn clamped(self) -> Self {
        Self {
            max_data_bytes: self.max_data_bytes.clamp(MIN_DATA_BYTES, MAX_DATA_BYTES),
            initial_credit_bytes: self
                .initial_credit_bytes
                .clamp(MIN_CREDIT_BYTES, MAX_CREDIT_BYTES),
            max_concurrent_requests: self.max_concurrent_requests.clamp(1, MAX_CONCURRENT_REQUESTS),
        }
    }

    pub(super) fn to_hello(self) -> Hello {
        Hello {
            version: VERSION,
            max_data_bytes: self.max_data_bytes,
            initial_credit_bytes: self.initial_credit_bytes,
            max_concurrent_requests: self.max_concurrent_requests,
        }
    }

    /// Zero is a field that was left out. More than the most is the most: it is never used up. Less
    /// than the least can't be obeyed.
    pub(super) fn from_hello(hello: &Hello) -> Result<Self, Malformed> {
        if hello.version == 0 {
            return Err(Malformed::Hello { field: "version", value: 0, least: VERSION });
        }
        Ok(Self {
            max_data_bytes: at_least("max_data_bytes", hello.max_data_bytes, MIN_DATA_BYTES)?,
            initial_credit_bytes: at_least(
                "initial_credit_bytes",
                hello.initial_credit_bytes,
                MIN_CREDIT_BYTES,
            )?,
            max_concurrent_requests: match hello.max_concurrent_requests {
                0 => DEFAULT_CONCURRENT_REQUESTS,
                given => given,
            },
        }
        .clamped())
    }
}

fn at_least(field: &'static str, value: u32, least: u32) -> Result<u32, Malformed> {
    match value {
        0 => Ok(least),
        _ if value < least => Err(Malformed::Hello { field, value, least }),
        _ => Ok(value),
    }
}

/// What a side allows itself. The other side does not learn it.
///
/// Data that has arrived and is not yet taken is at most, over all requests:
/// `max_concurrent_requests` × (`initial_credit_bytes` + `max_data_bytes`) + `growth_bytes`. Data that
/// waits to be sent is at most 2 × `queue_bytes`, and a head with its first data per open request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most credit that one request may grow to, in bytes, if its data is taken as fast as it comes.
    /// Default: 256 KiB.
    pub window_bytes: u32,
    /// What all requests together may grow by, in bytes. Default: 16 MiB.
    pub growth_bytes: u32,
    /// From here on [`Stream::send`](super::Stream::send) takes no more until messages have left.
    /// Counted for small and for large frames apart. Default: 1 MiB.
    pub queue_bytes: usize,
    /// A message is filled with frames up to this many bytes. A single frame may be larger. Default:
    /// 128 KiB, the largest HTTP/2 frame that both sides agree on.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window_bytes: 256 * 1024,
            growth_bytes: 16 * 1024 * 1024,
            queue_bytes: 1024 * 1024,
            message_bytes: 128 * 1024,
        }
    }
}
