//! `outboard import FILE`: loads users, clients, scopes, schemes and instances.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::imports_client::ImportsClient;
use serde_json::Value;
use tonic::Code;

use super::whom::Whom;
use crate::environment::Environment;

#[derive(Args, Debug)]
pub struct Import {
    #[command(flatten)]
    whom: Whom,
    /// A file of TOML (`*.toml`) or JSON: lists `user`, `client`, `scope`, `scheme`, `plugin`, `user_backend` and
    /// `client_backend` of what the HTTP API takes
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Import {
    pub(super) fn run(self, environment: &Environment) -> Result<()> {
        let document = read(&self.file)?;
        let done = self.whom.ask(environment, async |channel| {
            let mut client = ImportsClient::new(channel);
            let request = admin::ImportRequest { document: document.to_string().into() };
            client.import(request).await.map_err(|status| told(&self.file, &status))
        })?;
        let admin::ImportResponse { added, changed } = done.into_inner();
        println!("{added} added, {changed} changed");
        Ok(())
    }
}

fn read(file: &Path) -> Result<Value> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .with_context(|| format!("{name}: name a file that can be read"))?;
    let is_toml = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    if is_toml {
        toml::from_str(&text).with_context(|| format!("{name}: is no TOML"))
    } else {
        serde_json::from_str(&text)
            .with_context(|| format!("{name}: is no JSON; name a file of TOML *.toml"))
    }
}

fn told(file: &Path, status: &tonic::Status) -> anyhow::Error {
    let (name, message) = (file.display(), status.message());
    match status.code() {
        Code::InvalidArgument => {
            anyhow::anyhow!("{name}: nothing was loaded:\n{message}")
        }
        Code::FailedPrecondition => anyhow::anyhow!(
            "{name}: stopped at {message}\nwhat comes before it is loaded; correct it and load the file again"
        ),
        _ => anyhow::anyhow!("{name}: {message}"),
    }
}
