//! Bodies that are far larger than what anybody may hold of them.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{Context, SHA256};
use e2e::{
    clients::{self, curl},
    h1,
    supervisor::{Supervisor, usage::Before},
};

use super::{MIB, mock, pattern};

const LARGE: u64 = 1024 * MIB;
/// Of [`LARGE`] bytes that count from 0 to 250, over and over.
const LARGE_SHA256: &str = "9cc5601236c455c6af19a76e64d2d95953a93b10eeb8b8b756a57090e1499b3e";
/// What the supervisor may hold more than before, whatever goes through it.
const SUPERVISOR_GROWTH: u64 = 8 * MIB;
const PLUGIN_GROWTH: u64 = 16 * MIB;
/// What it may hold for each client that does not read: the credit of a request and what is on its way to a socket.
const PAUSED_GROWTH: u64 = MIB / 2;
const READERS: u64 = 30;
const CONFIGURATION: &str = "[gateway]\nmax_body = \"1GiB\"\n";

/// Downloads by curl, and gives the length and the hash of what came.
fn download(supervisor: &Supervisor<'_>, path: &str) -> Result<(u64, String)> {
    let url = format!("http://{}/api/mock/{path}", supervisor.address);
    let mut child = curl(&["--fail", &url])?.stdout(Stdio::piped()).spawn()?;
    let hashed = hash(&mut child.stdout.take().context("no stdout")?)?;
    ensure!(child.wait()?.success(), "curl failed after {hashed:?}");
    Ok(hashed)
}

/// Uploads what `download` would bring, by curl, which is told no length; gives what the plugin says about it.
fn upload(supervisor: &Supervisor<'_>, bytes: u64) -> Result<serde_json::Value> {
    let url = format!("http://{}/api/mock/upload", supervisor.address);
    let mut child = curl(&["--fail", "--upload-file", "-", &url])?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    write_pattern(&mut stdin, bytes)?;
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "curl failed: {}", String::from_utf8_lossy(&output.stdout));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn write_pattern(to: &mut impl Write, bytes: u64) -> Result<()> {
    let tile = pattern(251 * 4096);
    let mut left = bytes;
    while left > 0 {
        let piece = &tile[..usize::try_from(left.min(tile.len() as u64))?];
        to.write_all(piece)?;
        left -= piece.len() as u64;
    }
    Ok(())
}

fn hash(from: &mut impl Read) -> Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        context.update(&buffer[..count]);
        total += count as u64;
    }
    let digest = context.finish();
    let mut hex = String::new();
    for byte in digest.as_ref() {
        write!(hex, "{byte:02x}")?;
    }
    Ok((total, hex))
}

fn hash_of_pattern(bytes: u64) -> Result<String> {
    let mut whole = Vec::new();
    write_pattern(&mut whole, bytes)?;
    Ok(hash(&mut &whole[..])?.1)
}

/// So often that each of the gateway's threads, which the kernel chooses among, has most likely had some.
fn warm_up(supervisor: &Supervisor<'_>) -> Result<()> {
    for _ in 0..8 {
        upload(supervisor, 8 * MIB)?;
        download(supervisor, &format!("download?bytes={}", 8 * MIB))?;
    }
    Ok(())
}

fn holds_little(before: &Before) -> Result<()> {
    for (name, growth) in before.peak_growth()? {
        let bound = if name == "supervisor" { SUPERVISOR_GROWTH } else { PLUGIN_GROWTH };
        ensure!(growth <= bound, "the {name} has held {growth} bytes more");
    }
    Ok(())
}

/// And others are served all the time.
#[test]
fn a_gigabyte_goes_up_and_comes_down_in_bounded_memory() -> Result<()> {
    mock(CONFIGURATION, |supervisor| {
        warm_up(supervisor)?;
        let before = Before::of(supervisor, "mock")?;
        let steady = supervisor.steady("/api/mock/hello/you");

        let begun = std::time::Instant::now();
        let uploaded = upload(supervisor, LARGE)?;
        println!("up in {:?}", begun.elapsed());
        ensure!(uploaded["bytes"] == LARGE && uploaded["sha256"] == LARGE_SHA256, "{uploaded}");

        let begun = std::time::Instant::now();
        let downloaded = download(supervisor, &format!("download?bytes={LARGE}"))?;
        println!("down in {:?}", begun.elapsed());
        ensure!(downloaded == (LARGE, LARGE_SHA256.to_owned()), "{downloaded:?}");

        println!(
            "others waited for {:?} at the most; grown by {:?}",
            steady.finish()?,
            before.peak_growth()?
        );
        holds_little(&before)
    })
}

