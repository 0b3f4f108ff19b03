//! The first line and the connection after it.

use std::time::{Duration, Instant};

use outboard_host::{Cause, Exit, Launch, TlsMode};
use outboard_proto::handshake::{Address, HandshakeError};

use crate::stage::{Stage, command};

crate::tests![
    h09_a_line_without_newline_counts_when_stdout_ends_and_the_exit_is_noticed,
    h10_a_line_without_newline_is_not_waited_for_longer_than_the_limit,
    h14_tcp_is_dialled_in_every_spelling,
    h14_tcp_on_loopback_is_dialled_under_mutual_tls,
    h15_abstract_sockets_are_dialled,
    h19_a_missing_certificate_is_an_error_of_the_handshake,
    h22_an_early_exit_names_code_and_stderr,
    h23_a_silent_plugin_is_ended_at_the_limit,
    h24_a_closed_stdout_is_an_error_at_once,
    h25_a_first_line_of_70_kb_is_refused,
    h26_a_plugin_that_prints_300_kb_after_its_handshake_is_not_blocked,
    t01_mutual_tls_works,
    tcp_in_clear_text_is_refused_with_the_advice_to_require_tls,
];

async fn h09_a_line_without_newline_counts_when_stdout_ends_and_the_exit_is_noticed(stage: Stage) {
    let launch = stage.launch(&["beacon", "out:1|1|unix|/nowhere|grpc", "exit:4"]);
    let cause = stage.fails(launch, &["exited with code 4 right after its handshake"]).await;
    assert!(matches!(cause, Cause::ExitedEarly { exit: Exit::Code(4), .. }));
    assert!(stage.beacon().await.is_out());
}

async fn h10_a_line_without_newline_is_not_waited_for_longer_than_the_limit(stage: Stage) {
    let launch = brief(stage.launch(&["beacon", "out:1|1|unix|/nowhere|grpc", "stay"]));
    let words = ["within 300ms", "only \"1|1|unix|/nowhere|grpc\" without a newline"];
    stage.fails(launch, &words).await;
    assert!(stage.beacon().await.is_out());
}

async fn h14_tcp_is_dialled_in_every_spelling(stage: Stage) {
    let mut spellings = vec!["serve:localhost", "serve:any"];
    match std::net::TcpListener::bind("[::1]:0") {
        Ok(_) => spellings.push("serve:ipv6"),
        Err(error) => eprintln!("H14 without [::1]: this machine has no IPv6 loopback ({error})"),
    }
    for spelling in spellings {
        let launch = stage.launch(&[spelling]);
        let launch = Launch { tls: TlsMode::Off, allow_remote_tcp: true, ..launch };
        let process = stage.begin(launch).await.expect(spelling);
        process.check_health().await.expect(spelling);
        process.kill().await;
    }
}

async fn h14_tcp_on_loopback_is_dialled_under_mutual_tls(stage: Stage) {
    let launch = Launch { tls: TlsMode::Required, ..stage.launch(&["serve:tls-tcp"]) };
    let process = stage.begin(launch).await.expect("started");
    assert!(matches!(process.handshake().address, Address::Tcp(_)));
    process.check_health().await.expect("healthy");
}

async fn h15_abstract_sockets_are_dialled(stage: Stage) {
    let process = stage.start(&["serve:abstract"]).await;
    assert!(matches!(process.handshake().address, Address::Abstract(_)));
    process.check_health().await.expect("healthy");
}

async fn h19_a_missing_certificate_is_an_error_of_the_handshake(stage: Stage) {
    let launch = stage.launch(&["beacon", "serve:no-cert"]);
    let launch = Launch { tls: TlsMode::Required, ..launch };
    let cause = stage.refusal(launch).await;
    assert!(matches!(cause, Cause::Handshake(HandshakeError::CertificateMissing)), "{cause}");
    assert!(stage.beacon().await.is_out());
}

async fn h22_an_early_exit_names_code_and_stderr(stage: Stage) {
    let launch = stage.launch(&["err:reading config\nno such key: port", "exit:3"]);
    let cause =
        stage.fails(launch, &["exited with code 3", "reading config | no such key: port"]).await;
    assert!(!cause.is_permanent());
}

async fn h23_a_silent_plugin_is_ended_at_the_limit(stage: Stage) {
    let began = Instant::now();
    let launch = brief(stage.launch(&["beacon", "stay"]));
    stage.fails(launch, &["no handshake within 300ms", "start_timeout"]).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(stage.beacon().await.is_out());
}

async fn h24_a_closed_stdout_is_an_error_at_once(stage: Stage) {
    let began = Instant::now();
    let launch = stage.launch(&["beacon", "close", "stay"]);
    stage.fails(launch, &["closed its stdout without a handshake"]).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(stage.beacon().await.is_out());
}

async fn h25_a_first_line_of_70_kb_is_refused(stage: Stage) {
    let launch = stage.launch(&["beacon", "many:70000", "out:\n", "stay"]);
    stage.fails(launch, &["more than 65536 bytes", "\"aaaa"]).await;
    assert!(stage.beacon().await.is_out());
}

async fn h26_a_plugin_that_prints_300_kb_after_its_handshake_is_not_blocked(stage: Stage) {
    let process = stage.start(&["serve"]).await;
    command(&process, "stdout:300000").await.expect("not blocked");
    stage.record.until(|record| record.stdout.lock().expect("lock").len() == 300_000).await;
    process.check_health().await.expect("healthy");
}

async fn t01_mutual_tls_works(stage: Stage) {
    let launch = Launch { tls: TlsMode::Required, ..stage.launch(&["serve"]) };
    let process = stage.begin(launch).await.expect("started");
    assert!(process.handshake().server_cert.is_some());
    process.check_health().await.expect("healthy");
    assert_eq!(process.stop(Duration::from_secs(5)).await, Exit::Code(0));
}

async fn tcp_in_clear_text_is_refused_with_the_advice_to_require_tls(stage: Stage) {
    for tls in [TlsMode::Auto, TlsMode::Off] {
        let launch = Launch { tls, ..stage.launch(&["beacon", "serve:localhost"]) };
        let cause =
            stage.fails(launch, &["listens on TCP (localhost:", "tls = \"required\""]).await;
        assert!(cause.is_permanent());
        assert!(stage.beacon().await.is_out());
    }
}

pub(crate) fn brief(launch: Launch) -> Launch {
    Launch { start_timeout: Duration::from_millis(300), ..launch }
}
