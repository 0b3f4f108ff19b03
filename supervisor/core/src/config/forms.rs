//! Forms of text that both `outboard.toml` and `plugin.toml` know, and limits that they share.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use outboard_proto::env::WIRE_VARS;
use percent_encoding::percent_decode_str;

use super::service::Listen;
use super::{Database, Network, Secret};
use crate::event::Types;
use crate::grant::Groups;
use crate::name::{InstanceName, PluginName};
use crate::route::hygiene;
use crate::written::Kind;

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

pub(crate) fn instance_name(text: &str) -> Result<InstanceName, String> {
    InstanceName::new(text).map_err(|error| error.to_string())
}

/// What a list of types is called in both files.
pub(crate) const TYPES: &str =
    "a list of types of events, such as \"job.started\", \"job.*\" or \"*\"";

pub(crate) fn types(items: &[String], _: &Kind) -> Result<Types, String> {
    Types::new(items)
}

/// What a list of groups of calls is called in both files.
pub(crate) const GROUPS: &str = "a list of groups of calls: \"sessions\", \"users.read\", \"users.check\", \
     \"users.write\", \"clients.read\", \"clients.check\", \"clients.write\", \"schemes\", \"schemes.any_user\", \
     \"storage\", \"locks\", \"schedules\" or \"web.same_origin\"";

pub(crate) fn groups_of_calls(items: &[String], _: &Kind) -> Result<Groups, String> {
    Groups::read(items)
}

/// As [`types`], where none would mean nothing.
pub(crate) fn some_types(items: &[String], kind: &Kind) -> Result<Types, String> {
    if items.is_empty() {
        return Err("write at least one, or leave it out".to_owned());
    }
    types(items, kind)
}

pub(super) fn instance_names(items: &[String], _: &Kind) -> Result<Vec<InstanceName>, String> {
    let names = items.iter().map(|item| instance_name(item)).collect::<Result<Vec<_>, _>>()?;
    twice(&names).map_or(Ok(names), Err)
}

/// Groups of which at least one is required: none would let everybody in.
pub(super) fn groups(items: &[String], _: &Kind) -> Result<Vec<String>, String> {
    if items.is_empty() {
        return Err("write at least one; without any, everybody would be one of them".to_owned());
    }
    for item in items {
        let is_group = (1..=255).contains(&item.len())
            && item.trim() == item
            && !item.contains(char::is_control);
        if !is_group {
            return Err(format!(
                "{item:?} is not the name of a group; write 1 to 255 bytes without control characters, and no \
                 blanks around"
            ));
        }
    }
    twice(items).map_or_else(|| Ok(items.to_vec()), Err)
}

fn twice<T: PartialEq + std::fmt::Display>(items: &[T]) -> Option<String> {
    let (_, again) = items.iter().enumerate().find(|(at, item)| items[..*at].contains(item))?;
    Some(format!("\"{again}\" is there twice; write it once"))
}

/// A field of a request that a client may write as it likes.
pub(super) fn header(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    if !hygiene::is_name(text.as_bytes()) {
        return Err("write the name of a header: letters, digits and \"-\"".to_owned());
    }
    let is_framing = ["content-length", "content-type", "cookie", "host"].contains(&lower.as_str());
    if is_framing || !hygiene::Incoming::default().passes(&lower) {
        return Err("this header has another meaning; choose one of your own".to_owned());
    }
    Ok(text.to_owned())
}

/// A group of the system, by name or number.
pub(super) fn group(text: &str) -> Result<String, String> {
    user(text).map_err(|_| "write the name or the number of a group".to_owned())
}

pub(super) fn service_listen(text: &str) -> Result<Listen, String> {
    match text.trim() {
        "unix" => Ok(Listen::Default),
        "off" => Ok(Listen::Off),
        text => match text.strip_prefix("unix:") {
            Some(path) if path.is_empty() || path.contains('\0') => {
                Err("write the path of a socket behind it: \"unix:/run/outboard/service.sock\""
                    .to_owned())
            }
            Some(path) => Ok(Listen::Unix(PathBuf::from(path))),
            None => text.parse().map(Listen::Tcp).map_err(|_| {
                "write \"unix\", \"unix:/path/of/a/socket\", an IP address and a port such as \
                 \"127.0.0.1:4595\", or \"off\""
                    .to_owned()
            }),
        },
    }
}