#[test]
fn a_body_whose_length_is_known_goes_as_well_as_one_in_chunks() -> Result<()> {
    const BYTES: u64 = 24 * MIB + 1;
    mock(CONFIGURATION, |supervisor| {
        let hash = hash_of_pattern(BYTES)?;
        ensure!(upload(supervisor, BYTES)?["sha256"] == hash.as_str());
        for path in [format!("download?bytes={BYTES}"), format!("download?bytes={BYTES}&chunked=1")]
        {
            ensure!(download(supervisor, &path)? == (BYTES, hash.clone()), "{path}");
        }
        let file = tempfile::NamedTempFile::new()?;
        write_pattern(&mut file.as_file(), BYTES)?;
        let url = format!("http://{}/api/mock/upload", supervisor.address);
        for more in ["Expect: 100-continue", "Expect:", "Transfer-Encoding: chunked"] {
            let arguments =
                ["--fail", "--header", more, "--upload-file", &file.path().to_string_lossy(), &url];
            let done = clients::run(&mut curl(&arguments)?, Duration::from_mins(1))?.good()?;
            let answer: serde_json::Value = serde_json::from_slice(&done.stdout)?;
            ensure!(
                answer["sha256"] == hash.as_str() && answer["bytes"] == BYTES,
                "{more}: {answer}"
            );
        }
        Ok(())
    })
}

/// Neither side waits for the other to finish: what has gone up comes back before the rest is sent.
#[test]
fn a_body_comes_back_while_it_is_sent() -> Result<()> {
    const PIECE: usize = 100_000;
    mock(CONFIGURATION, |supervisor| {
        for head in [
            format!("content-length: {}\r\n", 20 * PIECE),
            "transfer-encoding: chunked\r\n".to_owned(),
        ] {
            let is_chunked = head.starts_with('t');
            let mut connection = h1::Connection::open(supervisor.address)?;
            connection
                .send(format!("POST /api/mock/mirror HTTP/1.1\r\nhost: test\r\n{head}\r\n"))?;
            let (mut answer, mut came) = (None, Vec::new());
            for number in 0..20_u8 {
                let piece = vec![number; PIECE];
                if is_chunked {
                    connection.send(format!("{PIECE:x}\r\n"))?;
                }
                connection.send(&piece)?;
                if is_chunked {
                    connection.send("\r\n")?;
                }
                if answer.is_none() {
                    answer = Some(connection.head()?);
                }
                // Its length is nowhere said, so it comes in chunks.
                while came.len() < PIECE {
                    came.extend(connection.chunk()?.context("it ends early")?);
                }
                ensure!(came == piece, "piece {number}");
                came.clear();
            }
            if is_chunked {
                connection.send("0\r\n\r\n")?;
            }
            ensure!(connection.chunk()?.is_none(), "{answer:?}");
        }
        Ok(())
    })
}

/// Back-pressure reaches the far end: while nobody reads, the plugin can't send, and nobody holds what it would.
#[test]
fn a_reader_that_pauses_holds_up_the_plugin_and_not_its_bytes() -> Result<()> {
    mock(CONFIGURATION, |supervisor| {
        warm_up(supervisor)?;
        let before = Before::of(supervisor, "mock")?;
        let mut paused = Vec::new();
        for _ in 0..READERS {
            let mut connection = h1::Connection::open(supervisor.address)?;
            connection
                .send("GET /api/mock/download?bytes=100000000 HTTP/1.1\r\nhost: test\r\n\r\n")?;
            ensure!(connection.head()?.status == 200);
            paused.push(connection);
        }
        // All that others ask for meanwhile goes through.
        download(supervisor, &format!("download?bytes={}", 64 * MIB))?;
        for (name, growth) in before.peak_growth()? {
            let bound = SUPERVISOR_GROWTH + READERS * PAUSED_GROWTH;
            ensure!(growth <= bound, "the {name} has held {growth} bytes more");
        }

        // And one that reads on gets all of it, whole.
        let mut connection = paused.pop().context("nobody")?;
        let bytes = connection.bytes(10_000_000)?;
        ensure!(bytes == pattern(10_000_000));
        Ok(())
    })
}
