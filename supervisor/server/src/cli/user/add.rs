//! `outboard user add`.

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::AddUserRequest;
use outboard_proto::admin::v1::users_client::UsersClient;
use serde_json::{Map, Value};
use tonic::transport::Channel;

use super::fields::{self, Fields, add_text};
use crate::cli::client::ClientError;
use crate::cli::password;

#[derive(Args, Debug)]
pub(super) struct Add {
    /// The user's name
    username: String,
    #[command(flatten)]
    fields: Fields,
    /// The user's e-mail
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Let nobody sign in yet
    #[arg(long)]
    disabled: bool,
    /// Read a password from a prompt, or from stdin; without it the user has none
    #[arg(long)]
    password: bool,
    /// Ask for another password after the first sign-in
    #[arg(long, requires = "password")]
    must_change: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Add {
    pub(super) async fn run(self, mut client: UsersClient<Channel>) -> Result<()> {
        let mut user = Map::new();
        self.fields.add_to(&mut user)?;
        user.insert("username".to_owned(), self.username.into());
        user.insert("enabled".to_owned(), (!self.disabled).into());
        add_text(&mut user, "email", self.email.as_deref());
        let request = AddUserRequest {
            user: Value::Object(user).to_string().into(),
            password: self.password.then(password::read).transpose()?,
            must_change: self.must_change,
        };
        let response = client.add(request).await.map_err(ClientError::from)?;
        fields::write(&response.into_inner().user, self.json)
    }
}
