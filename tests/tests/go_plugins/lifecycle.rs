//! L and S: connecting to, stopping, and listening to plugins in Go.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use e2e::{
    lab, plugin,
    trials::{Case, Lab, case},
};
use outboard_host::TlsMode;
use outboard_jail::Exit;
use outboard_proto::handshake::Address;
use tonic::Code;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("l03_an_idle_go_plugin_is_connected_without_a_message_from_it", l03_connects),
        case("l07_a_go_plugin_stops_at_once_and_leaves_no_socket", l07_stops),
        case("l19_five_megabytes_reach_the_host_but_not_the_go_plugin", l19_limits),
        case("l21_ten_idle_minutes_do_not_end_the_connection", l21_idle).on_request(),
        case("s01_what_a_go_plugin_prints_arrives_whole_in_small_pieces", s01_prints),
    ]
}

/// On a busy machine one try may be slow for reasons of its own.
const TRIES: usize = 3;

async fn l03_connects(launcher: Lab) -> Result<()> {
    for _ in 0..TRIES {
        let begun = Instant::now();
        let running = plugin::lab(launcher, TlsMode::Auto).await?;
        let took = begun.elapsed();
        running.process.check_health().await?;
        if took < Duration::from_secs(1) {
            return Ok(());
        }
    }
    bail!("none of {TRIES} connects took less than a second")
}

async fn l07_stops(launcher: Lab) -> Result<()> {
    for _ in 0..TRIES {
        let running = plugin::lab(launcher, TlsMode::Auto).await?;
        let Address::Unix(socket) = running.process.handshake().address.clone() else {
            bail!("not on a Unix socket");
        };
        ensure!(socket.exists());

        let begun = Instant::now();
        let exit = running.process.stop(Duration::from_secs(2)).await;
        let took = begun.elapsed();

        ensure!(exit == Exit::Code(0), "{exit:?}");
        ensure!(!socket.exists(), "the socket file is left behind");
        if took < Duration::from_millis(100) {
            return Ok(());
        }
    }
    bail!("none of {TRIES} stops took less than 100 ms")
}

async fn l19_limits(launcher: Lab) -> Result<()> {
    const BIG: usize = 5 << 20;
    let running = plugin::lab(launcher, TlsMode::Auto).await?;
    let client = lab::Client::new(running.process.channel());

    let Err(refused) = client.measure(vec![0; BIG]).await else {
        bail!("Go took more than its limit of 4 MiB");
    };
    let filled = client.fill(i64::try_from(BIG)?).await?;

    ensure!(refused.code() == Code::ResourceExhausted, "{refused}");
    ensure!(filled.len() == BIG);
    Ok(())
}

/// Run by hand: `cargo test -p e2e --test go_plugins -- --ignored l21`.
async fn l21_idle(launcher: Lab) -> Result<()> {
    let running = plugin::lab(launcher, TlsMode::Auto).await?;
    tokio::time::sleep(Duration::from_mins(10)).await;

    // A new connection would answer calls, but only the first one mirrors what the plugin prints.
    lab::Client::new(running.process.channel()).print_out("still here".to_owned()).await?;
    running.said.wait_for(|said| said.stdout_bytes() == b"still here").await?;
    Ok(())
}

async fn s01_prints(launcher: Lab) -> Result<()> {
    let running = plugin::lab(launcher, TlsMode::Auto).await?;
    let text: String = ('a'..='z').cycle().take(5000).collect();

    lab::Client::new(running.process.channel()).print_out(text.clone()).await?;
    let said = running.said.wait_for(|said| said.stdout_bytes().len() >= text.len()).await?;

    ensure!(said.stdout_bytes() == text.as_bytes());
    let longest = said.stdout.iter().map(Vec::len).max().unwrap_or_default();
    ensure!(longest <= 1024, "a piece of {longest} bytes");
    Ok(())
}
