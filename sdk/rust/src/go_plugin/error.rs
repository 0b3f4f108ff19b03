//! Why a plugin did not start.

use std::io;

use outboard_proto::env::EnvError;
use outboard_proto::transport::TlsError;
use thiserror::Error;

/// What went wrong between the cookie and the first call. Each says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// What the host set is unusable.
    #[error("{0}")]
    Env(#[from] EnvError),
    /// The program's own configuration is.
    #[error("{0}")]
    Configuration(String),
    /// No runtime.
    #[error("could not start the runtime: {0}; check the limits on threads and open files")]
    Runtime(io::Error),
    /// No TLS.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// No socket.
    #[error("no socket: {0}")]
    Listen(io::Error),
    /// The handshake line could not be printed, or stdout not be taken over.
    #[error("stdout: {0}; the host must read the handshake line from it")]
    Stdout(io::Error),
    /// Signals could not be handled.
    #[error("signals: {0}")]
    Signals(io::Error),
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Serve(#[from] tonic::transport::Error),
}
