//! `outboard session list|end`: who is signed in where.

use std::time::SystemTime;

use anyhow::Result;
use clap::{Args, Subcommand};
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::sessions_client::SessionsClient;
use prost_types::Timestamp;
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::client::ClientError;
use super::output::{self, plain};
use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Session {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the sessions of a user
    List(List),
    /// Sign a user out
    End(End),
}

#[derive(Args, Debug)]
struct List {
    /// The user's name
    username: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct End {
    /// The user's name
    username: String,
    /// Which session, as `outboard session list` shows it
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    session: Option<String>,
    /// All of the user's sessions
    #[arg(long)]
    all: bool,
}

impl Session {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        self.whom.ask(environment, async |channel| {
            let client = SessionsClient::new(channel);
            match self.command {
                Command::List(list) => list.run(client).await,
                Command::End(end) => end.run(client).await,
            }
        })
    }
}

impl List {
    async fn run(self, mut client: SessionsClient<Channel>) -> Result<()> {
        let request = admin::ListSessionsRequest { username: self.username.clone() };
        let response = client.list(request).await.map_err(ClientError::from)?;
        let sessions = response.into_inner().sessions;
        if self.json {
            return Ok(output::json(&sessions.iter().map(shown).collect::<Vec<_>>())?);
        }
        if sessions.is_empty() {
            return Ok(output::line(&format!("{} is not signed in", plain(&self.username)))?);
        }
        let mut table = output::table(["SESSION", "SINCE", "SEEN", "FROM", "BY", "BROWSER"]);
        for session in &sessions {
            table.add_row(row(session));
        }
        Ok(output::write_table(&table)?)
    }
}

impl End {
    async fn run(self, mut client: SessionsClient<Channel>) -> Result<()> {
        let hash = self.session.unwrap_or_default();
        let request = admin::EndSessionsRequest { username: self.username, hash };
        let response = client.end(request).await.map_err(ClientError::from)?;
        let count = response.into_inner().count;
        let sessions = if count == 1 { "session" } else { "sessions" };
        Ok(output::line(&format!("signed out of {count} {sessions}"))?)
    }
}

fn row(session: &admin::Session) -> [String; 6] {
    let now = SystemTime::now();
    let ago = |time: Option<Timestamp>| {
        let time = time.and_then(|time| SystemTime::try_from(time).ok());
        time.map_or_else(|| "-".to_owned(), |time| output::ago(time, now))
    };
    [
        session.hash.clone(),
        ago(session.created),
        ago(session.last_seen),
        plain(&session.issued_for),
        plain(&session.methods.join(", ")),
        plain(&session.user_agent),
    ]
}

/// The JSON is a promise to scripts; the messages of the control socket are not.
fn shown(session: &admin::Session) -> Value {
    let time = |time: Option<Timestamp>| {
        let time = time.and_then(|time| SystemTime::try_from(time).ok());
        time.map(|time| humantime::format_rfc3339_millis(time).to_string())
    };
    json!({
        "session": session.hash,
        "created": time(session.created),
        "last_seen": time(session.last_seen),
        "expires": time(session.expires),
        "issued_for": session.issued_for,
        "user_agent": session.user_agent,
        "methods": session.methods,
    })
}
