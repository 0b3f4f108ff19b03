//! Why the host refused a request or cut off its response, as metrics and the access log name it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Defines the reasons and the list of them together, so that none can be missing from it.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $label:literal,)*) => {
        /// Why the host answered instead of a plugin, or cut off what a plugin had begun.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason { $($(#[doc = $doc])* $name,)* }

        impl Reason {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in metrics and in the access log.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

reasons! {
    /// The request breaks a rule of HTTP, or means two things.
    Malformed = "malformed",
    /// No instance, or none of its endpoints, has the path.
    NotFound = "not_found",
    /// CONNECT.
    Connect = "connect",
    /// An endpoint is not for everybody, and this is nobody who is signed in with all that it requires.
    Unauthorized = "unauthorized",
    /// The same, and signing in would not help.
    Forbidden = "forbidden",
    /// Nobody could say who it is.
    Unjudged = "unjudged",
    /// More header bytes or lines than `gateway.max_header_bytes` and `gateway.max_headers`.
    HeadTooLarge = "head_too_large",
    UriTooLong = "uri_too_long",
    /// The head did not arrive in time.
    SlowHead = "slow_head",
    BodyTooLarge = "body_too_large",
    /// The client's body stood still for the idle time, or was not there within the time of the request.
    SlowBody = "slow_body",
    /// The line before the plugin or the endpoint is full.
    QueueFull = "queue_full",
    /// No place became free in time.
    QueueTimeout = "queue_timeout",
    /// The bodies of other requests fill the memory that there is for bodies.
    Busy = "busy",
    /// The plugin did not begin to answer in time.
    FirstByteTimeout = "first_byte_timeout",
    /// The plugin's body, or an upgraded connection, stood still for the idle time.
    IdleTimeout = "idle_timeout",
    /// The response was not whole within the time of the request.
    RequestTimeout = "request_timeout",
    /// The plugin is being started again, or has failed.
    Away = "away",
    /// The plugin was ended, or its instance replaced, before the response was whole.
    CutOff = "cut_off",
    /// The plugin was lost, or its answer is none.
    BadGateway = "bad_gateway",
    /// The plugin said that it failed, or we did.
    Failed = "failed",
}

/// A counter for each reason.
#[derive(Debug)]
pub struct Reasons([AtomicU64; Reason::ALL.len()]);

impl Reasons {
    pub(super) fn add(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL
            .iter()
            .zip(&self.0)
            .map(|(reason, count)| (*reason, count.load(Ordering::Relaxed)))
    }
}

impl Default for Reasons {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}