pub(super) fn networks(items: &[String], _: &Kind) -> Result<Vec<Network>, String> {
    items.iter().map(|item| item.parse()).collect()
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        "write an IP address and a port, such as \"127.0.0.1:4593\", \"0.0.0.0:4593\" (from everywhere) or \
         \"[::1]:4593\""
            .to_owned()
    })
}

pub(super) fn prefix(text: &str) -> Result<String, String> {
    let is_segment = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !text.starts_with('.');
    if is_segment {
        return Ok(text.to_owned());
    }
    Err("write one path segment without slashes: 1 to 64 letters, digits, \"-\", \"_\" or \".\""
        .to_owned())
}

/// Checked as far as links need it, and without a slash at its end.
pub(super) fn external_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or(rest));
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\"<>\\".contains(&byte));
    if host.is_some_and(|host| !host.is_empty()) && is_plain {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err("write where clients reach the gateway, such as \"https://id.example.org\", without a query".to_owned())
}

pub(super) fn database(text: &str) -> Result<Database, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database::Postgres(Secret::new(text)));
    }
    let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        None => {
            Err("write \"sqlite:/path/to/file\" or \"postgres://user:password@host/name\""
                .to_owned())
        }
        Some(":memory:") => {
            Err("SQLite in memory forgets everything at the end; write \"sqlite:/path/to/file\""
                .to_owned())
        }
        Some(path) if path.is_empty() || path.contains(['?', '\0']) => {
            Err("write the path of a file behind it, without settings: \"sqlite:/path/to/file\""
                .to_owned())
        }
        Some(path) => {
            let bytes: Vec<u8> = percent_decode_str(path).collect();
            Ok(Database::Sqlite(PathBuf::from(OsString::from_vec(bytes))))
        }
    }
}

/// A path behind `external_url` and a slash.
pub(super) fn page(text: &str) -> Result<String, String> {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    if text.len() <= 128 && text.split('/').all(is_segment) {
        return Ok(text.to_owned());
    }
    Err("write a path such as \"login.html\": 1 to 128 letters, digits, \"-\", \"_\", \".\", \"~\" and \"/\", \
         without a slash at its beginning"
        .to_owned())
}

pub(super) fn scope(text: &str) -> Result<String, String> {
    let is_scope = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    if is_scope {
        return Ok(text.to_owned());
    }
    Err("write the name of a scope: 1 to 128 visible ASCII characters, without quotes and backslashes"
        .to_owned())
}

/// A name, a title: something for people, on one line.
pub(super) fn line(text: &str) -> Result<String, String> {
    let is_line = (1..=128).contains(&text.chars().count())
        && text.trim() == text
        && !text.contains(char::is_control);
    if is_line {
        return Ok(text.to_owned());
    }
    Err("write 1 to 128 characters on one line, without blanks around".to_owned())
}

pub(super) fn cookie(text: &str) -> Result<String, String> {
    if text.len() <= 64 && hygiene::is_name(text.as_bytes()) {
        return Ok(text.to_owned());
    }
    Err("write the name of a cookie: 1 to 64 letters, digits, \"-\" or \"_\"".to_owned())
}

pub(super) fn domain(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("write the name of a domain, such as \"example.org\"".to_owned())
}

pub(super) fn origins(items: &[String], _: &Kind) -> Result<Vec<String>, String> {
    let origins = items.iter().map(|item| origin(item)).collect::<Result<Vec<_>, _>>()?;
    twice(&origins).map_or(Ok(origins), Err)
}

/// Scheme, host and port, as browsers send it.
fn origin(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |rest: &str| {
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "1"));
        domain(host).is_ok() && port.parse::<u16>().is_ok()
    };
    let is_ip = |rest: &str| {
        rest.starts_with('[')
            && (rest.parse::<SocketAddr>().is_ok()
                || format!("{rest}:1").parse::<SocketAddr>().is_ok())
    };
    if rest.is_some_and(|rest| is_host(rest) || is_ip(rest)) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "{text:?} is not an origin; write scheme, host and port, such as \"https://app.example.org\", without a path"
    ))
}
