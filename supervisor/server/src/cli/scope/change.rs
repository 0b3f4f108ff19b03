//! `outboard scope add|set|delete`.

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use outboard_proto::admin::v1::scopes_client::ScopesClient;
use outboard_proto::admin::v1::{AddScopeRequest, DeleteScopeRequest, SetScopeRequest};
use serde_json::{Map, Value, json};
use tonic::transport::Channel;

use super::list;
use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct Add {
    /// The scope's name
    name: String,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// The scope's name
    name: String,
    #[command(flatten)]
    fields: Fields,
    /// No scheme is needed any more
    #[arg(long, conflicts_with = "groups")]
    no_groups: bool,
}

#[derive(Args, Debug)]
pub(super) struct Delete {
    /// The scope's name
    name: String,
}

#[derive(Args, Debug)]
struct Fields {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether the password is needed; default: true
    #[arg(long, value_name = "BOOL")]
    password_required: Option<bool>,
    /// How old the proof by password may be, in seconds; 0: as old as any
    #[arg(long, value_name = "SECONDS")]
    password_max_age: Option<u64>,
    /// A group of schemes, and how many of them are needed: such as `second=otp,webauthn:1`; each again for another
    #[arg(long = "group", value_name = "NAME=SCHEME,…:COUNT")]
    groups: Vec<String>,
}

impl Add {
    pub(super) async fn run(self, mut client: ScopesClient<Channel>) -> Result<()> {
        let mut scope = json!({ "name": self.name });
        self.fields.change(&mut scope)?;
        let request = AddScopeRequest { scope: scope.to_string().into() };
        client.add(request).await.map_err(ClientError::from)?;
        Ok(output::line(&format!("added {}", plain(&self.name)))?)
    }
}

impl Set {
    pub(super) async fn run(self, mut client: ScopesClient<Channel>) -> Result<()> {
        let mut scope = list::one(client.clone(), &self.name).await?;
        if self.no_groups {
            scope["scheme"] = Value::Null;
            scope["scheme_required"] = Value::Null;
        }
        self.fields.change(&mut scope)?;
        let scope = scope.to_string().into();
        let request = SetScopeRequest { name: self.name.clone(), scope };
        client.set(request).await.map_err(ClientError::from)?;
        Ok(output::line(&format!("changed {}", plain(&self.name)))?)
    }
}

impl Delete {
    pub(super) async fn run(self, mut client: ScopesClient<Channel>) -> Result<()> {
        let request = DeleteScopeRequest { name: self.name.clone() };
        client.delete(request).await.map_err(ClientError::from)?;
        Ok(output::line(&format!("deleted {}", plain(&self.name)))?)
    }
}

impl Fields {
    /// Writes what is given into an object of the HTTP API.
    fn change(self, scope: &mut Value) -> Result<()> {
        let given = [
            ("display_name", self.display_name.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("password_required", self.password_required.map(Value::from)),
            ("password_max_age", self.password_max_age.map(Value::from)),
        ];
        for (key, value) in given {
            if let Some(value) = value {
                scope[key] = value;
            }
        }
        if !self.groups.is_empty() {
            let (schemes, required) = groups(&self.groups)?;
            scope["scheme"] = schemes.into();
            scope["scheme_required"] = required.into();
        }
        Ok(())
    }
}

fn groups(written: &[String]) -> Result<(Map<String, Value>, Map<String, Value>)> {
    let (mut schemes, mut required) = (Map::new(), Map::new());
    for group in written {
        let (name, members, count) = read(group)?;
        ensure!(!schemes.contains_key(name), "the group {name:?} is there twice");
        let members = members.into_iter().map(|scheme| json!({ "scheme_name": scheme }));
        schemes.insert(name.to_owned(), members.collect());
        required.insert(name.to_owned(), count.into());
    }
    Ok((schemes, required))
}

fn read(group: &str) -> Result<(&str, Vec<&str>, u32)> {
    let wrong =
        || format!("{group:?} is no group; write NAME=SCHEME,SCHEME or NAME=SCHEME,SCHEME:COUNT");
    let (name, rest) = group.split_once('=').with_context(wrong)?;
    let (members, count) = match rest.rsplit_once(':') {
        Some((members, count)) => (members, count.parse().with_context(wrong)?),
        None => (rest, 1),
    };
    let members: Vec<_> = members.split(',').map(str::trim).collect();
    ensure!(!name.is_empty() && members.iter().all(|member| !member.is_empty()), wrong());
    Ok((name, members, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_name_schemes_and_how_many() {
        assert_eq!(read("second=otp, webauthn:2").unwrap(), ("second", vec!["otp", "webauthn"], 2));
        assert_eq!(read("g=otp").unwrap(), ("g", vec!["otp"], 1));
        for wrong in ["", "g", "g=", "=otp", "g=otp,", "g=otp:x", "g=otp:-1"] {
            assert!(read(wrong).unwrap_err().to_string().contains("is no group"), "{wrong}");
        }
        let twice = ["g=a".to_owned(), "g=b".to_owned()];
        assert!(groups(&twice).unwrap_err().to_string().contains("twice"));
    }
}
