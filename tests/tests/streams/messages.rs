//! What surrounds bodies: trailers, interim responses, ranges, HEAD, and answers that end too early.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clients::{self, Done, curl},
    h1::Connection,
    supervisor::Supervisor,
};

use super::{mock, pattern};

const LIMIT: Duration = Duration::from_mins(1);

fn get(supervisor: &Supervisor<'_>, path: &str, more: &[&str]) -> Result<Done> {
    let url = format!("http://{}/api/mock/{path}", supervisor.address);
    clients::run(curl(more)?.arg(url), LIMIT)
}

#[test]
fn trailers_of_a_response_reach_who_can_take_them() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        connection.send("GET /api/mock/trailers HTTP/1.1\r\nhost: test\r\nte: trailers\r\n\r\n")?;
        let response = connection.response()?;
        ensure!(response.text() == "body\n", "{response:?}");
        ensure!(response.trailer("x-checksum").is_some_and(|sum| !sum.is_empty()), "{response:?}");
        let announced = response.head.header("trailer").context("no Trailer")?;
        ensure!(announced.to_lowercase().contains("x-checksum"), "{announced}");

        // Who does not ask for them gets none (RFC 9110 section 6.5.1), and the same body.
        connection.send("GET /api/mock/trailers HTTP/1.1\r\nhost: test\r\n\r\n")?;
        let response = connection.response()?;
        ensure!(response.text() == "body\n" && response.trailers.is_empty(), "{response:?}");

        let http_1_0 = get(supervisor, "trailers", &["--http1.0", "--fail"])?.good()?;
        ensure!(http_1_0.text() == "body\n", "{}", http_1_0.text());
        Ok(())
    })
}

#[test]
fn trailers_of_a_request_reach_the_plugin_but_for_those_that_would_frame_or_route() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        let head = "POST /api/mock/mirror?trailers=x-sum,x-empty,x-twice HTTP/1.1\r\nhost: test\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\
                    trailer: x-sum, x-empty, x-twice\r\n\r\n";
        connection.send(head)?;
        connection.send(
            "5\r\nhello\r\n0\r\nX-Sum: 5d41\r\nx-empty:\r\nx-twice: a\r\nx-twice: b\r\nhost: other\r\n\
             content-length: 7\r\ntransfer-encoding: chunked\r\nset-cookie: a=b\r\nauthorization: x\r\n\
             content-type: text/html\r\noutboard-user: root\r\n\r\n",
        )?;
        let response = connection.response()?;
        ensure!(response.text() == "hello", "{response:?}");
        ensure!(response.trailer("x-sum") == Some("5d41"), "{response:?}");
        let twice = response.trailers.iter().filter(|(name, _)| name == "x-twice");
        ensure!(twice.count() == 2, "{response:?}");
        for name in [
            "host",
            "content-length",
            "transfer-encoding",
            "set-cookie",
            "authorization",
            "content-type",
            "outboard-user",
        ] {
            ensure!(response.trailer(name).is_none(), "{name}: {response:?}");
        }
        Ok(())
    })
}

#[test]
fn a_client_that_waits_is_told_to_go_on() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        let head = "POST /api/mock/upload HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
        for _ in 0..3 {
            connection.send(head)?;
            let interim = connection.head()?;
            ensure!(interim.status == 100, "{interim:?}");
            // Once, and nothing else before the body.
            connection.is_silent(Duration::from_millis(50))?;
            connection.send("hello")?;
            let response = connection.response()?;
            ensure!(response.head.status == 200 && response.interim.is_empty(), "{response:?}");
            ensure!(response.text().contains("\"bytes\":5"), "{response:?}");
        }
        // One that does not wait has no need of it.
        connection.send(format!("{head}hello"))?;
        let response = connection.response()?;
        ensure!(response.head.status == 200, "{response:?}");
        Ok(())
    })
}

/// A plugin that looks at the body only later must not keep a client from sending for ever.
#[test]
fn a_client_that_waits_is_told_to_go_on_after_a_second_in_any_case() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        let begun = Instant::now();
        connection.send(
            "POST /api/mock/unread HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n",
        )?;
        let interim = connection.head()?;
        ensure!(interim.status == 100, "{interim:?}");
        ensure!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
        Ok(())
    })
}

