//! B: the broker against Go, in both directions where both make sense. Waiting is part of what is tested here: the
//! times are go-plugin's.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    lab, plugin,
    plugin::Running,
    trials::{Case, Lab, case},
};
use outboard_host::TlsMode;
use outboard_proto::{
    goplugin::{ConnInfo, grpc_broker_client::GrpcBrokerClient},
    transport::connect,
};
use tokio::time::sleep;
use tonic::Status;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("b01_both_sides_serve_and_dial_twice_in_a_row", |lab| b01(lab, TlsMode::Auto)),
        case("b01_t03_both_sides_serve_and_dial_twice_in_a_row_under_automtls", |lab| {
            b01(lab, TlsMode::Required)
        }),
        case("b02_the_host_may_dial_two_seconds_before_or_after_the_announcement", b02_host_dials),
        case("b02_the_plugin_may_dial_two_seconds_before_or_after_the_announcement", b02_go_dials),
        case("b03_a_dial_that_is_never_announced_fails_after_five_seconds", b03),
        case("b04_an_announcement_is_forgotten_after_five_seconds", b04),
        case("b05_an_announcement_is_good_for_one_dial", b05),
        case("b06_the_two_directions_count_apart", b06),
        case("b07_an_unknown_network_fails_at_once", b07),
    ]
}

/// A Go plugin, and the two ways to use its broker.
struct Peer {
    running: Running,
    client: lab::Client,
}

impl Peer {
    async fn start(launcher: Lab, tls: TlsMode) -> Result<Self> {
        let running = plugin::lab(launcher, tls).await?;
        let client = lab::Client::new(running.process.channel());
        Ok(Self { running, client })
    }

    /// The plugin announces the id, and serves.
    async fn plugin_serves(&self, id: u32) -> Result<()> {
        Ok(self.client.serve(id).await?)
    }

    /// The host dials what the plugin serves.
    async fn host_dials(&self, id: u32) -> Result<i64> {
        let channel = self.running.process.broker().dial(id).await?;
        Ok(lab::Client::new(channel).double(21).await?)
    }

    /// The host announces the id, and serves until the process of this test ends.
    async fn host_serves(&self, id: u32) -> Result<()> {
        let incoming = self.running.process.broker().accept(id).await?;
        tokio::spawn(lab::serve(incoming));
        Ok(())
    }

    /// The plugin dials what the host serves.
    async fn plugin_dials(&self, id: u32) -> Result<i64, Status> {
        self.client.dial(id).await
    }
}

/// Whether it failed, and after about five seconds.
async fn fails_after_five_seconds<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<()> {
    let begun = Instant::now();
    let failed = work.await.is_err();
    let took = begun.elapsed();
    ensure!(failed, "it worked, after {took:?}");
    let expected = Duration::from_millis(4500)..Duration::from_secs(8);
    ensure!(expected.contains(&took), "it failed after {took:?}");
    Ok(())
}

async fn b01(launcher: Lab, tls: TlsMode) -> Result<()> {
    let peer = Peer::start(launcher, tls).await?;
    for _ in 0..2 {
        let id = peer.running.process.broker().next_id();
        peer.host_serves(id).await?;
        ensure!(peer.plugin_dials(id).await? == 42);

        let id = peer.client.next_id().await?;
        peer.plugin_serves(id).await?;
        ensure!(peer.host_dials(id).await? == 42);
    }
    Ok(())
}

async fn b02_host_dials(launcher: Lab) -> Result<()> {
    let peer = Peer::start(launcher, TlsMode::Auto).await?;
    let dial_first = async {
        let (answer, ()) = tokio::try_join!(peer.host_dials(11), async {
            sleep(Duration::from_secs(2)).await;
            peer.plugin_serves(11).await
        })?;
        anyhow::Ok(answer)
    };
    let announce_first = async {
        peer.plugin_serves(12).await?;
        sleep(Duration::from_secs(2)).await;
        peer.host_dials(12).await
    };
    ensure!(tokio::try_join!(dial_first, announce_first)? == (42, 42));
    Ok(())
}

