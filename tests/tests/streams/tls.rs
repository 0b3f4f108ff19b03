//! TLS from files: certificates that curl verifies, both protocols, and other files after SIGHUP.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clients::{self, Done, curl},
    h1,
    supervisor::{Supervisor, stage::Stage},
};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

pub(crate) const CONFIGURATION: &str =
    "[gateway]\nmax_body = \"1GiB\"\ntls = { certificate = \"cert.pem\", key = \"key.pem\" }\n";
const LIMIT: Duration = Duration::from_mins(1);

/// Where a configuration names them.
pub(crate) struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    pub(crate) fn of(stage: &Stage) -> Self {
        Self { certificate: stage.root().join("cert.pem"), key: stage.root().join("key.pem") }
    }

    pub(crate) fn write(&self, pair: &CertifiedKey<KeyPair>) -> Result<()> {
        std::fs::write(&self.certificate, pair.cert.pem())?;
        Ok(std::fs::write(&self.key, pair.signing_key.serialize_pem())?)
    }
}

/// One for this machine, signed by itself: whoever has it can verify it.
pub(crate) fn certificate() -> Result<CertifiedKey<KeyPair>> {
    Ok(generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?)
}

/// A supervisor that serves over TLS, and the file with what it is to be verified with.
fn over_tls(test: impl FnOnce(&Supervisor<'_>, &Files, &Path) -> Result<()>) -> Result<()> {
    let stage = Stage::with_mock()?;
    let files = Files::of(&stage);
    files.write(&certificate()?)?;
    stage.configure(CONFIGURATION)?;
    let trusted = stage.root().join("trusted.pem");
    std::fs::copy(&files.certificate, &trusted)?;
    test(&stage.serve()?, &files, &trusted)
}

fn get(supervisor: &Supervisor<'_>, trusted: &Path, more: &[&str]) -> Result<Command> {
    let url = format!("https://{}/api/mock/hello/you", supervisor.address);
    let trusted = trusted.to_string_lossy();
    let mut command = curl(&["--fail", "--cacert", &trusted])?;
    command.args(["--write-out", "%{http_version} %{ssl_verify_result}"]).args(more).arg(url);
    Ok(command)
}

fn got(supervisor: &Supervisor<'_>, trusted: &Path, more: &[&str]) -> Result<Done> {
    clients::run(&mut get(supervisor, trusted, more)?, LIMIT)
}

#[test]
fn both_protocols_and_both_versions_of_tls_are_served() -> Result<()> {
    over_tls(|supervisor, _, trusted| {
        for (more, version) in [
            (&[][..], "2"),
            (&["--http2"], "2"),
            (&["--http1.1"], "1.1"),
            (&["--no-alpn"], "1.1"),
            (&["--tlsv1.3"], "2"),
            (&["--tls-max", "1.2"], "2"),
        ] {
            let done = got(supervisor, trusted, more)?.good()?;
            ensure!(
                done.text() == format!("Hello, you!\n{version} 0"),
                "{more:?}: {}",
                done.text()
            );
        }
        Ok(())
    })
}

#[test]
fn many_of_curls_requests_share_a_connection() -> Result<()> {
    over_tls(|supervisor, _, trusted| {
        let url = format!("https://{}/api/mock/hello/[1-200]", supervisor.address);
        let trusted = trusted.to_string_lossy();
        let mut command =
            curl(&["--fail", "--cacert", &trusted, "--parallel", "--parallel-max", "50"])?;
        command.args(["--write-out", "%{num_connects} new, %{http_version}\n", &url]);
        let done = clients::run(&mut command, LIMIT)?.good()?.text();
        ensure!(done.matches("Hello, ").count() == 200, "{done}");
        ensure!(done.matches(" new, 2\n").count() == 200, "{done}");
        ensure!(done.matches("1 new, ").count() == 1, "{done}");
        Ok(())
    })
}

#[test]
fn a_plugin_is_told_that_it_was_tls() -> Result<()> {
    over_tls(|supervisor, _, trusted| {
        for (more, protocol) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
            let url = format!("https://{}/api/mock/echo/x", supervisor.address);
            let trusted = trusted.to_string_lossy();
            let done =
                clients::run(&mut curl(&["--fail", "--cacert", &trusted, more, &url])?, LIMIT)?;
            let echo: serde_json::Value = serde_json::from_slice(&done.good()?.stdout)?;
            ensure!(echo["scheme"] == "https" && echo["protocol"] == protocol, "{echo}");
            ensure!(echo["authority"] == supervisor.address.to_string(), "{echo}");
        }
        Ok(())
    })
}

