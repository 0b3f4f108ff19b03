//! Programs and handshakes that can't work: each gets an error of its own, and leaves nothing behind.

use std::path::PathBuf;

use outboard_host::{Cause, Launch, Program, TlsMode};
use outboard_proto::handshake::HandshakeError;

use crate::stage::Stage;

crate::tests![
    h27_a_missing_program_is_named,
    h27_a_program_without_execute_bit_gets_chmod_as_advice,
    a_directory_is_no_program,
    a_text_file_without_shebang_gets_the_line_to_add,
    a_script_whose_interpreter_is_missing_names_it,
    a_program_by_descriptor_is_diagnosed_too,
    a_wrong_architecture_is_named,
    an_empty_file_is_no_program,
    a_missing_working_directory_is_named,
    a_log_line_before_the_handshake_is_quoted,
    one_mib_without_a_newline_is_refused,
    a_wrong_core_version_is_permanent,
    a_wrong_application_version_lists_both_sides,
    an_unknown_network_is_named,
    netrpc_is_refused_by_name,
    a_certificate_that_is_not_base64_is_refused,
    a_refused_cookie_is_permanent,
    a_plugin_that_accepts_and_never_speaks_tls_is_told_so,
    plain_grpc_under_required_tls_is_told_so,
    a_socket_directory_with_a_long_path_is_refused_before_the_spawn,
    an_argument_list_that_is_too_long_is_an_error,
    a_socket_directory_that_is_missing_or_a_link_is_an_error,
    a_script_whose_interpreter_is_not_executable_names_it,
];

fn program(stage: &Stage, path: PathBuf) -> Launch {
    Launch { program: Program::Path(path), ..stage.launch(&[]) }
}

/// Permanent, and says `words`.
async fn never(stage: &Stage, launch: Launch, words: &[&str]) {
    let cause = stage.fails(launch, words).await;
    assert!(cause.is_permanent(), "{cause}");
}

async fn h27_a_missing_program_is_named(stage: Stage) {
    let launch = program(&stage, stage.dir().join("missing"));
    never(&stage, launch, &["there is no file", "/missing"]).await;
}

async fn h27_a_program_without_execute_bit_gets_chmod_as_advice(stage: Stage) {
    let path = stage.write("plain", b"#!/bin/sh\n", 0o644);
    never(&stage, program(&stage, path), &["not executable (mode 0644)", "chmod +x"]).await;
}

async fn a_directory_is_no_program(stage: Stage) {
    let launch = program(&stage, stage.dir().to_owned());
    never(&stage, launch, &["is a directory"]).await;
}

async fn a_text_file_without_shebang_gets_the_line_to_add(stage: Stage) {
    let path = stage.write("text", b"print('hi')\n", 0o755);
    never(&stage, program(&stage, path), &["text file without a #! line"]).await;
}

async fn a_script_whose_interpreter_is_missing_names_it(stage: Stage) {
    let path = stage.write("script", b"#!/no/such/python3\n", 0o755);
    never(&stage, program(&stage, path), &["\"/no/such/python3\"", "install it"]).await;
}

async fn a_script_whose_interpreter_is_not_executable_names_it(stage: Stage) {
    let interpreter = stage.write("interpreter", b"", 0o644);
    let line = format!("#!{}\n", interpreter.display());
    let path = stage.write("script", line.as_bytes(), 0o755);
    let words = ["/interpreter\" is not executable (mode 0644)", "chmod +x"];
    never(&stage, program(&stage, path), &words).await;
}

async fn a_program_by_descriptor_is_diagnosed_too(stage: Stage) {
    let path = stage.write("text", b"print('hi')\n", 0o755);
    let file = std::fs::File::open(&path).expect("opened");
    let launch = Launch { program: Program::File(file), ..stage.launch(&[]) };
    never(&stage, launch, &["/text\"", "without a #! line"]).await;
}

async fn a_wrong_architecture_is_named(stage: Stage) {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    // An executable for IBM's s390x, which no test machine is.
    (elf[16], elf[18], elf[20]) = (2, 22, 1);
    let path = stage.write("foreign", &elf, 0o755);
    let words = ["program for s390x", std::env::consts::ARCH];
    never(&stage, program(&stage, path), &words).await;
}

async fn an_empty_file_is_no_program(stage: Stage) {
    let path = stage.write("empty", b"", 0o755);
    never(&stage, program(&stage, path), &["it is empty"]).await;
}

async fn a_missing_working_directory_is_named(stage: Stage) {
    let launch = Launch { work_dir: stage.dir().join("gone"), ..stage.launch(&["serve"]) };
    stage.fails(launch, &["working directory", "/gone"]).await;
}

