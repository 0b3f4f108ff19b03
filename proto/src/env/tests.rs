use std::collections::HashMap;

use super::*;

const COOKIE: (&str, &str) = (COOKIE_KEY, COOKIE_VALUE);

fn host() -> HostEnv {
    HostEnv {
        cookie: (COOKIE_KEY.to_owned(), COOKIE_VALUE.to_owned()),
        versions: vec![4, 2, 9],
        client_cert_pem: None,
        unix_socket_dir: None,
        unix_socket_group: None,
        multiplex: false,
        ports: (10_000, 25_000),
    }
}

fn read(vars: &[(&str, &str)]) -> Result<PluginEnv, EnvError> {
    let vars: HashMap<&str, &str> = vars.iter().copied().collect();
    PluginEnv::read(COOKIE, |name| vars.get(name).map(OsString::from))
}

fn read_with(name: &str, value: &str) -> PluginEnv {
    read(&[COOKIE, (name, value)]).unwrap()
}

fn chosen(host: &str) -> u32 {
    negotiate(&read_with(PROTOCOL_VERSIONS, host).versions, &[2, 3, 5])
}

#[test]
fn e03_the_host_sends_exactly_its_versions_and_the_plugin_takes_any_order() {
    let vars: HashMap<_, _> = host().vars().into_iter().collect();
    assert_eq!(vars[PROTOCOL_VERSIONS], "4,2,9");
    for order in ["4,2,9", "9,4,2", "2,9,4"] {
        let mut versions = read_with(PROTOCOL_VERSIONS, order).versions;
        versions.sort_unstable();
        assert_eq!(versions, [2, 4, 9]);
        assert_eq!(negotiate(&versions, &[9, 4]), 9);
    }
}

#[test]
fn e04_a_wrong_or_absent_cookie_is_refused_with_what_to_do() {
    for vars in [&[][..], &[(COOKIE_KEY, "")], &[(COOKIE_KEY, "other")]] {
        let error = read(vars).unwrap_err();
        assert_eq!(error, EnvError::Cookie { key: COOKIE_KEY.to_owned() });
        assert!(error.to_string().contains("started by its host"), "{error}");
    }
}

#[test]
fn an_empty_cookie_of_the_plugins_own_never_matches() {
    for cookie in [("", "value"), ("KEY", "")] {
        let result = PluginEnv::read(cookie, |_| Some(OsString::new()));
        assert_eq!(result, Err(EnvError::CookieUnset));
    }
}

#[test]
fn e05_the_highest_common_version_wins_else_the_plugins_lowest() {
    assert_eq!(chosen("3,2,9"), 3);
    assert_eq!(chosen("7"), 2);
    assert_eq!(chosen(""), 2);
    assert_eq!(chosen("abc,5"), 5);
    assert_eq!(chosen("1, 2"), 2);
}

#[test]
fn versions_that_are_none_are_kept_for_a_warning() {
    let env = read_with(PROTOCOL_VERSIONS, "abc,5, 2,-1,");
    assert_eq!(env.versions, [5]);
    assert_eq!(env.bad_versions, ["abc", " 2", "-1", ""]);
}

#[test]
fn e06_no_seventh_field_is_asked_for_when_the_variable_is_unset_or_empty() {
    assert!(!read(&[COOKIE]).unwrap().multiplex_asked);
    assert!(!read_with(MULTIPLEX, "").multiplex_asked);
    assert!(read_with(MULTIPLEX, "true").multiplex_asked);
}

#[test]
fn a_host_that_wants_nothing_special_sets_only_what_is_always_set() {
    let names: Vec<_> = host().vars().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [COOKIE_KEY, MIN_PORT, MAX_PORT, PROTOCOL_VERSIONS]);
}

#[test]
fn what_the_host_sets_is_what_the_plugin_reads() {
    let host = HostEnv {
        client_cert_pem: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
        unix_socket_dir: Some(PathBuf::from("/run/x")),
        unix_socket_group: Some("users".to_owned()),
        multiplex: true,
        ..host()
    };
    let mut vars: HashMap<_, _> = host.vars().into_iter().collect();
    assert!(WIRE_VARS.iter().all(|name| vars.contains_key(*name)));
    vars.insert(HOST_ADDRESS.to_owned(), "unix:///run/x/host".into());
    let env = PluginEnv::read(COOKIE, |name| vars.get(name).cloned()).unwrap();
    assert_eq!(env.client_cert_pem, host.client_cert_pem);
    assert_eq!(Some(env.socket_dir), host.unix_socket_dir);
    assert_eq!(env.socket_group, host.unix_socket_group);
    assert_eq!(env.versions, host.versions);
    assert_eq!(env.host_address.as_deref(), Some("unix:///run/x/host"));
    assert!(env.multiplex_asked);
}

#[test]
fn sockets_go_to_the_hosts_directory_else_to_the_temporary_one() {
    assert_eq!(read(&[COOKIE]).unwrap().socket_dir, PathBuf::from("/tmp"));
    assert_eq!(read_with("TMPDIR", "/var/tmp").socket_dir, PathBuf::from("/var/tmp"));
    let both = [COOKIE, ("TMPDIR", "/var/tmp"), (SOCKET_DIR, "/run/x")];
    assert_eq!(read(&both).unwrap().socket_dir, PathBuf::from("/run/x"));
}

#[test]
fn a_variable_that_is_not_text_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let result = PluginEnv::read(COOKIE, |name| match name {
        COOKIE_KEY => Some(COOKIE_VALUE.into()),
        CLIENT_CERT => Some(OsString::from_vec(vec![0xff])),
        _ => None,
    });
    assert_eq!(result, Err(EnvError::NotUtf8 { name: CLIENT_CERT }));
}
