//! `outboard scope list` and `outboard scope show`.

use anyhow::{Context as _, Result};
use clap::Args;
use outboard_proto::admin::v1::ListScopesRequest;
use outboard_proto::admin::v1::scopes_client::ScopesClient;
use serde_json::Value;
use tonic::transport::Channel;

use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct List {
    /// A part of a name or of the texts for people
    #[arg(default_value = "")]
    pattern: String,
    /// How many to leave out first
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    offset: u64,
    /// At most so many, and at most 1000
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: u32,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, client: ScopesClient<Channel>) -> Result<()> {
        let Self { pattern, offset, limit, json } = self;
        let scopes = read(client, ListScopesRequest { pattern, offset, limit }).await?;
        if json {
            return Ok(output::json(&scopes)?);
        }
        if scopes.is_empty() {
            return Ok(output::line("no scopes")?);
        }
        let mut table = output::table(["SCOPE", "DISPLAY NAME", "PASSWORD", "SCHEMES"]);
        for scope in &scopes {
            table.add_row([
                plain(scope["name"].as_str().unwrap_or_default()),
                plain(scope["display_name"].as_str().unwrap_or_default()),
                password(scope),
                groups(scope),
            ]);
        }
        Ok(output::write_table(&table)?)
    }
}

#[derive(Args, Debug)]
pub(super) struct Show {
    /// The scope's name
    name: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, client: ScopesClient<Channel>) -> Result<()> {
        let scope = one(client, &self.name).await?;
        if self.json {
            return Ok(output::json(&scope)?);
        }
        for key in ["name", "display_name", "description"] {
            output::line(&format!("{key}: {}", plain(scope[key].as_str().unwrap_or_default())))?;
        }
        output::line(&format!("password: {}", password(&scope)))?;
        Ok(output::line(&format!("schemes: {}", groups(&scope)))?)
    }
}

/// The scope of this name.
pub(super) async fn one(client: ScopesClient<Channel>, name: &str) -> Result<Value> {
    let request = ListScopesRequest { pattern: name.to_owned(), offset: 0, limit: 0 };
    let scopes = read(client, request).await?;
    scopes.into_iter().find(|scope| scope["name"] == name).with_context(|| {
        format!("there is no scope {name:?}; `outboard scope list` shows those that there are")
    })
}

async fn read(mut client: ScopesClient<Channel>, request: ListScopesRequest) -> Result<Vec<Value>> {
    let response = client.list(request).await.map_err(ClientError::from)?;
    let scopes = response.into_inner().scopes;
    Ok(scopes.iter().map(|scope| serde_json::from_slice(scope)).collect::<Result<_, _>>()?)
}

fn password(scope: &Value) -> String {
    match (scope["password_required"].as_bool(), scope["password_max_age"].as_u64()) {
        (Some(false), _) => "no".to_owned(),
        (_, Some(age)) if age > 0 => format!("not older than {age} s"),
        _ => "yes".to_owned(),
    }
}

/// Such as `1 of otp, webauthn`.
fn groups(scope: &Value) -> String {
    let groups = scope["scheme"].as_object().into_iter().flatten().map(|(group, schemes)| {
        let names = schemes.as_array().into_iter().flatten();
        let names: Vec<_> = names.filter_map(|scheme| scheme["scheme_name"].as_str()).collect();
        format!("{}={} of {}", plain(group), scope["scheme_required"][group], names.join(", "))
    });
    let groups: Vec<_> = groups.collect();
    if groups.is_empty() { "-".to_owned() } else { groups.join("; ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_scope_needs_is_said_in_few_words() {
        let scope = json!({
            "password_required": true, "password_max_age": 60,
            "scheme": { "1": [{ "scheme_name": "otp" }, { "scheme_name": "webauthn" }],
                        "2": [{ "scheme_name": "mail" }] },
            "scheme_required": { "1": 2, "2": 1 },
        });
        assert_eq!(groups(&scope), "1=2 of otp, webauthn; 2=1 of mail");
        assert_eq!(password(&scope), "not older than 60 s");
        assert_eq!(groups(&json!({})), "-");
        assert_eq!(password(&json!({ "password_required": false })), "no");
    }
}