async fn a_log_line_before_the_handshake_is_quoted(stage: Stage) {
    let launch = stage.launch(&["beacon", "out:starting up\n", "serve"]);
    stage.fails(launch, &["\"starting up\"", "send logs to stderr"]).await;
    assert!(stage.beacon().await.is_out());
}

async fn one_mib_without_a_newline_is_refused(stage: Stage) {
    let launch = stage.launch(&["beacon", "many:1048576", "stay"]);
    stage.fails(launch, &["more than 65536 bytes"]).await;
    assert!(stage.beacon().await.is_out());
}

async fn a_wrong_core_version_is_permanent(stage: Stage) {
    let launch = stage.launch(&["out:2|1|unix|/x|grpc\n", "stay"]);
    never(&stage, launch, &["core protocol version 2", "rebuild"]).await;
}

async fn a_wrong_application_version_lists_both_sides(stage: Stage) {
    let launch = stage.launch(&["out:1|7|unix|/x|grpc\n", "stay"]);
    never(&stage, launch, &["application version 7", "[1]"]).await;
}

async fn an_unknown_network_is_named(stage: Stage) {
    let launch = stage.launch(&["out:1|1|udp|/x|grpc\n", "stay"]);
    never(&stage, launch, &["udp", "\"unix\" or \"tcp\""]).await;
}

async fn netrpc_is_refused_by_name(stage: Stage) {
    for line in ["out:1|1|unix|/x|netrpc\n", "out:1|1|unix|/x\n"] {
        never(&stage, stage.launch(&[line, "stay"]), &["netrpc", "gRPC"]).await;
    }
}

async fn a_certificate_that_is_not_base64_is_refused(stage: Stage) {
    let line = format!("out:1|1|unix|/x|grpc|{}\n", "=".repeat(60));
    let launch = Launch { tls: TlsMode::Required, ..stage.launch(&[&line, "stay"]) };
    let cause = stage.refusal(launch).await;
    assert!(matches!(cause, Cause::Handshake(HandshakeError::CertificateBase64(_))), "{cause}");
}

async fn a_refused_cookie_is_permanent(stage: Stage) {
    let words = "err:This binary is a plugin. These are not meant to be executed directly.\n";
    never(&stage, stage.launch(&[words, "exit:1"]), &["cookie", "[go_plugin]"]).await;
}

async fn a_plugin_that_accepts_and_never_speaks_tls_is_told_so(stage: Stage) {
    // A certificate of the right form that nobody serves.
    let line = stage.dir().join("clear");
    let certificate = certificate();
    let listen = format!("listen:{}", line.display());
    let line = format!("out:1|1|unix|{}|grpc|{certificate}\n", line.display());
    let launch = stage.launch(&["beacon", &listen, &line, "stay"]);
    let launch = crate::handshake::brief(Launch { tls: TlsMode::Required, ..launch });
    stage.fails(launch, &["no connection to", "within 300ms"]).await;
    assert!(stage.beacon().await.is_out());
}

async fn plain_grpc_under_required_tls_is_told_so(stage: Stage) {
    let launch = Launch { tls: TlsMode::Required, ..stage.launch(&["beacon", "serve:clear"]) };
    stage.fails(launch, &["TLS with", "failed", "certificates that they exchanged"]).await;
    assert!(stage.beacon().await.is_out());
}

async fn a_socket_directory_with_a_long_path_is_refused_before_the_spawn(stage: Stage) {
    let launch = Launch { socket_dir: "/x".repeat(50).into(), ..stage.launch(&["serve"]) };
    never(&stage, launch, &["more than 90 bytes", "shorter"]).await;
}

async fn a_socket_directory_that_is_missing_or_a_link_is_an_error(stage: Stage) {
    let link = stage.dir().join("link");
    std::os::unix::fs::symlink(stage.dir(), &link).expect("linked");
    for socket_dir in [stage.dir().join("gone"), link] {
        let launch = Launch { socket_dir, ..stage.launch(&["serve"]) };
        stage.fails(launch, &["its socket directory", "can't be opened"]).await;
    }
}

fn certificate() -> String {
    use outboard_proto::handshake::{Address, Line};
    use outboard_proto::transport::Identity;
    let identity = Identity::generate().expect("an identity");
    let server_cert = Some(identity.cert_der().to_owned());
    let address = Address::Tcp(String::new());
    let line = Line { app_version: 1, address, server_cert, multiplex: None }.to_string();
    line.rsplit('|').next().expect("the last field").to_owned()
}

async fn an_argument_list_that_is_too_long_is_an_error(stage: Stage) {
    let long = "x".repeat(1 << 20);
    never(&stage, stage.launch(&[&long]), &["the launcher could not start it", "the limit is"])
        .await;
}
