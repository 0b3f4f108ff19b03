//! `outboard user list` and `outboard user show`.

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::users_client::UsersClient;
use outboard_proto::admin::v1::{GetUserRequest, ListUsersRequest};
use tonic::transport::Channel;

use super::fields::{self, cell};
use crate::cli::client::ClientError;
use crate::cli::output;

#[derive(Args, Debug)]
pub(super) struct List {
    /// A part of a user name, name or e-mail
    #[arg(default_value = "")]
    pattern: String,
    /// How many to leave out first
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    offset: u64,
    /// At most so many, and at most 1000
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: u32,
    /// Only those of this source: "database", or an instance
    #[arg(long, default_value = "", value_name = "NAME")]
    source: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        let Self { pattern, offset, limit, source, json } = self;
        let request = ListUsersRequest { pattern, offset, limit, source };
        let response = client.list(request).await.map_err(ClientError::from)?;
        let users = fields::read_all(&response.into_inner().users)?;
        if json {
            return Ok(output::json(&users)?);
        }
        if users.is_empty() {
            return Ok(output::line("no users")?);
        }
        let mut table = output::table(["USER", "NAME", "E-MAIL", "ENABLED", "SCOPES", "SOURCE"]);
        for user in &users {
            let row = ["username", "name", "email", "enabled", "scope", "source"];
            table.add_row(row.map(|field| cell(&user[field])));
        }
        Ok(output::write_table(&table)?)
    }
}

#[derive(Args, Debug)]
pub(super) struct Show {
    /// The user's name
    username: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        let request = GetUserRequest { username: self.username };
        let response = client.get(request).await.map_err(ClientError::from)?;
        fields::write(&response.into_inner().user, self.json)
    }
}
