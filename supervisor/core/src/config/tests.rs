mod people;
mod services;

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::written::{Kind, Mistakes};

fn surroundings() -> Surroundings {
    Surroundings {
        working_dir: "/home/op".into(),
        data_dir: "/var/lib/outboard".into(),
        runtime_dir: "/run/outboard".into(),
    }
}

fn raw(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> RawConfig {
    RawConfig {
        file: Some(("/etc/outboard/outboard.toml".into(), file.to_owned())),
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        flags: flags.iter().map(|(path, value)| (*path, (*value).to_owned())).collect(),
        surroundings: surroundings(),
    }
}

fn config(file: &str) -> Config {
    raw(file, &[], &[]).resolve().unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn lines(mistakes: &Mistakes) -> Vec<String> {
    mistakes.iter().map(|mistake| mistake.to_string().replace("/etc/outboard/", "")).collect()
}

/// The mistakes in a file must be these, a line each.
#[track_caller]
fn check(file: &str, expected: &[&str]) {
    let mistakes = raw(file, &[], &[]).resolve().expect_err("a file with mistakes");
    assert_eq!(lines(&mistakes), expected, "{file}");
}

#[test]
fn nothing_written_is_a_whole_configuration() {
    let raw = RawConfig { surroundings: surroundings(), ..RawConfig::default() };
    let config = raw.resolve().unwrap();
    assert_eq!(config.plugins, Path::new("/home/op/plugins"));
    assert_eq!(config.data_dir, Path::new("/var/lib/outboard"));
    assert_eq!(config.database, Database::Sqlite("/var/lib/outboard/outboard.db".into()));
    assert_eq!(config.gateway.listen, "127.0.0.1:4593".parse().unwrap());
    assert_eq!(config.gateway.prefix, "api");
    assert_eq!(config.gateway.max_body, ByteSize::mib(3));
    assert_eq!(config.gateway.first_byte_timeout, Duration::from_secs(30));
    assert_eq!(config.gateway.idle_timeout, Duration::from_mins(1));
    assert_eq!(config.gateway.request_timeout, Duration::from_hours(1));
    assert_eq!((config.gateway.max_concurrent_requests, config.gateway.queue), (1000, 1000));
    assert_eq!(config.gateway.queue_timeout, Duration::from_secs(5));
    assert_eq!((config.gateway.workers, config.gateway.access_log), (None, None));
    assert_eq!(config.metrics.listen, None);
    assert_eq!(config.supervision.start_timeout, Duration::from_mins(1));
    assert_eq!(config.supervision.containment, ContainmentRule::Auto);
    assert_eq!(config.external_url, None);
    assert!(config.trusted_proxies.is_empty() && config.instances.is_empty());
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let file = "[gateway]\nprefix = \"file\"\nmax_headers = 50\n[log]\nlevel = \"debug\"";
    let variables =
        [("OUTBOARD_GATEWAY_PREFIX", "variable"), ("OUTBOARD_GATEWAY_MAX_HEADERS", "60")];
    let config = raw(file, &variables, &[("gateway.prefix", "flag")]).resolve().unwrap();
    assert_eq!(config.gateway.prefix, "flag");
    assert_eq!(config.gateway.max_headers, 60);
    assert_eq!(config.log.level, LogLevel::Debug);
    let setting =
        config.settings.iter().find(|setting| setting.about.path == "gateway.prefix").unwrap();
    assert_eq!(setting.place, Some(Place::Flag("--gateway-prefix".to_owned())));
}

#[test]
fn relative_paths_begin_where_they_are_written() {
    let config = raw("plugins = \"./p\"\ndata_dir = \"/srv/data\"", &[], &[("runtime_dir", "run")])
        .resolve();
    let config = config.unwrap();
    assert_eq!(config.plugins, Path::new("/etc/outboard/p"));
    assert_eq!(config.data_dir, Path::new("/srv/data"));
    assert_eq!(config.runtime_dir, Path::new("/home/op/run"));
    assert_eq!(config.database, Database::Sqlite("/srv/data/outboard.db".into()));
    let database = raw("database.url = \"sqlite:a%20b.db\"", &[], &[]).resolve().unwrap().database;
    assert_eq!(database, Database::Sqlite("/etc/outboard/a b.db".into()));
}

#[test]
fn every_mistake_of_every_layer_is_told_at_once() {
    let file = "\
plugin_dir = \"x\"
[gateway]
listen = \"localhost\"
max_body = 100
request_timeout = 30
lissten = 1
[supervision]
max_restarts = \"ten\"
containment = \"yes\"
[log]
";
    let variables = [("OUTBOARD_LOG_LEVEL", "loud"), ("OUTBOARD_GATEWAY_PORT", "1")];
    let mistakes = raw(file, &variables, &[("gateway.max_headers", "9")]).resolve().unwrap_err();
    let expected = [
        "outboard.toml:1: \"plugin_dir\" is not a key that Outboard knows; remove it (`outboard config reference` lists all keys)",
        "outboard.toml:3: gateway.listen = \"localhost\": write an IP address and a port, such as \"127.0.0.1:4593\", \"0.0.0.0:4593\" (from everywhere) or \"[::1]:4593\"",
        "outboard.toml:4: gateway.max_body = 100: a size needs a unit (B, KiB, MiB, GiB); write \"100B\" if bytes are meant",
        "outboard.toml:5: gateway.request_timeout = 30: a time needs a unit (ms, s, m, h); write \"30s\" if seconds are meant",
        "outboard.toml:6: \"gateway.lissten\" is not a key that Outboard knows; did you mean \"gateway.listen\"?",
        "outboard.toml:8: supervision.max_restarts = \"ten\": write a whole number from 0 to 1000000, without quotes",
        "outboard.toml:9: supervision.containment = \"yes\": write \"auto\", \"required\" or \"off\"",
        "OUTBOARD_GATEWAY_PORT: Outboard knows no such variable; unset it (`outboard config reference` lists all variables)",
        "OUTBOARD_LOG_LEVEL: \"loud\": write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        "--gateway-max-headers: \"9\": write a whole number from 10 to 1000",
    ];
    assert_eq!(lines(&mistakes), expected);
}

#[test]
fn a_mistake_is_told_also_where_another_layer_goes_before_it() {
    let mistakes =
        raw("gateway.prefix = \"/api/\"", &[("OUTBOARD_GATEWAY_PREFIX", "x")], &[]).resolve();
    assert_eq!(mistakes.unwrap_err().len(), 1);
}

#[test]
fn a_key_in_the_wrong_table_is_answered_with_the_right_one() {
    check(
        "listen = \"127.0.0.1:1\"\n[gateway]\nlevel = \"info\"",
        &[
            "outboard.toml:1: \"listen\" is not a key that Outboard knows; did you mean \"gateway.listen\"?",
            "outboard.toml:3: \"gateway.level\" is not a key that Outboard knows; did you mean \"log.level\"?",
        ],
    );
}

#[test]
fn tables_must_be_tables() {
    check(
        "gateway = 1\n",
        &["outboard.toml:1: gateway is a table; write [gateway] and its keys below"],
    );
    check(
        "instance = 1\n",
        &["outboard.toml:1: instance is a list of tables; write [[instance]] above each"],
    );
    check(
        "[instance]\nplugin = \"a\"\n",
        &["outboard.toml:1: instance is a list of tables; write [[instance]] above each"],
    );
}

#[test]
fn instances_carry_their_parameters_as_json() {
    let config = config(
        "[secrets]\ntoken = { file = \"token.txt\" }\n\
         [[instance]]\nplugin = \"slack\"\n\
         [[instance]]\nplugin = \"slack\"\nname = \"ops\"\nenabled = false\nisolate = true\n\
         parameters = { n = 0x1f, f = 1.5, list = [1, \"a\"], token = { secret = \"token\" } }\n",
    );
    let [first, second] = config.instances.as_slice() else { panic!("{:?}", config.instances) };
    assert_eq!((first.name.as_str(), first.is_enabled, first.is_isolated), ("slack", true, false));
    assert_eq!((second.name.as_str(), second.is_enabled, second.is_isolated), ("ops", false, true));
    let parameters = json!({ "n": 31, "f": 1.5, "list": [1, "a"], "token": { "secret": "token" } });
    assert_eq!(Value::Object(second.parameters.clone()), parameters);
    assert_eq!(config.secrets["token"], SecretSource::File("/etc/outboard/token.txt".into()));
}

#[test]
fn instances_are_named_once_and_never_like_the_hosts_api() {
    check(
        "[[instance]]\nplugin = \"slack\"\n\n[[instance]]\nplugin = \"mail\"\nname = \"slack\"\n\n\
         [[instance]]\nplugin = \"user\"\n\n[[instance]]\nplugin = \"x\"\nname = \"Auth\"\n\n[[instance]]\n",
        &[
            "outboard.toml:4: slack is already there, in line 1; keep one of the two, or rename one",
            "outboard.toml:8: instance.name is missing here: the name \"user\" is kept for the host's own API; choose another name for the instance, such as \"my-user\"",
            "outboard.toml:13: instance.name = \"Auth\": the name \"Auth\" is kept for the host's own API; choose another name for the instance, such as \"my-auth\"",
            "outboard.toml:15: instance.plugin is missing here; write the name of a plugin",
        ],
    );
}

#[test]
fn secrets_are_referred_to_by_names_that_exist() {
    check(
        "[secrets]\ntoken = \"s3cret\"\nmail = { env = \"A-B\" }\nboth = { env = \"A\", file = \"b\" }\nslack = { env = \"SLACK\" }\n\
         [[instance]]\nplugin = \"a\"\nparameters.x = [{ secret = \"slak\" }, { secret = \"other\" }]\n",
        &[
            "outboard.toml:2: secrets.token: write { file = \"path\" } or { env = \"VARIABLE\" }; a secret itself does not belong into this file",
            "outboard.toml:3: secrets.mail: \"A-B\" is not the name of a variable; use letters, digits and \"_\", no digit first",
            "outboard.toml:4: secrets.both: write { file = \"path\" } or { env = \"VARIABLE\" }; a secret itself does not belong into this file",
            "outboard.toml:8: there is no secret \"other\"; add it to [secrets]: other = { file = \"path\" } or { env = \"VARIABLE\" }",
            "outboard.toml:8: there is no secret \"slak\"; did you mean \"slack\"?",
        ],
    );
}

#[test]
fn plugins_get_what_the_operator_says() {
    let config = config(
        "[[plugin]]\nname = \"slack\"\npath = \"opt/slack\"\nenabled = false\nuser = \"nobody\"\n\
         env = { PROXY = \"http://p\" }\ngrants.remote_tcp = true\n",
    );
    let [plugin] = config.plugin_entries.as_slice() else { panic!("{:?}", config.plugin_entries) };
    assert_eq!(plugin.path.as_deref(), Some(Path::new("/etc/outboard/opt/slack")));
    assert_eq!((plugin.is_enabled, plugin.user.as_deref()), (false, Some("nobody")));
    assert_eq!(plugin.env["PROXY"], "http://p");
    assert!(plugin.grants.remote_tcp);
}

#[test]
fn a_plugins_limits_go_before_the_gateways_and_are_held_to_the_same_bounds() {
    let config = config(
        "[[plugin]]\nname = \"files\"\n[plugin.limits]\nmax_body = \"1TiB\"\nrequest_timeout = \"365days\"\n\
         max_concurrent_requests = 2\n[[plugin]]\nname = \"mail\"\nlimits.idle_timeout = \"10ms\"\n",
    );
    let [files, mail] = config.plugin_entries.as_slice() else {
        panic!("{:?}", config.plugin_entries)
    };
    let limits = PluginLimits {
        max_body: Some(ByteSize::tib(1)),
        request_timeout: Some(Duration::from_hours(365 * 24)),
        max_concurrent_requests: Some(2),
        ..PluginLimits::default()
    };
    assert_eq!(files.limits, limits);
    let idle_timeout = Some(Duration::from_millis(10));
    assert_eq!(mail.limits, PluginLimits { idle_timeout, ..PluginLimits::default() });
    check(
        "[[plugin]]\nname = \"a\"\n[plugin.limits]\nmax_body = \"2TiB\"\nfirst_byte_timeout = \"1ms\"\n\
         max_concurrent_requests = 0\nqueue = 1\n",
        &[
            "outboard.toml:4: plugin.limits.max_body = \"2TiB\": write a size from 0B to 1TiB",
            "outboard.toml:5: plugin.limits.first_byte_timeout = \"1ms\": write a time from 10ms to 365days",
            "outboard.toml:6: plugin.limits.max_concurrent_requests = 0: write a whole number from 1 to 1000000",
            "outboard.toml:7: \"plugin.limits.queue\" is not a key that Outboard knows; did you mean \"gateway.queue\"?",
        ],
    );
}

#[test]
fn what_plugins_may_not_get_is_told() {
    check(
        "[[plugin]]\nname = \"a\"\nenv = { HOME = \"/\", B = 1 }\ngrants = { network = true }\n\n[[plugin]]\nname = \"a\"\n",
        &[
            "outboard.toml:3: plugin.env: HOME is set by Outboard for every plugin; leave it out",
            "outboard.toml:3: plugin.env: write B = \"value\", in quotes",
            "outboard.toml:4: \"plugin.grants.network\" is not a key that Outboard knows; remove it (`outboard config reference` lists all keys)",
            "outboard.toml:6: a is already there, in line 1; keep one of the two, or rename one",
        ],
    );
}

#[test]
fn a_password_is_in_no_message_and_in_no_debug_output() {
    let url = "postgres://o:s3cret@db/outboard";
    let config = raw("", &[("OUTBOARD_DATABASE_URL", url)], &[]).resolve().unwrap();
    assert_eq!(config.database, Database::Postgres(Secret::new(url)));
    assert!(!format!("{config:?}").contains("s3cret"));
    let wrong =
        raw("database.url = \"mysql://o:s3cret@db\"", &[("OUTBOARD_DATABASE_URL", "s3cret")], &[]);
    let mistakes = wrong.resolve().unwrap_err();
    assert_eq!(mistakes.len(), 2);
    assert!(!mistakes.to_string().contains("s3cret"), "{mistakes}");
}

#[test]
fn variables_that_others_set_are_no_mistakes() {
    let variables = [
        ("OUTBOARD_SERVICE_HOST", "10.0.0.1"),
        ("OUTBOARD_SERVICE_PORT_HTTP", "80"),
        ("OUTBOARD_PORT", "tcp://10.0.0.1:80"),
        ("OUTBOARD_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("OUTBOARD_PLUGIN", "cookie"),
        ("OUTBOARD_CONFIG", "outboard.toml"),
        ("OUTBOARD_TOKEN", "t"),
    ];
    raw("secrets.t = { env = \"OUTBOARD_TOKEN\" }", &variables, &[]).resolve().unwrap();
}

#[test]
fn a_mistyped_variable_is_answered_with_the_right_one() {
    for wrong in ["OUTBOARD_GATEWAY_LISTN", "OUTBOARD_LISTEN", "OUTBOARD_LISTN"] {
        let mistakes = raw("", &[(wrong, "1")], &[]).resolve().unwrap_err();
        let expected = format!(
            "{wrong}: Outboard knows no such variable; did you mean OUTBOARD_GATEWAY_LISTEN?"
        );
        assert_eq!(lines(&mistakes), [expected]);
    }
}

#[test]
fn lists_in_variables_have_commas() {
    let config =
        raw("", &[("OUTBOARD_TRUSTED_PROXIES", "10.0.0.0/8, ::1")], &[]).resolve().unwrap();
    assert_eq!(config.trusted_proxies.len(), 2);
    let mistakes = raw("trusted_proxies = [\"10.0.0.1/8\"]", &[], &[]).resolve().unwrap_err();
    assert!(mistakes.to_string().contains("first address of the range"), "{mistakes}");
}

#[test]
fn values_that_only_together_are_wrong_are_told() {
    check(
        "[supervision]\nbackoff_min = \"31s\"\n",
        &[
            "outboard.toml:2: supervision.backoff_min is longer than supervision.backoff_max; lower the one or raise the other",
        ],
    );
    check(
        "plugins = \"/var/lib/outboard/plugins\"\n",
        &[
            "outboard.toml:1: the directory of plugins is where the data directory keeps imported ones; choose another for either",
        ],
    );
}

#[test]
fn an_external_url_is_kept_without_its_last_slash() {
    assert_eq!(
        config("external_url = \"https://id.example.org/sso/\"").external_url.as_deref(),
        Some("https://id.example.org/sso")
    );
    for wrong in
        ["id.example.org", "ftp://x", "https://", "https://x/?a", "https://a b", "https://u@x"]
    {
        assert!(raw("", &[("OUTBOARD_EXTERNAL_URL", wrong)], &[]).resolve().is_err(), "{wrong}");
    }
}

#[test]
fn a_certificate_and_its_key_come_together() {
    let both = "[gateway.tls]\ncertificate = \"a.pem\"\nkey = \"/b.pem\"";
    let tls = config(both).gateway.tls.unwrap();
    assert!(tls.certificate.is_absolute() && tls.certificate.ends_with("a.pem"));
    assert_eq!(tls.key, Path::new("/b.pem"));
    assert_eq!(config("").gateway.tls, None);
    check(
        "[gateway.tls]\ncertificate = \"a.pem\"",
        &[
            "outboard.toml:2: gateway.tls.certificate needs gateway.tls.key as well; set both or neither",
        ],
    );
    let variables = [("OUTBOARD_GATEWAY_TLS_KEY", "b.pem")];
    let mistakes = raw("", &variables, &[]).resolve().unwrap_err();
    assert_eq!(
        lines(&mistakes),
        [
            "OUTBOARD_GATEWAY_TLS_KEY: gateway.tls.key needs gateway.tls.certificate as well; set both or neither"
        ]
    );
    check(
        "[gateway.tls]\ncertificate = \"a.pem\"\nkey = 5",
        &["outboard.toml:3: gateway.tls.key = 5: write a path, in quotes"],
    );
}

#[test]
fn a_reload_tells_what_needs_a_new_start() {
    let old = config("[gateway]\nlisten = \"127.0.0.1:1\"\nmax_body = \"1MiB\"");
    let new = config("[gateway]\nlisten = \"127.0.0.1:2\"\nmax_body = \"2MiB\"");
    assert_eq!(old.restart_needed_for(&new), ["gateway.listen"]);
    assert!(old.restart_needed_for(&old).is_empty());
}

#[test]
fn a_reload_keeps_exactly_what_needs_a_new_start() {
    let text = |about: &About| match about.path {
        "external_url" => "https://a.example",
        "trusted_proxies" => "10.0.0.0/8",
        "gateway.listen" | "metrics.listen" | "service.listen" => "127.0.0.1:1",
        "gateway.max_body" | "gateway.max_header_bytes" => "9KiB",
        "events.retention" => "999h",
        "auth.enabled" | "session.multiple" => "false",
        "admin.listen" => "127.0.0.1:2",
        "login.delete_profile" => "no",
        "session.expires" => "999s",
        "session.same_site" => "strict",
        "session.secure" => "yes",
        "password.parallelism" => "3",
        "hash.algorithm" => "SHA512",
        "cors.origins" => "https://other.example",
        "callbacks.audit" => "all",
        "auth.match" => "any",
        _ if matches!(about.kind, Kind::Size { .. }) => "9MiB",
        path if path.ends_with("_header") => &path[5..10],
        "database.url" => "postgres://u@h/n",
        "supervision.containment" => "off",
        "log.level" => "debug",
        "log.format" => "json",
        _ if matches!(about.kind, Kind::Count { .. }) => "99",
        _ if matches!(about.kind, Kind::Duration { .. }) => "999ms",
        _ => "other",
    };
    let changed = |which: &dyn Fn(&About) -> bool| {
        let about = SETTINGS.iter().filter(|about| which(about));
        let flags = about.map(|about| (about.path, text(about).to_owned()));
        let raw = RawConfig { flags: flags.collect(), ..raw("", &[], &[]) };
        raw.resolve().unwrap_or_else(|mistakes| panic!("{mistakes}"))
    };
    let old = changed(&|_| false);
    let mut new = changed(&|_| true);
    assert_eq!(
        old.restart_needed_for(&new).len(),
        SETTINGS.iter().filter(|it| it.needs_restart).count()
    );
    new.keep_until_restart(&old);
    let values = |config: Config| format!("{:?}", Config { settings: Vec::new(), ..config });
    assert_eq!(values(new.clone()), values(changed(&|about| !about.needs_restart)));
    assert!(old.restart_needed_for(&new).is_empty());
}

#[test]
fn the_runtime_directory_is_found_among_other_mistakes() {
    let wrong = "listen = 1\nruntime_dir = \"run\"\n[gateway\n";
    assert_eq!(raw(wrong, &[], &[]).runtime_dir().unwrap(), Path::new("/etc/outboard/run"));
    assert_eq!(raw("", &[], &[]).runtime_dir().unwrap(), Path::new("/run/outboard"));
    assert_eq!(raw("runtime_dir = 1", &[], &[]).runtime_dir().unwrap_err().len(), 1);
}

#[test]
fn faults_of_syntax_are_told_with_their_line() {
    let mistakes = raw("[gateway]\nlisten = \nprefix = \"a\"\nprefix = \"b\"\n", &[], &[])
        .resolve()
        .unwrap_err();
    let places: Vec<_> = mistakes.iter().map(|mistake| mistake.place.clone()).collect();
    let line = |line| Place::Line("/etc/outboard/outboard.toml".into(), line);
    assert!(places.contains(&line(2)) && places.contains(&line(4)), "{mistakes}");
}

#[test]
fn every_key_has_one_path_one_variable_and_one_flag_and_a_default_that_can_be_read() {
    let mut variables = std::collections::BTreeSet::new();
    let mut flags = std::collections::BTreeSet::new();
    let mut paths = std::collections::BTreeSet::new();
    for about in SETTINGS.iter().chain(ENTRIES) {
        assert!(paths.insert(about.path), "{} is there twice", about.path);
        assert!(about.doc.ends_with('.'), "{}", about.path);
    }
    for about in SETTINGS {
        assert!(!about.kind.is_only_in_files(), "{}", about.path);
        assert!(variables.insert(about.variable()), "{}", about.variable());
        assert!(flags.insert(about.flag()), "{}", about.flag());
        let default = about.default.map(|text| (about.path, text.to_owned()));
        let raw = RawConfig {
            flags: default.into_iter().collect(),
            surroundings: surroundings(),
            ..RawConfig::default()
        };
        raw.resolve().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    }
    let config = config("");
    let read: Vec<_> = config.settings.iter().map(|setting| setting.about.path).collect();
    let unread: Vec<_> =
        SETTINGS.iter().map(|about| about.path).filter(|path| !read.contains(path)).collect();
    assert_eq!(unread, [] as [&str; 0], "these keys are read by nobody");
}

#[test]
fn the_reference_has_every_key() {
    let page = reference();
    for about in SETTINGS.iter().chain(ENTRIES) {
        assert!(page.contains(&format!("\n### {}\n", about.path)), "{}", about.path);
    }
    assert!(page.contains("- default: `\"127.0.0.1:4593\"`\n- variable: `OUTBOARD_GATEWAY_LISTEN`\n- flag: `--listen`\n"));
    assert!(manifest_reference().contains("\n### go_plugin.versions\n"));
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_a_list_of_mistakes(text in any::<String>()) {
        if let Err(mistakes) = raw(&text, &[], &[]).resolve() {
            prop_assert!(!mistakes.is_empty());
        }
    }

    #[test]
    fn any_variable_is_read_without_harm(key in 0..SETTINGS.len(), text in any::<String>()) {
        let _ = raw("", &[(&SETTINGS[key].variable(), &text)], &[]).resolve();
    }

    #[test]
    fn any_mix_of_keys_and_values_is_read_without_harm(
        lines in prop::collection::vec(
            (0..SETTINGS.len() + ENTRIES.len(), "(true|-?[0-9]{1,30}|\"[a-z0-9/.:]*\"|\\[\"a\", [0-9]\\]|\\{ a = nan \\}|[\\[\\]{}\"=]{1,4})"),
            0..8,
        )
    ) {
        let keys: Vec<&About> = SETTINGS.iter().chain(ENTRIES).copied().collect();
        let lines: Vec<String> = lines.iter().map(|(key, value)| format!("{} = {value}", keys[*key].path)).collect();
        let text = lines.join("\n");
        let _ = raw(&text, &[], &[]).resolve();
    }
}
