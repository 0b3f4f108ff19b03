//! `outboard user set` and `outboard user password`.

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::users_client::UsersClient;
use outboard_proto::admin::v1::{SetUserPasswordRequest, SetUserRequest};
use serde_json::{Map, Value};
use tonic::transport::Channel;

use super::fields::{self, Fields, add_text};
use crate::cli::client::ClientError;
use crate::cli::{output, password};

#[derive(Args, Debug)]
pub(super) struct Set {
    /// The user's name
    username: String,
    #[command(flatten)]
    fields: Fields,
    /// The user's e-mail; empty: none
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Let the user sign in
    #[arg(long)]
    enable: bool,
    /// Do not let the user sign in
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        let mut user = Map::new();
        self.fields.add_to(&mut user)?;
        add_text(&mut user, "email", self.email.as_deref());
        if self.enable || self.disable {
            user.insert("enabled".to_owned(), self.enable.into());
        }
        let user = Value::Object(user).to_string().into();
        let request = SetUserRequest { username: self.username, user };
        let response = client.set(request).await.map_err(ClientError::from)?;
        fields::write(&response.into_inner().user, self.json)
    }
}

#[derive(Args, Debug)]
pub(super) struct Password {
    /// The user's name
    username: String,
    /// Ask for another password after the next sign-in
    #[arg(long)]
    must_change: bool,
}

impl Password {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        let password = password::read()?;
        let Self { username, must_change } = self;
        let request = SetUserPasswordRequest { username: username.clone(), password, must_change };
        client.set_password(request).await.map_err(ClientError::from)?;
        Ok(output::line(&format!(
            "done; sessions that are signed in stay so, unless you end them: outboard session end {} --all",
            output::plain(&username)
        ))?)
    }
}
