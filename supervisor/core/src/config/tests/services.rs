//! `[events]`, `[service]` and `[auth]`.

use super::*;

#[test]
fn events_service_and_auth_have_their_defaults() {
    let Config { events, service, auth, .. } = config("");
    assert_eq!((events.max_event, events.max_bytes), (ByteSize::mib(1), ByteSize::gib(1)));
    assert_eq!((events.pending, events.pending_bytes), (1_000_000, ByteSize::mib(512)));
    assert_eq!((events.attempts, events.concurrency), (50, 32));
    assert_eq!(events.timeout, Duration::from_secs(30));
    assert_eq!(events.max_age, Duration::from_hours(72));
    assert_eq!(events.retention, Duration::from_hours(24));
    assert_eq!(service.listen, ServiceListen::Unix("/run/outboard/service.sock".into()));
    assert_eq!((service.group, service.rate, service.tls), (None, 10_000, None));
    assert!(auth.enabled && auth.instances.is_empty());
    assert_eq!((auth.timeout, auth.cache_ttl), (Duration::from_secs(5), Duration::from_mins(1)));
    assert_eq!((auth.cache_entries, auth.group_match), (10_000, GroupMatch::All));
    assert_eq!(auth.admin_groups, ["proctor.admin"]);
    assert_eq!(
        (auth.email_header.as_str(), auth.token_header.as_str()),
        ("Email-Id", "Access-Token")
    );
}

#[test]
fn the_service_listens_where_it_is_told() {
    let listen = |text: &str| {
        let tls = "[service.tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nclients = \"/ca.pem\"";
        config(&format!("[service]\nlisten = {text:?}\n{tls}")).service
    };
    assert_eq!(listen("unix").listen, ServiceListen::Unix("/run/outboard/service.sock".into()));
    assert_eq!(listen("unix:s.sock").listen, ServiceListen::Unix("/etc/outboard/s.sock".into()));
    assert_eq!(listen("off").listen, ServiceListen::Off);
    let service = listen("[::1]:4595");
    assert_eq!(service.listen, ServiceListen::Tcp("[::1]:4595".parse().unwrap()));
    let tls = ServiceTls {
        certificate: "/etc/outboard/c.pem".into(),
        key: "/etc/outboard/k.pem".into(),
        clients: "/ca.pem".into(),
    };
    assert_eq!(service.tls, Some(tls));
}

#[test]
fn nobody_calls_over_tcp_without_a_certificate() {
    check(
        "[service]\nlisten = \"127.0.0.1:4595\"\n",
        &[
            "outboard.toml:2: service.listen on TCP needs service.tls.certificate, service.tls.key and service.tls.clients; set all three, or listen on \"unix\"",
        ],
    );
    check(
        "[service]\nlisten = \"unix\"\ntls.key = \"k.pem\"\n",
        &[
            "outboard.toml:3: service.tls.key needs service.tls.certificate as well; set both or neither",
            "outboard.toml:3: service.tls.key needs service.tls.clients as well; set both or neither",
        ],
    );
    let long = format!("service.listen = \"unix:/{}\"", "a".repeat(107));
    let mistakes = raw(&long, &[], &[]).resolve().unwrap_err();
    assert!(mistakes.to_string().contains("at most 107 bytes"), "{mistakes}");
    for wrong in ["unix:", "localhost:1", "/run/x.sock", ""] {
        let mistakes = raw("", &[("OUTBOARD_SERVICE_LISTEN", wrong)], &[]).resolve().unwrap_err();
        assert_eq!(mistakes.len(), 1, "{wrong}");
    }
}

#[test]
fn what_would_let_the_wrong_ones_in_is_a_mistake() {
    check(
        "[auth]\nenabled = \"no\"\ninstances = [\"gate\", \"gate\"]\nmatch = \"some\"\nadmin_groups = []\nemail_header = \"X-Me\"\ntoken_header = \"x-me\"\n",
        &[
            "outboard.toml:2: auth.enabled = \"no\": write true or false, without quotes",
            "outboard.toml:3: auth.instances = [\"gate\", \"gate\"]: \"gate\" is there twice; write it once",
            "outboard.toml:4: auth.match = \"some\": write \"all\" or \"any\"",
            "outboard.toml:5: auth.admin_groups = []: write at least one; without any, everybody would be one of them",
            "outboard.toml:6: auth.email_header and auth.token_header are the same header; choose another for either",
        ],
    );
    for wrong in ["", "a b", "Cookie", "Host", "Outboard-User-Email", "Connection", "a:"] {
        let file = format!("auth.token_header = {wrong:?}");
        assert_eq!(raw(&file, &[], &[]).resolve().unwrap_err().len(), 1, "{wrong}");
    }
    for wrong in ["", " a", "a\u{7}"] {
        let file = format!("auth.admin_groups = [{wrong:?}]");
        assert_eq!(raw(&file, &[], &[]).resolve().unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn an_event_must_fit_what_is_there_for_all() {
    check(
        "[events]\nmax_event = \"16MiB\"\npending_bytes = \"1MiB\"\n",
        &[
            "outboard.toml:2: events.max_event is larger than events.pending_bytes; lower the one or raise the other",
        ],
    );
    check(
        "[events]\nmax_event = \"17MiB\"\nretention = \"1h\"\nattempts = 0\nconcurrency = 1001\n",
        &[
            "outboard.toml:2: events.max_event = \"17MiB\": write a size from 1KiB to 16MiB",
            "outboard.toml:3: events.retention = \"1h\": write a time from 1day to 365days",
            "outboard.toml:4: events.attempts = 0: write a whole number from 1 to 1000",
            "outboard.toml:5: events.concurrency = 1001: write a whole number from 1 to 1000",
        ],
    );
}

#[test]
fn the_operator_grants_types_of_events() {
    let config = config("[[plugin]]\nname = \"chat\"\ngrants.emit = [\"chat.*\", \"mail\"]\n");
    assert_eq!(config.plugin_entries[0].grants.emit.to_string(), "chat.*, mail");
}
