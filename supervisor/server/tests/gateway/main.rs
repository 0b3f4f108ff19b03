//! The gateway from outside: real sockets on one side, a real plugin service on a Unix socket on the other.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]
#![expect(clippy::duplicate_mod, reason = "what holds on both paths is tried on each")]

mod chains;
mod client;
mod connections;
mod fixture;
mod framed;
mod http2;
mod own;
mod plain;
mod tls;

/// What holds on both paths, tried on each.
macro_rules! on_path {
    ($path:ident, $new:ident) => {
        #[path = "."]
        mod $path {
            use crate::fixture::{Fixture, Setup, echo};

            fn setup(endpoints: &[&str]) -> Setup {
                Setup::$new(endpoints)
            }

            async fn echoing(endpoints: &[&str]) -> Fixture {
                setup(endpoints).start(echo).await
            }

            #[path = "admittance.rs"]
            mod admittance;
            #[path = "handles.rs"]
            mod handles;
            #[path = "limits.rs"]
            mod limits;
            #[path = "malformed.rs"]
            mod malformed;
            #[path = "requests.rs"]
            mod requests;
            #[path = "responses.rs"]
            mod responses;
        }
    };
}

on_path!(plainly, new);
on_path!(in_frames, framed);
