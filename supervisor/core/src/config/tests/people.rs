//! `[login]`, `[session]`, `[password]` and what else is about people.

use super::*;
use crate::grant::Groups;
use crate::identity::kind::InstanceKind;

#[test]
fn everything_about_people_has_a_default() {
    let Config { identity, callbacks, .. } = config("");
    let Login { url, admin_scope, profile_scope, admin_name, .. } = identity.login;
    assert_eq!((url.as_str(), admin_name.as_str()), ("login.html", "admin"));
    assert_eq!((admin_scope.as_str(), profile_scope.as_str()), ("g_admin", "g_profile"));
    assert_eq!(identity.session.cookie, "GLEWLWYD2_SESSION_ID");
    assert_eq!(identity.session.expires, Duration::from_hours(4 * 7 * 24));
    assert_eq!(identity.session.same_site, SameSite::Lax);
    assert!(identity.session.multiple && identity.session.domain.is_none());
    assert_eq!(identity.password.memory, ByteSize::mib(19));
    assert_eq!((identity.password.iterations, identity.password.least), (2, 8));
    assert_eq!(identity.hash, HashAlgorithm::Sha256);
    assert!(identity.locate.is_none() && identity.cors.is_empty() && identity.admin.is_none());
    assert_eq!((callbacks.rate, callbacks.audit), (10_000, Audit::Writes));
}

#[test]
fn what_a_browser_would_drop_is_told_beforehand() {
    check(
        "[session]\ncookie = \"__Host-id\"\ndomain = \"example.org\"\n",
        &[
            "outboard.toml:3: browsers drop a cookie named \"__Host-...\" that has a domain; remove session.domain, or \
           name the cookie otherwise",
        ],
    );
    check(
        "[session]\nsame_site = \"none\"\nsecure = \"no\"\n",
        &[
            "outboard.toml:3: browsers drop a cookie with session.same_site = \"none\" over HTTP; write session.secure = \
           \"yes\", or another session.same_site",
        ],
    );
    config("[session]\nsame_site = \"none\"\ncookie = \"__Secure-id\"\n");
}

#[track_caller]
fn refused(line: &str) {
    let mistakes = raw(line, &[], &[]).resolve().expect_err(line);
    assert_eq!(mistakes.len(), 1, "{mistakes}");
}

#[test]
fn what_would_not_work_in_a_link_a_header_or_a_page_is_refused() {
    for url in ["", "/login", "a//b", "../x", "a?b", "https://x", "a b", "é"] {
        refused(&format!("login.url = {url:?}"));
    }
    config("login.url = \"pages/log-in.html\"");
    for cookie in ["", "a b", "a=b", "a;b", "é", &"a".repeat(65)] {
        refused(&format!("session.cookie = {cookie:?}"));
    }
    for domain in ["", ".a", "a..b", "a/b", "-a", "a:1"] {
        refused(&format!("session.domain = {domain:?}"));
    }
    for scope in ["", "a b", "a\\\"b", &"a".repeat(129)] {
        refused(&format!("login.admin_scope = \"{scope}\""));
    }
    for title in ["", " a", "a\\nb"] {
        refused(&format!("theme.title = \"{title}\""));
    }
}

#[test]
fn an_origin_is_scheme_host_and_port_and_never_all() {
    let origins = |text: &str| config(&format!("cors.origins = [{text}]")).identity.cors;
    assert_eq!(
        origins("\"https://App.example.org\", \"http://[::1]:8080\""),
        ["https://app.example.org", "http://[::1]:8080"]
    );
    for wrong in ["*", "null", "app.example.org", "https://a/", "https://a:b", "https://a@b", ""] {
        refused(&format!("cors.origins = [{wrong:?}]"));
    }
    refused("cors.origins = [\"https://a\", \"https://A\"]");
}

#[test]
fn the_operator_grants_groups_of_calls() {
    let config =
        config("[[plugin]]\nname = \"p\"\ngrants.callbacks = [\"users.read\", \"storage\"]\n");
    let granted = &config.plugin_entries[0].grants.callbacks;
    assert_eq!(*granted, Groups::read(&["storage", "users.read"]).unwrap());
    check(
        "[[plugin]]\nname = \"p\"\ngrants.callbacks = [\"users.raed\"]\n",
        &[
            "outboard.toml:3: plugin.grants.callbacks = [\"users.raed\"]: \"users.raed\" is not a group of calls; did you \
           mean \"users.read\"?",
        ],
    );
}

#[test]
fn an_instance_may_authenticate_or_keep_people() {
    let config = config(
        "[[instance]]\nplugin = \"a\"\n\n[[instance]]\nplugin = \"otp\"\nkind = \"scheme\"\ndisplay_name = \"A code\"\n\
         scheme = { expiration = \"1h\", max_use = 2, allow_user_register = false }\n\n\
         [[instance]]\nplugin = \"ldap\"\nkind = \"user\"\nrank = 3\nreadonly = true\n",
    );
    let [plain, scheme, users] = config
        .instances
        .iter()
        .map(|it| it.purpose.clone())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(plain, Purpose::default());
    assert_eq!((scheme.kind, scheme.display_name.as_str()), (InstanceKind::Scheme, "A code"));
    let settings = scheme.scheme;
    assert_eq!(
        (settings.expiration_s, settings.max_use, settings.allow_user_register),
        (3600, 2, false)
    );
    assert_eq!((users.kind, users.rank, users.is_readonly), (InstanceKind::UserBackend, 3, true));
    assert!(users.scheme.allow_user_register);
}

#[test]
fn what_means_nothing_for_a_kind_is_told() {
    check(
        "[[instance]]\nplugin = \"a\"\nrank = 1\nkind = \"scheme\"\n\n[[instance]]\nplugin = \"b\"\nscheme.max_use = 1\n\
         kind = \"users\"\n",
        &[
            "outboard.toml:3: instance.rank means nothing here; write kind = \"user\" or \"client\", or remove it",
            "outboard.toml:8: instance.scheme.max_use means nothing here; write kind = \"scheme\", or remove it",
            "outboard.toml:9: instance.kind = \"users\": write \"plugin\", \"scheme\", \"user\" or \"client\"",
        ],
    );
}