#[test]
fn a_client_that_waits_is_refused_without_having_sent_anything() -> Result<()> {
    mock("[gateway]\nmax_body = \"1KiB\"\n", |supervisor| {
        for (path, length, status) in [
            ("early", 1000, 403),
            ("tiny", 1000, 413),
            ("upload", 100_000, 413),
            ("nothing", 1000, 404),
        ] {
            let mut connection = Connection::open(supervisor.address)?;
            connection.send(format!(
                "POST /api/mock/{path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\
                 expect: 100-continue\r\n\r\n"
            ))?;
            let response = connection.response()?;
            ensure!(response.head.status == status, "{path}: {response:?}");
            ensure!(response.interim.is_empty(), "{path}: {response:?}");
            // What the client sends now would be taken for a request.
            let rest = connection.until_cut()?;
            ensure!(rest.is_empty(), "{path}: {}", String::from_utf8_lossy(&rest));
        }
        Ok(())
    })
}

#[test]
fn curl_waits_for_the_word_and_takes_a_refusal() -> Result<()> {
    mock("", |supervisor| {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), pattern(2_000_000))?;
        let path = file.path().to_string_lossy().into_owned();
        // So long that it would not go on without the word.
        let waits = ["--header", "Expect: 100-continue", "--expect100-timeout", "50"];
        let upload = |to: &str| {
            let more = [&waits[..], &["--verbose", "--upload-file", &path, "--request", "POST"]];
            get(supervisor, to, &more.concat())
        };
        let done = upload("upload")?.good()?;
        ensure!(done.stderr.contains("100 Continue"), "{}", done.stderr);
        ensure!(done.text().contains("\"bytes\":2000000"), "{}", done.text());
        let done = upload("early")?.good()?;
        ensure!(done.stderr.contains("403 Forbidden"), "{}", done.stderr);
        ensure!(!done.stderr.contains("100 Continue"), "{}", done.stderr);
        Ok(())
    })
}

#[test]
fn other_expectations_are_not_met() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        connection
            .send("GET /api/mock/hello/you HTTP/1.1\r\nhost: test\r\nexpect: the-moon\r\n\r\n")?;
        let status = connection.response()?.head.status;
        // RFC 9110 section 10.1.1 lets a server say 417, or do what was asked.
        ensure!(matches!(status, 200 | 417), "{status}");

        // HTTP/1.0 knows nothing of it, and its clients would not understand.
        let mut connection = Connection::open(supervisor.address)?;
        connection.send(
            "POST /api/mock/upload HTTP/1.0\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\nhello",
        )?;
        let response = connection.response()?;
        ensure!(response.head.status == 200 && response.interim.is_empty(), "{response:?}");
        Ok(())
    })
}

#[test]
fn hints_come_before_the_answer() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        connection.send("GET /api/mock/hints HTTP/1.1\r\nhost: test\r\n\r\n")?;
        let response = connection.response()?;
        ensure!(response.head.status == 200, "{response:?}");
        let [hint] = &response.interim[..] else { anyhow::bail!("{response:?}") };
        ensure!(hint.status == 103 && hint.header("link").is_some(), "{hint:?}");
        // The connection goes on.
        connection.send("GET /api/mock/hello/you HTTP/1.1\r\nhost: test\r\n\r\n")?;
        ensure!(connection.response()?.text() == "Hello, you!\n");

        let done = get(supervisor, "hints", &["--verbose", "--fail"])?.good()?;
        ensure!(done.stderr.contains("103 Early Hints"), "{}", done.stderr);

        // HTTP/1.0 has none (RFC 9110 section 15.2).
        let mut connection = Connection::open(supervisor.address)?;
        connection.send("GET /api/mock/hints HTTP/1.0\r\nhost: test\r\n\r\n")?;
        let response = connection.response()?;
        ensure!(response.head.status == 200 && response.interim.is_empty(), "{response:?}");
        Ok(())
    })
}

