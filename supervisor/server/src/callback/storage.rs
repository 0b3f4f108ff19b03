//! `outboard.host.v1.Storage`: what an instance keeps.

mod read;
mod shown;

use outboard_core::grant::Group;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::storage_server;
use outboard_store::storage::{Changed, Done, Operation, Slice, Taken};
use tonic::{Request, Response, Status};

use super::Caller;
use super::stored::failed;
use crate::clock::timestamp;

/// Most operations of one call.
const MOST_OPERATIONS: usize = 64;
/// About as much is in an answer.
const PAGE_BYTES: u64 = 2 << 20;
const DEFAULT_LIMIT: u32 = 100;
const MOST_LISTED: u32 = 1000;

#[tonic::async_trait]
impl storage_server::Storage for Caller {
    async fn get(
        &self,
        request: Request<wire::GetEntryRequest>,
    ) -> Result<Response<wire::GetEntryResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let key = read::key(request.into_inner().key)?;
        let entry = self.store().storage().get(&instance, &key).await.map_err(failed)?;
        let result =
            if entry.is_some() { wire::ResultCode::Ok } else { wire::ResultCode::NotFound };
        let entry = entry.map(shown::entry);
        Ok(Response::new(wire::GetEntryResponse { result: result.into(), entry }))
    }

    async fn put(
        &self,
        request: Request<wire::PutEntryRequest>,
    ) -> Result<Response<wire::PutEntryResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let operation = Operation::Put(read::put(request.into_inner())?);
        let (result, version) = match self.change(&instance, &[operation]).await? {
            Ok(done) => (wire::ResultCode::Ok, first(&done).version),
            Err((_, version)) => (wire::ResultCode::Conflict, version),
        };
        Ok(Response::new(wire::PutEntryResponse { result: result.into(), version }))
    }

    async fn delete(
        &self,
        request: Request<wire::DeleteEntryRequest>,
    ) -> Result<Response<wire::DeleteEntryResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let operation = read::delete(request.into_inner())?;
        let result = match self.change(&instance, &[operation]).await? {
            Ok(done) if first(&done).existed => wire::ResultCode::Ok,
            Ok(_) => wire::ResultCode::NotFound,
            Err(_) => wire::ResultCode::Conflict,
        };
        Ok(Response::new(wire::DeleteEntryResponse { result: result.into() }))
    }

    async fn increment(
        &self,
        request: Request<wire::IncrementRequest>,
    ) -> Result<Response<wire::IncrementResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let operation = Operation::Increment(read::increment(request.into_inner())?);
        let (result, done) = match self.change(&instance, &[operation]).await? {
            Ok(done) => (wire::ResultCode::Ok, first(&done)),
            Err(_) => (wire::ResultCode::Conflict, Done::default()),
        };
        let Done { value, version, .. } = done;
        Ok(Response::new(wire::IncrementResponse { result: result.into(), value, version }))
    }

    async fn list(
        &self,
        request: Request<wire::ListEntriesRequest>,
    ) -> Result<Response<wire::ListEntriesResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let wire::ListEntriesRequest { prefix, after, limit } = request.into_inner();
        let (prefix, after) = (read::part(prefix, "prefix")?, read::part(after, "after")?);
        let storage = self.store().storage();
        let page = storage.list(&instance, &prefix, slice(&after, limit)?).await;
        Ok(Response::new(shown::page(page.map_err(failed)?)))
    }

    async fn take(
        &self,
        request: Request<wire::TakeEntryRequest>,
    ) -> Result<Response<wire::TakeEntryResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let key = read::key(request.into_inner().key)?;
        let taken = self.store().storage().take(&instance, &key).await.map_err(failed)?;
        let (take, entry, taken_at) = match taken {
            Taken::Now(entry) => (wire::Take::Taken, Some(entry), None),
            Taken::Before { entry, taken_ms } => {
                (wire::Take::Consumed, Some(entry), Some(timestamp(taken_ms)))
            }
            Taken::Missing => (wire::Take::Missing, None, None),
        };
        let entry = entry.map(shown::entry);
        Ok(Response::new(wire::TakeEntryResponse { take: take.into(), entry, taken_at }))
    }

    async fn list_by_tag(
        &self,
        request: Request<wire::ListByTagRequest>,
    ) -> Result<Response<wire::ListEntriesResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let wire::ListByTagRequest { tag, after, limit } = request.into_inner();
        let (tag, after) = (read::tag(tag)?, read::part(after, "after")?);
        let storage = self.store().storage();
        let page = storage.list_by_tag(&instance, &tag, slice(&after, limit)?).await;
        Ok(Response::new(shown::page(page.map_err(failed)?)))
    }

    async fn delete_by_tag(
        &self,
        request: Request<wire::DeleteByTagRequest>,
    ) -> Result<Response<wire::DeleteByTagResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let tag = read::tag(request.into_inner().tag)?;
        let deleted = self.store().storage().delete_by_tag(&instance, &tag).await;
        Ok(Response::new(wire::DeleteByTagResponse { deleted: deleted.map_err(failed)? }))
    }

    async fn transact(
        &self,
        request: Request<wire::TransactRequest>,
    ) -> Result<Response<wire::TransactResponse>, Status> {
        let instance = self.permit(&request, Group::Storage)?.instance;
        let operations = request.into_inner().operations;
        if operations.is_empty() || operations.len() > MOST_OPERATIONS {
            return Err(Status::invalid_argument(format!(
                "there are {} operations; send 1 to {MOST_OPERATIONS}",
                operations.len()
            )));
        }
        let operations: Vec<_> =
            operations.into_iter().map(read::operation).collect::<Result<_, _>>()?;
        let (result, failed, results) = match self.change(&instance, &operations).await? {
            Ok(done) => (wire::ResultCode::Ok, 0, done.into_iter().map(shown::done).collect()),
            Err((operation, _)) => (wire::ResultCode::Conflict, operation, Vec::new()),
        };
        // At most 64 were sent.
        let failed = u32::try_from(failed).unwrap_or_default();
        Ok(Response::new(wire::TransactResponse { result: result.into(), failed, results }))
    }
}

impl Caller {
    /// What the changes came to, or which of them could not be made, and the version of what is there.
    async fn change(
        &self,
        instance: &str,
        operations: &[Operation],
    ) -> Result<Result<Vec<Done>, (usize, u64)>, Status> {
        let quota = self.0.site.people.storage_quota;
        match self.store().storage().change(instance, operations, quota).await.map_err(failed)? {
            Changed::Done(done) => Ok(Ok(done)),
            Changed::Conflict { operation, version } => Ok(Err((operation, version))),
            Changed::Full => Err(Status::resource_exhausted(format!(
                "the instance would keep more than {quota} bytes; delete some, or raise storage.quota"
            ))),
        }
    }
}

fn first(done: &[Done]) -> Done {
    done.first().copied().unwrap_or_default()
}

fn slice(after: &str, limit: u32) -> Result<Slice<'_>, Status> {
    if limit > MOST_LISTED {
        return Err(Status::invalid_argument(format!(
            "limit is {limit}; at most {MOST_LISTED} are listed"
        )));
    }
    let limit = if limit == 0 { DEFAULT_LIMIT } else { limit };
    Ok(Slice { after, limit, bytes: PAGE_BYTES })
}
