//! What a plugin finds in its environment: what it was given, and nothing else.

use std::ffi::OsString;

use outboard_host::{Launch, TlsMode};

use crate::stage::{Stage, command};

crate::tests![
    e01_a_client_certificate_of_the_caller_does_not_reach_the_plugin,
    e02_a_wish_to_multiplex_of_the_caller_does_not_reach_the_plugin,
    e03_the_versions_are_exactly_those_given,
    the_environment_is_exactly_what_was_given_and_the_wires,
    a_certificate_is_set_exactly_under_required_tls,
];

async fn environment(stage: &Stage, launch: Launch) -> String {
    let process = stage.begin(launch).await.expect("started");
    command(&process, "env").await.expect_err("an answer").message().to_owned()
}

fn with(mut launch: Launch, name: &str, value: &str) -> Launch {
    launch.env.push((OsString::from(name), OsString::from(value)));
    launch
}

async fn e01_a_client_certificate_of_the_caller_does_not_reach_the_plugin(stage: Stage) {
    let launch = with(stage.launch(&["serve"]), "PLUGIN_CLIENT_CERT", "junk");
    let env = environment(&stage, launch).await;
    assert!(!env.contains("PLUGIN_CLIENT_CERT"), "{env}");
}

async fn e02_a_wish_to_multiplex_of_the_caller_does_not_reach_the_plugin(stage: Stage) {
    let launch = with(stage.launch(&["serve"]), "PLUGIN_MULTIPLEX_GRPC", "true");
    let env = environment(&stage, launch).await;
    assert!(!env.contains("PLUGIN_MULTIPLEX_GRPC"), "{env}");
}

async fn e03_the_versions_are_exactly_those_given(stage: Stage) {
    let launch = Launch { versions: vec![4, 1, 9], ..stage.launch(&["serve"]) };
    let env = environment(&stage, launch).await;
    assert!(env.contains("PLUGIN_PROTOCOL_VERSIONS=\"4,1,9\""), "{env}");
}

async fn the_environment_is_exactly_what_was_given_and_the_wires(stage: Stage) {
    let launch = with(stage.launch(&["serve"]), "OWN", "7");
    let launch = with(launch, "SCRIPTED_PLUGIN", "not the cookie");
    let env = environment(&stage, launch).await;
    let names: Vec<&str> =
        env.split(' ').map(|var| var.split('=').next().expect("a name")).collect();
    let expected = [
        "BEACONS",
        "OWN",
        "PLUGIN_MAX_PORT",
        "PLUGIN_MIN_PORT",
        "PLUGIN_PROTOCOL_VERSIONS",
        "PLUGIN_UNIX_SOCKET_DIR",
        "SCRIPTED_PLUGIN",
    ];
    assert_eq!(names, expected);
    let socket_dir = format!("PLUGIN_UNIX_SOCKET_DIR=\"{}\"", stage.dir().display());
    assert!(env.contains(&socket_dir), "{env}");
}

async fn a_certificate_is_set_exactly_under_required_tls(stage: Stage) {
    for (tls, is_set) in [(TlsMode::Auto, false), (TlsMode::Off, false), (TlsMode::Required, true)]
    {
        let env = environment(&stage, Launch { tls, ..stage.launch(&["serve"]) }).await;
        assert_eq!(env.contains("PLUGIN_CLIENT_CERT=\"-----BEGIN CERTIFICATE"), is_set, "{env}");
    }
}
