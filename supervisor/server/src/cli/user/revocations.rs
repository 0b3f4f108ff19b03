//! `outboard user revocations`.

use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::users_client::UsersClient;
use outboard_proto::admin::v1::{ListRevocationsRequest, Revocation};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::cli::client::ClientError;
use crate::cli::output::{self, ago, plain};

#[derive(Args, Debug)]
pub(super) struct Revocations {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Revocations {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        let response = client.list_revocations(ListRevocationsRequest {}).await;
        let revocations = response.map_err(ClientError::from)?.into_inner().revocations;
        if self.json {
            return Ok(output::json(&revocations.iter().map(object).collect::<Vec<_>>())?);
        }
        if revocations.is_empty() {
            return Ok(output::line("every instance knows of every deletion")?);
        }
        let mut table =
            output::table(["USER", "INSTANCE", "DELETED", "ATTEMPTS", "SOURCE", "ERROR"]);
        for revocation in &revocations {
            table.add_row([
                plain(&revocation.username),
                plain(&revocation.instance),
                deleted(revocation).map_or_else(|| "-".to_owned(), |at| ago(at, SystemTime::now())),
                revocation.attempts.to_string(),
                plain(&revocation.source),
                if revocation.error.is_empty() { "-".to_owned() } else { plain(&revocation.error) },
            ]);
        }
        Ok(output::write_table(&table)?)
    }
}

fn deleted(revocation: &Revocation) -> Option<SystemTime> {
    revocation.deleted.and_then(|time| SystemTime::try_from(time).ok())
}

fn object(revocation: &Revocation) -> Value {
    json!({
        "user_id": revocation.user_id,
        "username": revocation.username,
        "source": revocation.source,
        "instance": revocation.instance,
        "deleted": revocation.deleted.map(|time| time.seconds),
        "attempts": revocation.attempts,
        "error": revocation.error,
    })
}