async fn b02_go_dials(launcher: Lab) -> Result<()> {
    let peer = Peer::start(launcher, TlsMode::Auto).await?;
    let dial_first = async {
        let dial = async { peer.plugin_dials(11).await.context("dialled first") };
        let (answer, ()) = tokio::try_join!(dial, async {
            sleep(Duration::from_secs(2)).await;
            peer.host_serves(11).await
        })?;
        anyhow::Ok(answer)
    };
    let announce_first = async {
        peer.host_serves(12).await?;
        sleep(Duration::from_secs(2)).await;
        peer.plugin_dials(12).await.context("announced first")
    };
    ensure!(tokio::try_join!(dial_first, announce_first)? == (42, 42));
    Ok(())
}

async fn b03(launcher: Lab) -> Result<()> {
    let peer = Peer::start(launcher, TlsMode::Auto).await?;
    let host = fails_after_five_seconds(peer.host_dials(77));
    let go = fails_after_five_seconds(peer.plugin_dials(77));
    tokio::try_join!(host, go)?;
    ensure!(peer.client.double(1).await? == 2, "the connection suffered");
    Ok(())
}

async fn b04(launcher: Lab) -> Result<()> {
    let peer = Peer::start(launcher, TlsMode::Auto).await?;
    peer.plugin_serves(21).await?;
    peer.host_serves(22).await?;
    sleep(Duration::from_secs(6)).await;
    let host = fails_after_five_seconds(peer.host_dials(21));
    let go = fails_after_five_seconds(peer.plugin_dials(22));
    tokio::try_join!(host, go)?;
    Ok(())
}

async fn b05(launcher: Lab) -> Result<()> {
    let peer = Peer::start(launcher, TlsMode::Auto).await?;
    peer.plugin_serves(31).await?;
    peer.host_serves(32).await?;
    ensure!(peer.host_dials(31).await? == 42);
    ensure!(peer.plugin_dials(32).await? == 42);
    let host = fails_after_five_seconds(peer.host_dials(31));
    let go = fails_after_five_seconds(peer.plugin_dials(32));
    tokio::try_join!(host, go)?;

    // A new announcement makes the id good again.
    peer.plugin_serves(31).await?;
    ensure!(peer.host_dials(31).await? == 42);
    Ok(())
}

async fn b06(launcher: Lab) -> Result<()> {
    let peer = Peer::start(launcher, TlsMode::Auto).await?;
    peer.plugin_serves(5).await?;
    peer.host_serves(5).await?;
    ensure!(peer.host_dials(5).await? == 42);
    ensure!(peer.plugin_dials(5).await? == 42);
    Ok(())
}

/// Go as the dialler. Its announcement comes over a control stream of our own making: go-plugin's plugins hear all
/// of them.
async fn b07(launcher: Lab) -> Result<()> {
    let peer = Peer::start(launcher, TlsMode::Auto).await?;
    let address = peer.running.process.handshake().address.clone();
    let channel = connect(&address, None, &lab::anybody(), Duration::from_secs(5)).await?;
    let info = ConnInfo {
        service_id: 66,
        network: "foo".to_owned(),
        address: "bar".to_owned(),
        knock: None,
    };
    let (announce, announced) = tokio::sync::mpsc::channel(1);
    announce.send(info).await?;
    let stream = tokio_stream::wrappers::ReceiverStream::new(announced);
    // Go sends no headers on this stream, so this never returns.
    let open =
        tokio::spawn(async move { GrpcBrokerClient::new(channel).start_stream(stream).await });

    let begun = Instant::now();
    let dialled = peer.plugin_dials(66).await;
    let took = begun.elapsed();

    open.abort();
    let Err(error) = dialled else { bail!("network \"foo\" was dialled") };
    ensure!(error.message().contains("unknown address type"), "{error}");
    ensure!(took < Duration::from_secs(4), "not at once, but after {took:?}");
    Ok(())
}
