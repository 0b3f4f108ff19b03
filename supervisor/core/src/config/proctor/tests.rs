//! The numbers are those of Proctor's own cases (1 to 5) and of what they leave out (N2, N14, N15).

use super::super::{Config, RawConfig, Surroundings};
use super::*;

fn raw(file: &str, variables: &[(&str, &str)]) -> RawConfig {
    RawConfig {
        file: Some(("/etc/outboard/outboard.toml".into(), file.to_owned())),
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        surroundings: Surroundings { working_dir: "/srv".into(), ..Surroundings::default() },
        ..RawConfig::default()
    }
}

fn config(file: &str, variables: &[(&str, &str)]) -> Config {
    raw(file, variables).resolve().unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Name, path and roles of each plugin.
fn plugins(config: &Config) -> Vec<(&str, &str, &[ProctorRole])> {
    let entries = config.plugin_entries.iter();
    entries
        .map(|entry| {
            let path = entry.path.as_deref().and_then(Path::to_str).unwrap_or_default();
            (entry.name.as_str(), path, entry.proctor.as_slice())
        })
        .collect()
}

#[track_caller]
fn check(variables: &[(&str, &str)], expected: &[&str]) {
    let mistakes = raw("", variables).resolve().expect_err("variables with mistakes");
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected);
}

#[test]
fn cases_1_and_2_the_auth_plugin_has_a_path_and_a_name() {
    let config = config("", &[(AUTH_BINARY, "path1"), (AUTH_EXPORTED, "path1")]);
    assert_eq!(plugins(&config), [("path1", "/srv/path1", &[ProctorRole::Authentication][..])]);
    assert_eq!(config.auth.instances, [InstanceName::new("path1").unwrap()]);
    let config = self::config("", &[(AUTH_BINARY, " /opt/a,b "), (AUTH_EXPORTED, " gate ")]);
    assert_eq!(plugins(&config)[0].1, "/opt/a,b", "commas belong to the path");
}

#[test]
fn case_3_authentication_can_be_off() {
    for (text, is_enabled) in
        [("false", false), ("0", false), ("F", false), ("True", true), ("1", true), (" t ", true)]
    {
        assert_eq!(config("", &[(AUTH_ENABLED, text)]).auth.enabled, is_enabled, "{text}");
    }
    assert!(config("", &[]).auth.enabled, "who says nothing is asked");
    assert!(!config("auth.enabled = false", &[(AUTH_ENABLED, "")]).auth.enabled, "empty is unset");
}

#[test]
fn cases_4_and_5_notification_plugins_are_pairs_in_their_order() {
    let config = config(
        "",
        &[
            (NOTIFICATION_BINARY, "path-notification,second-path"),
            (NOTIFICATION_EXPORTED, "plugin-notification,second-plugin"),
        ],
    );
    let role = &[ProctorRole::Notification][..];
    assert_eq!(
        plugins(&config),
        [
            ("plugin-notification", "/srv/path-notification", role),
            ("second-plugin", "/srv/second-path", role)
        ]
    );
    assert!(config.auth.instances.is_empty());
}

#[test]
fn n2_lists_of_different_lengths_are_a_mistake() {
    check(
        &[(NOTIFICATION_BINARY, "/a,/b"), (NOTIFICATION_EXPORTED, "a")],
        &[
            "PROCTOR_NOTIFICATION_PLUGIN_EXPORTED: 1 name for 2 paths in PROCTOR_NOTIFICATION_PLUGIN_BINARY; write one name for each path, in the same order",
        ],
    );
    check(
        &[(NOTIFICATION_BINARY, "/a"), (NOTIFICATION_EXPORTED, "a,b,c")],
        &[
            "PROCTOR_NOTIFICATION_PLUGIN_EXPORTED: 3 names for 1 path in PROCTOR_NOTIFICATION_PLUGIN_BINARY; write one name for each path, in the same order",
        ],
    );
}

#[test]
fn n14_a_boolean_that_is_none_is_a_mistake_and_not_off() {
    for wrong in ["yes", "on", "tRUE", "truee", " "] {
        check(
            &[(AUTH_ENABLED, wrong)],
            &[&format!("PROCTOR_AUTH_ENABLED: {wrong:?}: write true or false")],
        );
    }
}

#[test]
fn n15_blanks_are_taken_off_and_empty_items_are_a_mistake() {
    let config = config("", &[(NOTIFICATION_BINARY, "/a , /b"), (NOTIFICATION_EXPORTED, " a,b ")]);
    let names: Vec<_> = plugins(&config).iter().map(|(name, path, _)| (*name, *path)).collect();
    assert_eq!(names, [("a", "/a"), ("b", "/b")]);
    check(
        &[(NOTIFICATION_BINARY, "/a,,/b"), (NOTIFICATION_EXPORTED, "a,b,")],
        &[
            "PROCTOR_NOTIFICATION_PLUGIN_BINARY: item 2 is empty; write it, or remove its comma",
            "PROCTOR_NOTIFICATION_PLUGIN_EXPORTED: item 3 is empty; write it, or remove its comma",
        ],
    );
    check(
        &[(ADMIN_GROUPS[0], "admins, ")],
        &[
            "PROCTOR_AUTH_REQUIRED_ADMIN_GROUP: \"admins, \": item 2 is empty; write it, or remove its comma",
        ],
    );
    check(
        &[(AUTH_BINARY, " "), (AUTH_EXPORTED, "gate")],
        &[
            "PROCTOR_AUTH_PLUGIN_BINARY: blank; write the path and the name of one plugin, or unset both",
        ],
    );
}

