//! T: mutual TLS with plugins in Go.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    lab, places, plugin,
    plugin::{LAB_COOKIE, Start},
    raw::RawPlugin,
    trials::{Case, Lab, case},
};
use outboard_host::TlsMode;
use rustls::ProtocolVersion;
use tokio::io::AsyncReadExt as _;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("t01_a_go_plugin_answers_under_automtls", t01_answers),
        case("t01_a_go_plugin_speaks_tls_1_3", t01_speaks_tls_1_3),
        case("t08_a_peer_that_stops_at_tls_1_2_answers", t08_answers),
        case("t08_a_peer_that_stops_at_tls_1_2_speaks_it", t08_speaks_tls_1_2),
        case("t09_a_go_plugin_agrees_on_h2", t09_agrees_on_h2),
        case("t09_a_go_plugin_refuses_a_peer_without_alpn", t09_refuses),
        case("t11_the_handshake_holds_the_very_certificate_served", t11_same_certificate),
    ]
}

async fn t01_answers(launcher: Lab) -> Result<()> {
    let running = plugin::lab(launcher, TlsMode::Required).await?;
    ensure!(lab::Client::new(running.process.channel()).double(21).await? == 42);
    Ok(())
}

async fn t01_speaks_tls_1_3(_: Lab) -> Result<()> {
    let plugin = RawPlugin::start(&places::go("lab-plugin")?, LAB_COOKIE)?;
    let connection = plugin.connect(plugin.tls.client()).await?;
    let version = connection.get_ref().1.protocol_version();
    ensure!(version == Some(ProtocolVersion::TLSv1_3), "{version:?}");
    Ok(())
}

async fn t08_answers(launcher: Lab) -> Result<()> {
    let program = places::go("tls12-plugin")?;
    let start = Start {
        program: &program,
        args: &[],
        cookie: LAB_COOKIE,
        versions: &[1],
        tls: TlsMode::Required,
    };
    let running = start.run(launcher).await?.context("the TLS 1.2 plugin does not start")?;
    ensure!(lab::Client::new(running.process.channel()).double(21).await? == 42);
    Ok(())
}

async fn t08_speaks_tls_1_2(_: Lab) -> Result<()> {
    let plugin = RawPlugin::start(&places::go("tls12-plugin")?, LAB_COOKIE)?;
    let connection = plugin.connect(plugin.tls.client()).await?;
    let version = connection.get_ref().1.protocol_version();
    ensure!(version == Some(ProtocolVersion::TLSv1_2), "{version:?}");
    Ok(())
}

async fn t09_agrees_on_h2(_: Lab) -> Result<()> {
    let plugin = RawPlugin::start(&places::go("lab-plugin")?, LAB_COOKIE)?;
    let connection = plugin.connect(plugin.tls.client()).await?;
    let agreed = connection.get_ref().1.alpn_protocol();
    ensure!(agreed == Some(b"h2"), "{agreed:?}");
    Ok(())
}

/// The reason why both of our sides offer it.
async fn t09_refuses(_: Lab) -> Result<()> {
    let plugin = RawPlugin::start(&places::go("lab-plugin")?, LAB_COOKIE)?;
    let mut config = (*plugin.tls.client()).clone();
    config.alpn_protocols.clear();
    let Ok(mut connection) = plugin.connect(Arc::new(config)).await else {
        return Ok(());
    };
    // A TLS 1.3 handshake may look done before the other side refused it.
    match connection.read(&mut [0; 64]).await {
        Ok(0) | Err(_) => Ok(()),
        Ok(_) => bail!("the plugin speaks to a peer without ALPN"),
    }
}

async fn t11_same_certificate(_: Lab) -> Result<()> {
    let plugin = RawPlugin::start(&places::go("lab-plugin")?, LAB_COOKIE)?;
    let connection = plugin.connect(plugin.tls.client()).await?;
    let served = connection.get_ref().1.peer_certificates().context("no certificate served")?;
    let told = plugin.handshake.server_cert.as_deref().context("no certificate told")?;
    ensure!(served.len() == 1 && served[0].as_ref() == told);
    Ok(())
}
