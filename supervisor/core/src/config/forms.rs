//! Forms of text that both `outboard.toml` and `plugin.toml` know, and limits that they share.

use std::time::Duration;

use outboard_proto::env::WIRE_VARS;

use crate::name::PluginName;

pub(crate) const SHORTEST_START: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_START: Duration = Duration::from_mins(10);
pub(crate) const SHORTEST_CALL: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_CALL: Duration = Duration::from_mins(10);

/// What the host itself sets for every plugin.
const SET_BY_THE_HOST: [&str; 2] = ["HOME", "TMPDIR"];

pub(crate) fn plugin_name(text: &str) -> Result<PluginName, String> {
    PluginName::new(text).map_err(|error| error.to_string())
}

pub(crate) fn user(text: &str) -> Result<String, String> {
    let is_user =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != ':' && c != '/');
    if is_user {
        Ok(text.to_owned())
    } else {
        Err("write the name or the number of a user".to_owned())
    }
}

/// The name of an environment variable.
pub(crate) fn variable(name: &str) -> Result<(), String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not the name of a variable; use letters, digits and \"_\", no digit first"
    ))
}

/// The name of a variable that a plugin may be given.
pub(crate) fn passed_variable(name: &str) -> Result<(), String> {
    variable(name)?;
    if WIRE_VARS.contains(&name) || SET_BY_THE_HOST.contains(&name) {
        return Err(format!("{name} is set by Outboard for every plugin; leave it out"));
    }
    // They configure the supervisor, and may hold its database's password.
    if name.starts_with("OUTBOARD_") {
        return Err(format!(
            "{name} is the supervisor's own; give the plugin a variable of another name"
        ));
    }
    Ok(())
}