#[test]
fn another_pair_is_served_after_sighup_and_a_bad_one_never() -> Result<()> {
    over_tls(|supervisor, files, first| {
        let is_served = |trusted: &Path| -> Result<bool> {
            Ok(got(supervisor, trusted, &[])?.status.success())
        };
        let second = certificate()?;
        ensure!(is_served(first)?);

        // Written but not yet asked for.
        files.write(&second)?;
        ensure!(is_served(first)?);
        let said = supervisor.reload()?;
        ensure!(said.contains("\"reloaded\""), "{said}");
        ensure!(is_served(&files.certificate)?, "the new certificate is not served");
        ensure!(!is_served(first)?, "the old certificate is still served");

        let trusted = first.with_file_name("second.pem");
        std::fs::copy(&files.certificate, &trusted)?;
        let other = certificate()?;
        for (what, certificate, key) in [
            ("a key of another certificate", second.cert.pem(), other.signing_key.serialize_pem()),
            ("no certificate", "nothing\n".to_owned(), second.signing_key.serialize_pem()),
            ("no key", second.cert.pem(), String::new()),
        ] {
            std::fs::write(&files.certificate, certificate)?;
            std::fs::write(&files.key, key)?;
            let mark = supervisor.log.mark();
            supervisor.reload().context(what)?;
            supervisor
                .log
                .wait_for(mark, "a word about the certificate", |line| {
                    (line.contains("\"WARN\"") || line.contains("\"ERROR\""))
                        && (line.contains("cert.pem") || line.contains("key.pem"))
                })
                .context(what)?;
            ensure!(is_served(&trusted)?, "{what}: the good pair is no longer served");
        }

        // And it heals.
        files.write(&other)?;
        supervisor.reload()?;
        ensure!(is_served(&files.certificate)?);
        Ok(())
    })
}

/// Connections are not cut by a new certificate.
#[test]
fn events_go_on_over_reloads() -> Result<()> {
    over_tls(|supervisor, files, trusted| {
        let url = format!("https://{}/api/mock/sse?count=20&ms=50", supervisor.address);
        let trusted = trusted.to_string_lossy();
        let arguments = ["--fail", "--no-buffer", "--cacert", &trusted, &url];
        let mut child = curl(&arguments)?.stdout(Stdio::piped()).spawn()?;
        let mut came = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut events = String::new();
        while !events.contains("id:") && came.read_line(&mut events)? > 0 {}

        for _ in 0..3 {
            files.write(&certificate()?)?;
            supervisor.reload()?;
        }

        came.read_to_string(&mut events)?;
        ensure!(child.wait()?.success() && events.matches("id:").count() == 20, "{events}");
        Ok(())
    })
}

/// Whatever else is said on that port is answered by the end of the connection, soon.
#[test]
fn what_is_no_tls_is_cut_off() -> Result<()> {
    over_tls(|supervisor, _, _| {
        for bytes in [
            &b"GET / HTTP/1.1\r\nhost: test\r\n\r\n"[..],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x00\x05hello",
            &[0; 1000],
            &[0xff; 10_000],
        ] {
            let mut connection = h1::Connection::open(supervisor.address)?;
            let _ = connection.send(bytes);
            let came = String::from_utf8_lossy(&connection.until_cut()?).into_owned();
            ensure!(!came.contains("200 OK"), "{came}");
        }
        Ok(())
    })
}

#[test]
fn websockets_and_large_bodies_go_over_tls() -> Result<()> {
    over_tls(|supervisor, _, trusted| {
        let url = format!("wss://{}/api/mock/ws", supervisor.address);
        let mut websockets = clients::python("websocket_client.py", &[&url])?;
        clients::run(websockets.env("SSL_CERT_FILE", trusted), LIMIT)?.good()?;

        let trusted = trusted.to_string_lossy();
        let bytes = 16 << 20;
        let url = format!("https://{}/api/mock/download?bytes={bytes}", supervisor.address);
        for more in ["--http1.1", "--http2"] {
            let done =
                clients::run(&mut curl(&["--fail", "--cacert", &trusted, more, &url])?, LIMIT)?;
            ensure!(done.good()?.stdout == super::pattern(bytes), "{more}");
        }
        Ok(())
    })
}
