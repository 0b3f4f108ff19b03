//! Further connections, both ways, and plugins of another user.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::time::Duration;

use outboard_host::{Exit, Launch, Process, Program, TlsMode, User};
use tonic::transport::Server;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::stage::{Stage, command};

crate::tests![
    b01_the_broker_connects_both_ways,
    b01_the_broker_connects_both_ways_under_mutual_tls,
    a_plugin_of_another_user_is_served_and_spoken_to,
];

/// `nobody`, on any Linux.
const NOBODY: User = User { uid: 65534, gid: 65534 };

async fn both_ways(process: &Process) {
    for _ in 0..2 {
        host_serves(process).await;
        plugin_serves(process).await;
    }
}

async fn host_serves(process: &Process) {
    let id = process.broker().next_id();
    let incoming = process.broker().accept(id).await.expect("announced");
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("host", tonic_health::ServingStatus::NotServing).await;
    let served = tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    let status = command(process, &format!("dial:{id}")).await.expect("dialled");
    assert_eq!(status, ServingStatus::NotServing);
    served.abort();
}

async fn plugin_serves(process: &Process) {
    command(process, "accept:7").await.expect("announced");
    let channel = process.broker().dial(7).await.expect("dialled");
    let request = HealthCheckRequest { service: "plugin".to_owned() };
    let answer = HealthClient::new(channel).check(request).await.expect("answered");
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
}

async fn b01_the_broker_connects_both_ways(stage: Stage) {
    both_ways(&stage.start(&["serve"]).await).await;
}

async fn b01_the_broker_connects_both_ways_under_mutual_tls(stage: Stage) {
    let launch = Launch { tls: TlsMode::Required, ..stage.launch(&["serve"]) };
    both_ways(&stage.begin(launch).await.expect("started")).await;
}

/// Only root can have other users; for anyone else there is nothing to prove.
async fn a_plugin_of_another_user_is_served_and_spoken_to(stage: Stage) {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let sockets = stage.dir().join("sockets");
    std::fs::create_dir(&sockets).expect("made");
    chown(&sockets, Some(NOBODY.uid), Some(NOBODY.gid)).expect("handed over");
    let searchable = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(stage.dir(), searchable).expect("opened");
    // By descriptor, since nobody may not reach the directory that this was built in.
    let own = std::fs::File::open(std::env::current_exe().expect("own path")).expect("opened");
    let launch = Launch { user: Some(NOBODY), ..stage.launch(&["serve"]) };
    let launch = Launch { program: Program::File(own), socket_dir: sockets, ..launch };
    let process = stage.begin(launch).await.expect("started");
    let uid = command(&process, "uid").await.expect_err("an answer");
    assert_eq!(uid.message(), NOBODY.uid.to_string());
    both_ways(&process).await;
    assert_eq!(process.stop(Duration::from_secs(5)).await, Exit::Code(0));
}
