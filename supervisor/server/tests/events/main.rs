//! Events: from `publish` to a notifier that is a real gRPC server, over a real store.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]
#![expect(clippy::unnecessary_wraps, reason = "answers are results, good ones too")]

mod bounds;
mod fixture;
mod going_wrong;
mod letters;
mod order;
mod publishing;
mod raw;
mod restart;
