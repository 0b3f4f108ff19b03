//! `outboard user delete`.

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::DeleteUserRequest;
use outboard_proto::admin::v1::users_client::UsersClient;
use tonic::transport::Channel;

use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct Delete {
    /// The user's name
    username: String,
    /// Free the name at once; instances that have not been told by then never are. Also for a user who was deleted before
    #[arg(long)]
    force: bool,
}

impl Delete {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        let request = DeleteUserRequest { username: self.username, force: self.force };
        let response = client.delete(request).await.map_err(ClientError::from)?;
        let waiting = response.into_inner().waiting;
        if waiting.is_empty() {
            return Ok(output::line(
                "deleted; every instance that is enabled knows, and the name is free",
            )?);
        }
        let waiting: Vec<_> = waiting.iter().map(|instance| plain(instance)).collect();
        Ok(output::line(&format!(
            "deleted; the name is free when these know: {}. See `outboard user revocations`",
            waiting.join(", ")
        ))?)
    }
}
