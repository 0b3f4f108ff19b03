//! HTTP/2 in clear, by prior knowledge.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    clients::{self, curl},
    supervisor::Supervisor,
};

use super::{mock, pattern};

const LIMIT: Duration = Duration::from_mins(1);
const PRIOR: &str = "--http2-prior-knowledge";

fn url(supervisor: &Supervisor<'_>, path: &str) -> String {
    format!("http://{}/api/mock/{path}", supervisor.address)
}

#[test]
fn curl_downloads_and_uploads() -> Result<()> {
    mock("[gateway]\nmax_body = \"1GiB\"\n", |supervisor| {
        let whole = pattern(16 << 20);
        let download = url(supervisor, &format!("download?bytes={}", whole.len()));
        let done = clients::run(&mut curl(&["--fail", PRIOR, &download])?, LIMIT)?.good()?;
        ensure!(done.stdout == whole, "{} bytes", done.stdout.len());

        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), &whole)?;
        let path = file.path().to_string_lossy();
        let mirror = url(supervisor, "mirror");
        let arguments = ["--fail", PRIOR, "--request", "POST", "--upload-file", &path, &mirror];
        let done = clients::run(&mut curl(&arguments)?, LIMIT)?.good()?;
        ensure!(done.stdout == whole, "{} bytes", done.stdout.len());
        Ok(())
    })
}

/// Streams at once, windows, trailers, hints, resets: see the program.
#[test]
fn the_h2_library_of_python_is_content() -> Result<()> {
    mock("", |supervisor| {
        let (host, port) = (supervisor.address.ip().to_string(), supervisor.address.port());
        let arguments = [host, port.to_string()];
        clients::run(&mut clients::python("http2_client.py", &arguments)?, LIMIT)?.good().map(drop)
    })
}