#[test]
fn ranges_pass_through() -> Result<()> {
    mock("", |supervisor| {
        let whole = pattern(1_000_000);
        for protocol in ["--http1.1", "--http2-prior-knowledge"] {
            for (range, part) in [
                ("0-0", 0..1),
                ("10-19", 10..20),
                ("100000-899999", 100_000..900_000),
                ("999999-999999", 999_999..1_000_000),
            ] {
                let more = ["--fail", "--range", range, protocol, "--dump-header", "/dev/stderr"];
                let done = get(supervisor, "download?bytes=1000000", &more)?.good()?;
                ensure!(done.stdout == whole[part], "{range}");
                let head = done.stderr.to_lowercase();
                ensure!(head.contains(" 206"), "{head}");
                ensure!(head.contains(&format!("content-range: bytes {range}/1000000")), "{head}");
            }
        }
        // A download that was cut off goes on where it ended.
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("download");
        std::fs::write(&file, &whole[..123_456])?;
        let more = ["--fail", "--continue-at", "-", "--output", &file.to_string_lossy()];
        let done = get(supervisor, "download?bytes=1000000", &more)?;
        // The plugin knows ranges with both ends only, and may send the whole; then curl says so.
        if done.status.success() {
            ensure!(std::fs::read(&file)? == whole, "it does not fit together");
        }
        Ok(())
    })
}

#[test]
fn head_has_the_head_of_get_and_no_body() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        for path in
            ["download?bytes=1000000", "download?bytes=1000000&chunked=1", "big?bytes=70000"]
        {
            connection.send(format!("HEAD /api/mock/{path} HTTP/1.1\r\nhost: test\r\n\r\n"))?;
            let head = connection.head()?;
            ensure!(head.status == 200, "{path}: {head:?}");
            // The next answer follows at once.
            connection.send("GET /api/mock/hello/you HTTP/1.1\r\nhost: test\r\n\r\n")?;
            ensure!(connection.response()?.text() == "Hello, you!\n", "{path}");
            let length = head.header("content-length");
            let expected = match path {
                "download?bytes=1000000" => Some("1000000"),
                "big?bytes=70000" => Some("70000"),
                _ => length,
            };
            ensure!(length == expected, "{path}: {head:?}");
        }
        let more = ["--head", "--fail", "--http2-prior-knowledge"];
        let done = get(supervisor, "download?bytes=1000000", &more)?.good()?;
        ensure!(done.text().contains("content-length: 1000000"), "{}", done.text());
        Ok(())
    })
}

/// A client must be able to tell half a body from a whole one.
#[test]
fn a_body_that_breaks_off_looks_broken() -> Result<()> {
    mock("", |supervisor| {
        let mut connection = Connection::open(supervisor.address)?;
        connection.send("GET /api/mock/break?after=5000000 HTTP/1.1\r\nhost: test\r\n\r\n")?;
        let head = connection.head()?;
        ensure!(head.status == 200, "{head:?}");
        let came = connection.until_cut()?;
        ensure!(!came.ends_with(b"0\r\n\r\n"), "it ends as if it were whole");

        let done = get(supervisor, "break?after=5000000", &["--http1.1"])?;
        // 18: a transfer that ended early; 56: the connection was reset.
        ensure!(matches!(done.status.code(), Some(18 | 56)), "{:?} {}", done.status, done.stderr);
        let done = get(supervisor, "break?after=5000000", &["--http2-prior-knowledge"])?;
        // 92: a stream that was reset.
        ensure!(matches!(done.status.code(), Some(92)), "{:?} {}", done.status, done.stderr);
        // Before the first byte there is still a better answer.
        let done = get(supervisor, "misbehave/panic", &["--request", "POST"])?.good()?;
        ensure!(done.text().contains("internal error"), "{}", done.text());
        Ok(())
    })
}

#[test]
fn http_1_0_gets_bodies_without_chunks() -> Result<()> {
    mock("", |supervisor| {
        for path in ["download?bytes=300000", "download?bytes=300000&chunked=1"] {
            let mut connection = Connection::open(supervisor.address)?;
            connection.send(format!("GET /api/mock/{path} HTTP/1.0\r\nhost: test\r\n\r\n"))?;
            let head = connection.head()?;
            ensure!(head.header("transfer-encoding").is_none(), "{path}: {head:?}");
            ensure!(connection.to_end()? == pattern(300_000), "{path}");
        }
        Ok(())
    })
}
