use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn manifest(text: &str) -> Manifest {
    Manifest::parse("plugin.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The mistakes in a text must be these, a line each.
fn check(text: &str, expected: &[&str]) {
    let mistakes = Manifest::parse("plugin.toml", text).expect_err("a text with mistakes");
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected, "{text}");
}

#[test]
fn a_name_is_enough() {
    let name = PluginName::new("slack").unwrap();
    assert_eq!(manifest("name = \"slack\""), Manifest::lone(name));
}

#[test]
fn everything_that_can_be_said_is_kept() {
    let manifest = manifest(
        r#"
        name = "slack"
        version = "1.2"
        description = "tells a channel"
        command = ["python3", "main.py", "a,b"]
        tls = "required"
        env = ["SLACK_PROXY"]
        user = "nobody"
        start_timeout = "20s"
        call_timeout = "1m"
        authenticate = true
        files = ["main.py", "lib"]

        [parameters]
        channel = "general"
        token = { secret = "slack" }
        since = 2026-01-02

        [go_plugin]
        cookie_key = "BASIC_PLUGIN"
        cookie_value = "hello"
        versions = [2, 3]

        [notify]
        types = ["EXECUTION_EVENT", "job.*"]

        [grants]
        remote_tcp = true
        emit = ["chat.*"]
        "#,
    );
    assert_eq!(manifest.version, "1.2");
    assert_eq!(manifest.description, "tells a channel");
    let args = vec!["main.py".to_owned(), "a,b".to_owned()];
    assert_eq!(manifest.command, Some(Command { program: "python3".to_owned(), args }));
    assert_eq!(manifest.tls, Tls::Required);
    assert_eq!(manifest.env, ["SLACK_PROXY"]);
    assert_eq!(manifest.user.as_deref(), Some("nobody"));
    assert_eq!(manifest.start_timeout, Some(Duration::from_secs(20)));
    assert_eq!(manifest.call_timeout, Some(Duration::from_mins(1)));
    assert_eq!(manifest.files, ["main.py", "lib"]);
    let parameters =
        json!({ "channel": "general", "since": "2026-01-02", "token": { "secret": "slack" } });
    assert_eq!(Value::Object(manifest.parameters), parameters);
    assert_eq!(manifest.go_plugin.cookie_key, "BASIC_PLUGIN");
    assert_eq!(manifest.go_plugin.versions, [2, 3]);
    assert_eq!(manifest.notify.unwrap().to_string(), "EXECUTION_EVENT, job.*");
    assert!(manifest.authenticate && manifest.grants.remote_tcp);
    assert_eq!(manifest.grants.emit.to_string(), "chat.*");
}

#[test]
fn a_notifier_says_what_it_wants_to_be_told() {
    check(
        "name = \"a\"\nnotify.types = []\ngrants.emit = [\"a b\"]\nauthenticate = \"yes\"\n",
        &[
            "plugin.toml:2: notify.types = []: write at least one, or leave it out",
            "plugin.toml:3: grants.emit = [\"a b\"]: \"a b\" is not a type of events; write 1 to 255 visible ASCII characters, as in \"job.started\", \"job.*\" or \"*\"",
            "plugin.toml:4: authenticate = \"yes\": write true or false, without quotes",
        ],
    );
    check(
        "name = \"a\"\nnotify = [\"*\"]\n",
        &["plugin.toml:2: notify is a table; write [notify] and its keys below"],
    );
}

#[test]
fn every_mistake_is_told_with_its_line() {
    check(
        "name = \"Slack\"\ntls = true\nstart_timeout = 30\n\n[grants]\nnetwork = true\n",
        &[
            "plugin.toml:1: name = \"Slack\": \"Slack\" is not a name; use 1 to 64 characters of a-z, 0-9, \"-\" and \"_\", a letter first (such as \"slack\")",
            "plugin.toml:2: tls = true: write \"auto\", \"required\" or \"off\", in quotes",
            "plugin.toml:3: start_timeout = 30: a time needs a unit (ms, s, m, h); write \"30s\" if seconds are meant",
            "plugin.toml:6: \"grants.network\" is not a key that Outboard knows; remove it (`outboard config reference` lists all keys)",
        ],
    );
}

#[test]
fn a_manifest_without_a_name_is_told_so() {
    check(
        "",
        &[
            "plugin.toml:1: name is missing here; write 1 to 64 characters of a-z, 0-9, \"-\" and \"_\", a letter first",
        ],
    );
}

#[test]
fn a_slip_in_a_key_is_answered_with_the_key() {
    check(
        "name = \"a\"\ncomand = [\"x\"]\ncookie_key = \"K\"\n",
        &[
            "plugin.toml:2: \"comand\" is not a key that Outboard knows; did you mean \"command\"?",
            "plugin.toml:3: \"cookie_key\" is not a key that Outboard knows; did you mean \"go_plugin.cookie_key\"?",
        ],
    );
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let out =
        "leads out of the plugin's directory; write a path that begins in it and has no \"..\"";
    check(
        "name = \"a\"\ncommand = [\"/bin/sh\"]\nfiles = [\"lib\", \"../x\"]\n",
        &[
            &format!("plugin.toml:2: command = [\"/bin/sh\"]: \"/bin/sh\" {out}"),
            &format!("plugin.toml:3: files = [\"lib\", \"../x\"]: \"../x\" {out}"),
        ],
    );
}

#[test]
fn variables_of_the_wire_and_the_supervisor_are_not_passed_on() {
    for name in ["PLUGIN_CLIENT_CERT", "HOME", "OUTBOARD_DATABASE_URL", "A-B", "", "1A", "A=B"] {
        let text = format!("name = \"a\"\nenv = [{name:?}]");
        assert!(Manifest::parse("plugin.toml", &text).is_err(), "{name}");
    }
}

#[test]
fn half_a_cookie_is_none() {
    check(
        "name = \"a\"\n[go_plugin]\ncookie_key = \"K\"\n",
        &[
            "plugin.toml:3: go_plugin.cookie_key and go_plugin.cookie_value belong together; write both, as the plugin's handshake configuration has them",
        ],
    );
}

#[test]
fn versions_may_change_without_a_cookie() {
    let manifest = manifest("name = \"a\"\ngo_plugin.versions = [4]");
    assert_eq!(manifest.go_plugin, GoPlugin { versions: vec![4], ..GoPlugin::default() });
}

#[test]
fn faults_of_syntax_do_not_hide_other_mistakes() {
    let mistakes = Manifest::parse("plugin.toml", "name = \nuser = \"\"\n").unwrap_err();
    assert!(mistakes.len() >= 2, "{mistakes}");
}

#[test]
fn both_sides_must_say_yes_to_a_grant() {
    let emit = |types: &[&str]| Types::new(types).unwrap();
    let yes = Grants { remote_tcp: true, emit: emit(&["job.*"]), ..Grants::default() };
    assert_eq!(yes.and(&yes), yes);
    assert_eq!(yes.and(&Grants::default()), Grants::default());
    let other = Grants { emit: emit(&["*"]), ..Grants::default() };
    assert_eq!(yes.and(&other), Grants { emit: emit(&["job.*"]), ..Grants::default() });
}

#[test]
fn every_key_is_described_once_and_every_default_can_be_read() {
    for (index, about) in KEYS.iter().enumerate() {
        assert!(!about.doc.is_empty(), "{}", about.path);
        assert!(KEYS[index + 1..].iter().all(|other| other.path != about.path), "{}", about.path);
    }
    assert_eq!(keys::TLS.default_value(), Tls::default());
    assert_eq!(keys::VERSIONS.default_value(), GoPlugin::default().versions);
    assert!(!keys::REMOTE_TCP.default_value() && !keys::AUTHENTICATE.default_value());
    assert!(keys::EMIT.default_value().is_empty());
}

proptest! {
    #[test]
    fn any_text_is_a_manifest_or_a_list_of_mistakes(text in any::<String>()) {
        if let Err(mistakes) = Manifest::parse("plugin.toml", &text) {
            prop_assert!(!mistakes.is_empty());
        }
    }

    #[test]
    fn any_mix_of_keys_and_values_is_read_without_harm(
        lines in prop::collection::vec((0..KEYS.len(), "(true|-?[0-9]{1,30}|\"[a-z/.]*\"|\\[\"a\", [0-9]\\]|\\{ a = nan \\}|[\\[\\]{}\"=]{1,4})"), 0..8)
    ) {
        let lines: Vec<String> = lines.iter().map(|(key, value)| format!("{} = {value}", KEYS[*key].path)).collect();
        let text = lines.join("\n");
        if let Err(mistakes) = Manifest::parse("plugin.toml", &text) {
            prop_assert!(!mistakes.is_empty());
        }
    }
}
