//! Every key of a `plugin.toml`, once.

use std::path::{Component, Path};
use std::time::Duration;

use outboard_proto::env::WIRE_VARS;

use super::{Command, Tls};
use crate::config::forms;
use crate::event::Types;
use crate::grant::Groups;
use crate::name::PluginName;
use crate::written::{About, Key, Kind};

pub(super) const NAME: Key<PluginName> = Key::text(
    "name",
    "1 to 64 characters of a-z, 0-9, \"-\" and \"_\", a letter first",
    forms::plugin_name,
)
.doc("The plugin's name; it must answer `Load` with the same. Required.");

pub(super) const VERSION: Key<String> =
    Key::text("version", "up to 64 characters", |text| at_most(64, text))
        .doc("Its version, shown until the plugin tells its own.");

pub(super) const DESCRIPTION: Key<String> =
    Key::text("description", "up to 4096 characters", |text| at_most(4096, text))
        .doc("What it is good for, in a paragraph.");

pub(super) const COMMAND: Key<Command> = Key::list("command", "a list: program, then its arguments", command).doc(
    "What to run. The program is a file of the plugin's directory (`\"bin/slack\"`), or, if there is none of that \
     name, an interpreter from `PATH` (`[\"python3\", \"main.py\"]`). Default: the only executable file of the \
     directory, or the one named like the plugin or the directory.",
);

pub(super) const TLS: Key<Tls> = Key::choice("tls").default("auto").doc(
    "Whether host and plugin prove who they are by certificates (AutoMTLS). `auto` and `off` don't use it: on a Unix \
     socket a private directory and the check of the peer stand instead. `auto` refuses a plugin that listens on \
     TCP; `required` allows it.",
);

pub(super) const ENV: Key<Vec<String>> = Key::list("env", "a list of names of variables", names_of_variables).doc(
    "Variables of the supervisor that are passed on to the plugin where they are set. It gets no others but `PATH`, \
     `HOME`, `TMPDIR`, `LANG`, `TZ` and those of the handshake.",
);

pub(super) const USER: Key<String> = Key::text("user", "the name or number of a user", forms::user).doc(
    "The user to run as, where the supervisor runs as root. What the operator writes for the plugin goes first.",
);

pub(super) const START_TIMEOUT: Key<Duration> =
    Key::duration("start_timeout", forms::SHORTEST_START, forms::LONGEST_START)
        .doc("How long the plugin may take from its start to the handshake. Default: the operator's `supervision.start_timeout`.");

pub(super) const CALL_TIMEOUT: Key<Duration> =
    Key::duration("call_timeout", forms::SHORTEST_CALL, forms::LONGEST_CALL)
        .doc("How long each of `Load`, `Init`, `Check`, `Close` and `Unload` may take. Default: the operator's `supervision.call_timeout`.");

pub(super) const FILES: Key<Vec<String>> = Key::list("files", "a list of paths in the plugin's directory", files)
    .doc("Files and directories that belong to the plugin; they are what is imported. Default: the whole directory.");

pub(super) const PARAMETERS: Key<()> = Key::table("parameters", "a table").doc(
    "Parameters of the instance that the plugin gets if nobody configured one. They can't refer to secrets: those \
     are the operator's, who refers to them in an `[[instance]]`.",
);

pub(super) const COOKIE_KEY: Key<String> =
    Key::text("go_plugin.cookie_key", "the name of a variable", cookie_key)
        .doc("`MagicCookieKey` of a plugin that was made for another go-plugin host.");

pub(super) const COOKIE_VALUE: Key<String> =
    Key::text("go_plugin.cookie_value", "text", cookie_value).doc("Its `MagicCookieValue`.");

pub(super) const VERSIONS: Key<Vec<u32>> =
    Key::counts("go_plugin.versions", 0, i32::MAX.unsigned_abs())
        .default("1")
        .doc("Application protocol versions that it may choose from.");