#[test]
fn half_a_pair_is_a_mistake() {
    check(
        &[(NOTIFICATION_BINARY, "/a"), (AUTH_EXPORTED, "gate")],
        &[
            "PROCTOR_AUTH_PLUGIN_EXPORTED: needs PROCTOR_AUTH_PLUGIN_BINARY as well; set it to the path of each plugin",
            "PROCTOR_NOTIFICATION_PLUGIN_BINARY: needs PROCTOR_NOTIFICATION_PLUGIN_EXPORTED as well; set it to the name of each plugin",
        ],
    );
    assert!(
        config("", &[(NOTIFICATION_BINARY, ""), (NOTIFICATION_EXPORTED, "")])
            .plugin_entries
            .is_empty()
    );
}

#[test]
fn a_name_that_is_none_is_told_with_one_that_would_do() {
    check(
        &[(AUTH_BINARY, "/opt/gate"), (AUTH_EXPORTED, "GateAuth")],
        &[
            "PROCTOR_AUTH_PLUGIN_EXPORTED: \"GateAuth\" is not a name; use 1 to 64 characters of a-z, 0-9, \"-\" and \"_\", a letter first (such as \"gateauth\"); it is the name of the plugin at /opt/gate, as its plugin.toml has it",
        ],
    );
}

#[test]
fn a_plugin_is_named_once_but_may_do_both() {
    check(
        &[(NOTIFICATION_BINARY, "/a,/b"), (NOTIFICATION_EXPORTED, "a,a")],
        &[
            "PROCTOR_NOTIFICATION_PLUGIN_EXPORTED: \"a\" is there twice, for /a and /b; name each plugin once",
        ],
    );
    let variables = [
        (NOTIFICATION_BINARY, "/a"),
        (NOTIFICATION_EXPORTED, "a"),
        (AUTH_BINARY, "/a"),
        (AUTH_EXPORTED, "a"),
    ];
    let roles = [ProctorRole::Notification, ProctorRole::Authentication];
    assert_eq!(plugins(&config("", &variables)), [("a", "/a", &roles[..])]);
}

#[test]
fn the_variables_go_before_the_file_and_our_own_before_them() {
    let file = "[[plugin]]\nname = \"slack\"\npath = \"/file\"\nuser = \"nobody\"\n[auth]\nenabled = true\nadmin_groups = [\"file\"]";
    let variables = [
        (NOTIFICATION_BINARY, "/variable"),
        (NOTIFICATION_EXPORTED, "slack"),
        (AUTH_ENABLED, "false"),
        (ADMIN_GROUPS[1], "a, b"),
    ];
    let from_proctor = config(file, &variables);
    assert_eq!(plugins(&from_proctor), [("slack", "/variable", &[ProctorRole::Notification][..])]);
    assert_eq!(from_proctor.plugin_entries[0].user.as_deref(), Some("nobody"));
    assert!(!from_proctor.auth.enabled);
    assert_eq!(from_proctor.auth.admin_groups, ["a", "b"]);
    let own = [
        variables.as_slice(),
        &[("OUTBOARD_AUTH_ENABLED", "true"), ("OUTBOARD_AUTH_ADMIN_GROUPS", "own")],
    ]
    .concat();
    let own = config(file, &own);
    assert!(own.auth.enabled);
    assert_eq!(own.auth.admin_groups, ["own"]);
}

#[test]
fn the_two_names_of_the_admin_groups_must_agree() {
    let same = config("", &[(ADMIN_GROUPS[0], "a,b"), (ADMIN_GROUPS[1], "a, b")]);
    assert_eq!(same.auth.admin_groups, ["a", "b"]);
    assert_eq!(config("", &[(ADMIN_GROUPS[1], "a")]).auth.admin_groups, ["a"]);
    check(
        &[(ADMIN_GROUPS[0], "proctor.admin"), (ADMIN_GROUPS[1], "proctor_admin")],
        &[
            "PROCTOR_REQUIRED_ADMIN_GROUP: says something else than PROCTOR_AUTH_REQUIRED_ADMIN_GROUP; unset one of them",
        ],
    );
}

#[test]
fn the_instances_of_the_auth_plugin_are_asked_unless_the_operator_says_which() {
    let variables = [(AUTH_BINARY, "/gate"), (AUTH_EXPORTED, "gate")];
    let instances = |file: &str| {
        let names = config(file, &variables).auth.instances;
        names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(instances(""), ["gate"]);
    let two = "[[instance]]\nplugin = \"gate\"\nname = \"staff\"\n[[instance]]\nplugin = \"gate\"\nname = \"old\"\nenabled = false\n";
    assert_eq!(instances(two), ["staff"]);
    assert_eq!(instances("auth.instances = [\"ldap\", \"gate\"]"), ["ldap", "gate"]);
}

#[test]
fn the_reference_has_every_variable() {
    for name in KNOWN {
        assert!(super::super::reference().contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn a_mistyped_variable_is_answered_with_the_right_one_and_others_are_not_ours() {
    check(
        &[("PROCTOR_AUTH_ENABLE", "true")],
        &[
            "PROCTOR_AUTH_ENABLE: Proctor knows no such variable; did you mean PROCTOR_AUTH_ENABLED?",
        ],
    );
    for other in ["PROCTOR_REDIS_ADDRESS", "PROCTOR_AUTH_PLUGIN", "PROCTOR_KUBE_CONTEXT"] {
        assert!(!is_proctors(other), "{other}");
        config("", &[(other, "x")]);
    }
    assert!(is_proctors(AUTH_ENABLED) && is_proctors("PROCTOR_AUTH_ENABLE"));
}
