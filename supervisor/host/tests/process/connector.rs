//! Connections beside the first one.

use std::time::Duration;

use outboard_host::{ConnectError, Connector, Process, TlsMode};
use outboard_proto::handshake::Address;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::stage::{PATIENCE, Stage};

crate::tests![
    a_further_connection_belongs_to_the_runtime_that_opened_it,
    a_plugin_that_takes_its_socket_away_is_reached_by_the_first_connection,
    another_process_at_the_plugins_address_is_refused,
    nobody_answers_for_a_plugin_that_has_ended,
];

async fn is_healthy(channel: Channel) -> bool {
    let request = HealthCheckRequest { service: "plugin".to_owned() };
    let mut client = HealthClient::new(channel);
    timeout(PATIENCE, client.check(request)).await.expect("an answer or an error").is_ok()
}

fn socket(process: &Process) -> std::path::PathBuf {
    match &process.handshake().address {
        Address::Unix(socket) => socket.clone(),
        other => panic!("no socket: {other}"),
    }
}

/// Dials and calls in a runtime of its own, which ends with this.
async fn dial_elsewhere(connector: Connector) -> Result<bool, ConnectError> {
    let dialled = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let channel = connector.connect().await?;
            Ok(is_healthy(channel).await)
        })
    });
    dialled.await.expect("no panic")
}

async fn a_further_connection_belongs_to_the_runtime_that_opened_it(stage: Stage) {
    for tls in [TlsMode::Auto, TlsMode::Required] {
        let mut launch = stage.launch(&["serve"]);
        launch.tls = tls;
        let process = stage.begin(launch).await.expect("started");
        for _ in 0..2 {
            assert!(dial_elsewhere(process.connector()).await.expect("dialled"));
        }
        assert!(is_healthy(process.channel()).await, "the first one lives on");
    }
}

async fn a_plugin_that_takes_its_socket_away_is_reached_by_the_first_connection(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    std::fs::remove_file(socket(&process)).expect("removed");
    let channel = process.connector().connect().await.expect("the first one");
    assert!(is_healthy(channel).await);
}

async fn another_process_at_the_plugins_address_is_refused(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    std::fs::remove_file(socket(&process)).expect("removed");
    let _other = std::os::unix::net::UnixListener::bind(socket(&process)).expect("bound");
    let error = process.connector().connect().await.expect_err("refused");
    assert!(matches!(error, ConnectError::Peer { .. }), "{error}");
}

async fn nobody_answers_for_a_plugin_that_has_ended(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    let connector = process.connector();
    process.stop(Duration::from_secs(5)).await;
    if let Ok(channel) = connector.connect().await {
        assert!(!is_healthy(channel).await);
    }
}