pub(super) const NOTIFY_TYPES: Key<Types> =
    Key::list("notify.types", forms::TYPES, forms::some_types).doc(
        "Makes each instance of the plugin a notifier: it is told of every event of these types, by `OnNotify`. `\"*\"` at \
         the end stands for anything. Default: it is told of none.",
    );

pub(super) const AUTHENTICATE: Key<bool> = Key::switch("authenticate").default("false").doc(
    "True: its instances can say who somebody is, by `Authenticate`. Which of them is asked, the operator says with \
     `auth.instances`.",
);

pub(super) const REMOTE_TCP: Key<bool> = Key::switch("grants.remote_tcp").default("false").doc(
    "Asks that it may listen on a TCP address other than loopback. The operator must grant it: `grants.remote_tcp` of \
     its `[[plugin]]`.",
);

pub(super) const EMIT: Key<Types> = Key::list("grants.emit", forms::TYPES, forms::types).default("").doc(
    "Asks that it may announce events of these types, by `Emit`. The operator must grant them: `grants.emit` of its \
     `[[plugin]]`. What both name is granted.",
);

pub(super) const CALLBACKS: Key<Groups> = Key::list("grants.callbacks", forms::GROUPS, forms::groups_of_calls).default("").doc(
    "Asks that it may make these calls to the host. The operator must grant them: `outboard plugin grant`, or \
     `grants.callbacks` of its `[[plugin]]`. Calls without a grant are refused.",
);

/// All of them, in the order of the reference page.
pub static KEYS: [&About; 19] = [
    &NAME.about,
    &VERSION.about,
    &DESCRIPTION.about,
    &COMMAND.about,
    &TLS.about,
    &ENV.about,
    &USER.about,
    &START_TIMEOUT.about,
    &CALL_TIMEOUT.about,
    &FILES.about,
    &PARAMETERS.about,
    &COOKIE_KEY.about,
    &COOKIE_VALUE.about,
    &VERSIONS.about,
    &NOTIFY_TYPES.about,
    &AUTHENTICATE.about,
    &REMOTE_TCP.about,
    &EMIT.about,
    &CALLBACKS.about,
];

fn at_most(limit: usize, text: &str) -> Result<String, String> {
    if text.chars().count() <= limit {
        Ok(text.to_owned())
    } else {
        Err(format!("write at most {limit} characters"))
    }
}

fn command(items: &[String], _: &Kind) -> Result<Command, String> {
    if items.iter().any(|item| item.contains('\0')) {
        return Err("an argument can't contain a NUL character".to_owned());
    }
    let (program, args) = items.split_first().ok_or("write the program and its arguments")?;
    // A bare name may be an interpreter; anything with a slash is a path in the directory.
    inside(program)?;
    Ok(Command { program: program.clone(), args: args.to_vec() })
}

fn files(items: &[String], _: &Kind) -> Result<Vec<String>, String> {
    items.iter().map(|item| inside(item).map(|()| item.clone())).collect()
}

/// Checks that a path can't lead out of the directory that it begins in.
fn inside(path: &str) -> Result<(), String> {
    if path.is_empty() || path.contains('\0') {
        return Err(
            "a path is empty or has a NUL character; write a path in the plugin's directory"
                .to_owned(),
        );
    }
    let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if Path::new(path).components().all(stays) {
        return Ok(());
    }
    Err(format!(
        "{path:?} leads out of the plugin's directory; write a path that begins in it and has no \"..\""
    ))
}

fn names_of_variables(items: &[String], _: &Kind) -> Result<Vec<String>, String> {
    items.iter().map(|item| forms::passed_variable(item).map(|()| item.clone())).collect()
}

fn cookie_key(text: &str) -> Result<String, String> {
    if WIRE_VARS.contains(&text) {
        return Err(
            "this variable has another meaning on the wire; write the MagicCookieKey of the plugin"
                .to_owned(),
        );
    }
    forms::variable(text).map(|()| text.to_owned())
}

fn cookie_value(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("write the MagicCookieValue of the plugin".to_owned());
    }
    Ok(text.to_owned())
}
