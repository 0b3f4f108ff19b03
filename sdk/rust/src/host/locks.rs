//! What one activation at a time does.

use std::time::Duration;

use outboard_proto::host::v1;
use outboard_proto::host::v1::locks_client::LocksClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::{Host, HostError, HostErrorKind, Stamp};

/// Locks of this instance, in all of its processes, wherever they run. Its manifest has `grants.callbacks =
/// ["locks"]`, and the operator grants it. Cloning it is cheap.
///
/// ```no_run
/// use std::time::Duration;
///
/// use outboard_sdk::{Host, HostError};
///
/// async fn tidy(host: &Host) -> Result<(), HostError> {
///     let Some(lock) = host.locks().acquire("tidy", Duration::from_mins(1)).await? else {
///         return Ok(()); // Somebody else does it.
///     };
///     // ...
///     lock.release().await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Locks(Host);

/// A lock that was taken. It is held until its time is over, also after this value is dropped: renew it while the work
/// goes on, and release it at the end.
#[derive(Debug, Clone)]
pub struct Lock {
    host: Host,
    name: String,
    token: u64,
}

impl Locks {
    pub(super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Takes a lock for a time (1 s to 1 h), if it is free. `None`: it is not. Limit of the name: 128 bytes.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Denied`] without the grant, [`HostErrorKind::Invalid`] for a name or a time that is none.
    pub async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lock>, HostError> {
        self.acquire_within(name, ttl, Duration::ZERO).await
    }

    /// The same, and waits for it, at most 30 s.
    ///
    /// # Errors
    ///
    /// As with [`acquire`](Self::acquire).
    pub async fn acquire_within(
        &self,
        name: &str,
        ttl: Duration,
        wait: Duration,
    ) -> Result<Option<Lock>, HostError> {
        let request = v1::AcquireLockRequest {
            name: name.to_owned(),
            ttl: ttl.try_into().ok(),
            wait: wait.try_into().ok(),
        };
        let answer = client(&self.0)?.acquire(request).await?.into_inner();
        let lock = Lock { host: self.0.clone(), name: name.to_owned(), token: answer.token };
        Ok(is_ok(answer.result())?.then_some(lock))
    }
}

impl Lock {
    /// Greater than any token of this instance before: whatever is written to can refuse who comes late, if it
    /// remembers the greatest that it has seen.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Holds it for a time from now on. False: it was lost, and somebody else may have it.
    ///
    /// # Errors
    ///
    /// As with [`Locks::acquire`].
    pub async fn renew(&self, ttl: Duration) -> Result<bool, HostError> {
        let (name, ttl) = (self.name.clone(), ttl.try_into().ok());
        let request = v1::RenewLockRequest { name, token: self.token, ttl };
        is_ok(client(&self.host)?.renew(request).await?.into_inner().result())
    }

    /// Lets it go. False: it had been lost.
    ///
    /// # Errors
    ///
    /// As with [`Locks::acquire`].
    pub async fn release(self) -> Result<bool, HostError> {
        let request = v1::ReleaseLockRequest { name: self.name, token: self.token };
        is_ok(client(&self.host)?.release(request).await?.into_inner().result())
    }
}

fn client(host: &Host) -> Result<LocksClient<InterceptedService<Channel, Stamp>>, HostError> {
    Ok(LocksClient::new(host.channel()?))
}

/// Whether it was OK, and not a conflict.
fn is_ok(result: v1::ResultCode) -> Result<bool, HostError> {
    match result {
        v1::ResultCode::Ok => Ok(true),
        v1::ResultCode::Conflict => Ok(false),
        other => {
            let message = format!("the host answered {}", other.as_str_name());
            Err(HostError::new(HostErrorKind::Failed, message))
        }
    }
}
