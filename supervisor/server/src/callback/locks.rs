//! `outboard.host.v1.Locks`: what one activation at a time does, wherever it runs.

use std::time::Duration;

use outboard_core::grant::Group;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::locks_server;
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status};

use super::Caller;
use super::stored::{failed, length, text};

const LONGEST_NAME: usize = 128;
const SHORTEST_TTL: Duration = Duration::from_secs(1);
const LONGEST_TTL: Duration = Duration::from_hours(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Who waits for a lock looks again after that, then after twice as long, up to the other.
const FIRST_LOOK: Duration = Duration::from_millis(25);
const LAST_LOOK: Duration = Duration::from_millis(500);

#[tonic::async_trait]
impl locks_server::Locks for Caller {
    async fn acquire(
        &self,
        request: Request<wire::AcquireLockRequest>,
    ) -> Result<Response<wire::AcquireLockResponse>, Status> {
        let instance = self.permit(&request, Group::Locks)?.instance;
        let wire::AcquireLockRequest { name, ttl: time, wait } = request.into_inner();
        let (name, ttl) = (lock_name(name)?, ttl(time)?);
        let wait = wait.map_or(Ok(Duration::ZERO), |wait| {
            length(wait, "wait", Duration::ZERO, LONGEST_WAIT)
        })?;
        let token = self.acquire_within(&instance, &name, ttl, wait).await?;
        let result = result(token.is_some());
        Ok(Response::new(wire::AcquireLockResponse { result, token: token.unwrap_or_default() }))
    }

    async fn renew(
        &self,
        request: Request<wire::RenewLockRequest>,
    ) -> Result<Response<wire::RenewLockResponse>, Status> {
        let instance = self.permit(&request, Group::Locks)?.instance;
        let wire::RenewLockRequest { name, token, ttl: time } = request.into_inner();
        let (name, ttl) = (lock_name(name)?, ttl(time)?);
        let renewed = self.store().locks().renew(&instance, &name, token, ttl).await;
        Ok(Response::new(wire::RenewLockResponse { result: result(renewed.map_err(failed)?) }))
    }

    async fn release(
        &self,
        request: Request<wire::ReleaseLockRequest>,
    ) -> Result<Response<wire::ReleaseLockResponse>, Status> {
        let instance = self.permit(&request, Group::Locks)?.instance;
        let wire::ReleaseLockRequest { name, token } = request.into_inner();
        let name = lock_name(name)?;
        let released = self.store().locks().release(&instance, &name, token).await;
        Ok(Response::new(wire::ReleaseLockResponse { result: result(released.map_err(failed)?) }))
    }
}

impl Caller {
    /// Another supervisor may have the lock, so that nobody here knows when it is free.
    async fn acquire_within(
        &self,
        instance: &str,
        name: &str,
        ttl: Duration,
        wait: Duration,
    ) -> Result<Option<u64>, Status> {
        let (end, mut pause) = (Instant::now() + wait, FIRST_LOOK);
        loop {
            let token = self.store().locks().acquire(instance, name, ttl).await.map_err(failed)?;
            let now = Instant::now();
            if token.is_some() || now >= end {
                return Ok(token);
            }
            sleep_until((now + pause).min(end)).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }
}

fn lock_name(name: String) -> Result<String, Status> {
    text(name, "name", 1, LONGEST_NAME)
}

fn ttl(ttl: Option<prost_types::Duration>) -> Result<Duration, Status> {
    length(ttl.unwrap_or_default(), "ttl", SHORTEST_TTL, LONGEST_TTL)
}

fn result(is_ok: bool) -> i32 {
    if is_ok { wire::ResultCode::Ok.into() } else { wire::ResultCode::Conflict.into() }
}
