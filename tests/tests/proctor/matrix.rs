//! What every proxy must do with what Outboard says: who gets in, and who does not.

use anyhow::{Context as _, Result, ensure};
use e2e::{
    supervisor::{http::Reply, stage::Stage},
    wait::until,
};
use serde_json::Value;

use crate::{
    people::{self, ANN, BOB, CARL, DORA, EMIL},
    proxy::Proxy,
};

type Start = fn(&Stage) -> Result<Proxy>;

/// How long to wait before another try.
/// Long enough for an answer, short enough to wait for its end.
const SHORT: &str = "timeout = \"500ms\"";

pub(crate) fn while_the_plugin_is_up(start: Start) -> Result<()> {
    let stage = people::stage("", "")?;
    let _supervisor = stage.serve()?;
    let proxy = start(&stage)?;

    for (who, headers, expected) in [
        ("nobody", String::new(), 401),
        ("an e-mail alone", "Email-Id: ann@example.org\r\n".to_owned(), 401),
        ("a token alone", "Access-Token: ann-token\r\n".to_owned(), 401),
        ("a wrong token", ANN.with_token("bob-token").headers(), 401),
        ("somebody unknown", "Email-Id: eve@example.org\r\nAccess-Token: x\r\n".to_owned(), 401),
        ("two of them", format!("{}{}", ANN.headers(), BOB.headers()), 401),
        // N6: a plugin that lies is not believed.
        ("somebody whom the plugin takes for Ann", DORA.headers(), 401),
        ("somebody without an e-mail", EMIL.headers(), 401),
        ("without the group", BOB.headers(), 403),
        ("not active", CARL.headers(), 403),
        ("somebody with the group", ANN.headers(), 200),
    ] {
        let reply = proxy.get(&headers)?;
        ensure!(reply.status == expected, "{who}: {reply:?}");
    }
    is_ann(&proxy.get(&ANN.headers())?)?;
    is_ann(&proxy.post(&ANN.headers(), "a body that is not for whoever is asked")?)?;
    nobody_brings_their_own_headers(&proxy)
}

/// Whatever a client claims to have been told, the service behind sees what Outboard has said.
fn nobody_brings_their_own_headers(proxy: &Proxy) -> Result<()> {
    let forged = "Outboard-User-Email: root@example.org\r\noutboard-user-groups: proctor.admin\r\n\
                  Outboard-User-Name: Root\r\n";
    ensure!(proxy.get(forged)?.status == 401);
    let reply = proxy.get(&format!("{}{forged}", ANN.headers()))?;
    is_ann(&reply)?;
    ensure!(!reply.text().contains("proctor.admin") && !reply.text().contains("Root"), "{reply:?}");
    Ok(())
}

fn is_ann(reply: &Reply) -> Result<()> {
    ensure!(reply.status == 200, "{reply:?}");
    let seen = reply.json()?;
    let headers = seen["headers"].as_array().context("no headers")?;
    let values = |name: &str| -> Vec<&Value> {
        headers.iter().filter(|header| header[0] == name).map(|header| &header[1]).collect()
    };
    ensure!(values("outboard-user-email") == ["ann@example.org"], "{seen}");
    ensure!(values("outboard-user-name") == ["Ann%20%C3%84."], "{seen}");
    ensure!(values("outboard-user-groups") == ["ops,x%2C%20y"], "{seen}");
    Ok(())
}

pub(crate) fn while_the_plugin_is_stopped(start: Start) -> Result<()> {
    let stage = people::stage("", "")?;
    let supervisor = stage.serve()?;
    let proxy = start(&stage)?;
    ensure!(proxy.get(&ANN.headers())?.status == 200);

    ensure!(supervisor.command(&["plugin", "stop", "mock"])?.code == 0);
    nobody_gets_in(&proxy)?;

    ensure!(supervisor.command(&["plugin", "start", "mock"])?.code == 0);
    supervisor.serves_after("mock", 1)?;
    // The breaker lets a try through only after a moment.
    until_let_in(&proxy)
}

pub(crate) fn while_the_plugin_hangs(start: Start) -> Result<()> {
    let stage = people::stage(SHORT, "parameters.auth.behaviour = { hang = true }")?;
    let _supervisor = stage.serve()?;
    let proxy = start(&stage)?;
    nobody_gets_in(&proxy)
}

/// `expected` is what the proxy makes of it.
pub(crate) fn while_outboard_is_gone(start: Start, expected: u16) -> Result<()> {
    let stage = people::stage("", "")?;
    let mut supervisor = stage.serve()?;
    let proxy = start(&stage)?;
    ensure!(proxy.get(&ANN.headers())?.status == 200);

    supervisor.stop()?;
    for headers in [ANN.headers(), BOB.headers(), String::new()] {
        let reply = proxy.get(&headers)?;
        ensure!(reply.status == expected, "{reply:?}");
    }
    Ok(())
}

/// Not even who is right. That nobody knows is not told as a refusal.
fn nobody_gets_in(proxy: &Proxy) -> Result<()> {
    for claim in [ANN, BOB, CARL, ANN.with_token("wrong")] {
        let reply = proxy.get(&claim.headers())?;
        ensure!(reply.status == 503, "{claim:?}: {reply:?}");
        ensure!(reply.header("retry-after").is_some(), "{claim:?}: {reply:?}");
    }
    // Who says nothing is refused all the same.
    let reply = proxy.get("")?;
    ensure!(reply.status == 401, "{reply:?}");
    Ok(())
}

fn until_let_in(proxy: &Proxy) -> Result<()> {
    let ask = || {
        let reply = proxy.get(&ANN.headers())?;
        ensure!(matches!(reply.status, 200 | 503), "{reply:?}");
        Ok(reply)
    };
    until(ask, |reply| reply.status == 200).map(drop)
}
