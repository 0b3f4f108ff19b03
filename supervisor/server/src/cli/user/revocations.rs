//! `outboard user revocations`: who has not been told, and giving that up.

use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::users_client::UsersClient;
use outboard_proto::admin::v1::{GiveUpRevocationsRequest, ListRevocationsRequest, Revocation};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::cli::client::ClientError;
use crate::cli::output::{self, ago, plain};

#[derive(Args, Debug)]
pub(super) struct Revocations {
    /// Write JSON
    #[arg(long, conflicts_with = "give_up")]
    json: bool,
    /// Give up what this instance is still to be told: names that waited for it are free, and it may serve with whatever
    /// it knows of deleted users
    #[arg(long, value_name = "INSTANCE")]
    give_up: Option<String>,
}

impl Revocations {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        if let Some(instance) = self.give_up {
            let given_up = format!("given up what {} was to be told", plain(&instance));
            let request = GiveUpRevocationsRequest { instance };
            client.give_up_revocations(request).await.map_err(ClientError::from)?;
            return Ok(output::line(&given_up)?);
        }
        let response = client.list_revocations(ListRevocationsRequest {}).await;
        let revocations = response.map_err(ClientError::from)?.into_inner().revocations;
        if self.json {
            return Ok(output::json(&revocations.iter().map(object).collect::<Vec<_>>())?);
        }
        if revocations.is_empty() {
            return Ok(output::line("every instance that is enabled knows of every deletion")?);
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
