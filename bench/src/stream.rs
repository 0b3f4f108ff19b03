//! A host that calls the site over one multiplexed stream, as a worker of the gateway does.

use std::{
    ffi::OsString,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use outboard_host::TlsMode;
use outboard_jail::Launcher;
use outboard_proto::{
    env::{COOKIE_KEY, COOKIE_VALUE, HOST_ADDRESS},
    frame::{Limits, Role, Settings},
    host::v1::{
        AddRequest, AddResponse, RemoveRequest, RemoveResponse,
        endpoints_server::{Endpoints, EndpointsServer},
    },
    plugin::v1::{
        InitRequest, LoadRequest, Match, Request as Head, RequestFrame, Variable,
        http_client::HttpClient, lifecycle_client::LifecycleClient,
    },
    transport::{
        Listener, PeerCheck,
        mux::{Mux, Part},
    },
};
use tonic::{Request, Response, Status, transport::Server};

use crate::{
    golang::Calls,
    plugin::{self, Supervised},
    program::{built, directory},
};

const ACTIVATION: &str = "bench";
const PARAMETERS: &[u8] = br#"{"places":1}"#;
const PATH: &str = "/api/site/place-0/small";
const WARM_UP: usize = 500;

/// One round: a fresh plugin, a short warm-up, then calls for so long. Must run on a runtime of one thread.
pub(crate) async fn calls(launcher: &Launcher, in_flight: usize, seconds: u64) -> Result<Calls> {
    let directory = directory()?;
    let (plugin, endpoint) = start(launcher, directory.path()).await?;
    let (mux, outgoing) = Mux::new(Role::Host, Settings::default(), Limits::default());
    let mut client = HttpClient::new(plugin.process.channel());
    let inbound = client.serve(outgoing).await?.into_inner();
    let reader = tokio::spawn({
        let mux = mux.clone();
        async move { mux.read(inbound, |_, _| {}).await }
    });
    mux.ready().await?;
    for _ in 0..WARM_UP {
        call(&mux, endpoint).await?;
    }
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let workers: Vec<_> =
        (0..in_flight).map(|_| tokio::spawn(call_until(mux.clone(), endpoint, end))).collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let took = begun.elapsed();
    mux.end();
    reader.await?;
    plugin.process.stop(Duration::from_secs(2)).await;
    Calls::of(&latencies, took)
}

async fn call_until(mux: Mux, endpoint: u32, end: Instant) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    let mut before = Instant::now();
    while before < end {
        call(&mux, endpoint).await?;
        let after = Instant::now();
        latencies.push((after - before).as_secs_f64() * 1e6);
        before = after;
    }
    Ok(latencies)
}

async fn call(mux: &Mux, endpoint: u32) -> Result<()> {
    let variable = Variable { name: "size".to_owned(), value: "small".into() };
    let request = RequestFrame {
        activation: ACTIVATION.to_owned(),
        matches: vec![Match { endpoint_id: endpoint, variables: vec![variable] }],
        request: Some(Head {
            method: "GET".to_owned(),
            path: PATH.into(),
            scheme: "http".to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            ..Head::default()
        }),
        end: true,
        timeout_ms: 30_000,
        ..RequestFrame::default()
    };
    let (_sending, mut receiving) =
        mux.open(Box::new(request)).map_err(|(error, _)| error)?.split();
    match receiving.part().await.context("no response")? {
        Ok(Part::Response(response)) => {
            let status = response.response.map_or(0, |head| head.status);
            ensure!(status == 200 && response.end && !response.data.is_empty(), "status {status}");
            Ok(())
        }
        other => bail!("not a whole response: {other:?}"),
    }
}

/// A plugin with one activation, and the id of its endpoint.
async fn start(launcher: &Launcher, directory: &std::path::Path) -> Result<(Supervised, u32)> {
    let listener = Listener::bind_unix(directory, "host")?;
    let target = format!("unix://{}", listener.address());
    let published = Published::default();
    let services = Server::builder().add_service(EndpointsServer::new(published.clone()));
    tokio::spawn(services.serve_with_incoming(listener.incoming(None, PeerCheck::any())));
    let env = vec![(OsString::from(HOST_ADDRESS), OsString::from(target))];
    let cookie = (COOKIE_KEY, COOKIE_VALUE);
    let site = built("bench-site")?;
    let plugin = plugin::supervised_with(launcher, &site, TlsMode::Auto, cookie, env).await?;
    let mut lifecycle = LifecycleClient::new(plugin.process.channel());
    lifecycle.load(LoadRequest { generation: 1, ..LoadRequest::default() }).await?;
    let init = InitRequest {
        activation: ACTIVATION.to_owned(),
        instance: "site".to_owned(),
        parameters: PARAMETERS.into(),
        ..InitRequest::default()
    };
    let problems = lifecycle.init(init).await?.into_inner().problems;
    ensure!(problems.is_empty(), "{problems:?}");
    let endpoint = published.first().context("the plugin has no endpoint")?;
    Ok((plugin, endpoint))
}

/// The ids of the endpoints that the plugin added.
#[derive(Clone, Default)]
struct Published(Arc<Mutex<Vec<u32>>>);

impl Published {
    fn first(&self) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().copied()
    }
}

#[tonic::async_trait]
impl Endpoints for Published {
    async fn add(&self, request: Request<AddRequest>) -> Result<Response<AddResponse>, Status> {
        let ids = request.into_inner().endpoints.into_iter().map(|endpoint| endpoint.id);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        Ok(Response::new(AddResponse {}))
    }

    async fn remove(&self, _: Request<RemoveRequest>) -> Result<Response<RemoveResponse>, Status> {
        Err(Status::unimplemented("nothing is removed here"))
    }
}
