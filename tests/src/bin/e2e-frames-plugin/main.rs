//! A plugin that writes its frames by hand, most of them wrong.
//!
//! `e2e-frames-plugin NAME STREAM`: it goes by that name, and begins each of its streams as `stream.rs` says. What it
//! does with a request is the last segment of the path: see `misdeed.rs`.

mod misdeed;
mod stream;
mod wire;

use std::process::ExitCode;

use outboard_proto::{
    env::{ACTIVATION_METADATA, APP_VERSION, COOKIE_KEY, COOKIE_VALUE},
    host::v1::{AddRequest, Endpoint, endpoints_client::EndpointsClient},
    plugin::v1::{
        Capability, CheckRequest, CheckResponse, CloseRequest, CloseResponse, InitRequest,
        InitResponse, LoadRequest, LoadResponse, RevokeUserRequest, RevokeUserResponse,
        UnloadRequest, UnloadResponse,
        lifecycle_server::{Lifecycle, LifecycleServer},
    },
};
use outboard_sdk::go_plugin::{Broker, Server};
use tokio::sync::OnceCell;
use tonic::{Request, Response, Status, service::Routes, transport::Channel};

/// The only endpoint.
const ENDPOINT: u32 = 1;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(beginning)) = (arguments.next(), arguments.next()) else {
        eprintln!("e2e-frames-plugin NAME STREAM");
        return ExitCode::FAILURE;
    };
    let Some(beginning) = stream::Beginning::named(&beginning) else {
        eprintln!("{beginning:?} is no way to begin a stream");
        return ExitCode::FAILURE;
    };
    let services = move |process: &outboard_sdk::go_plugin::Process| {
        let plugin = Plugin { name, broker: process.broker().clone(), host: OnceCell::new() };
        Routes::new(LifecycleServer::new(plugin)).add_service(wire::Http { beginning })
    };
    Server::new(COOKIE_KEY, COOKIE_VALUE).version(APP_VERSION, services).serve()
}

/// All of it that is as it should be.
struct Plugin {
    name: String,
    broker: Broker,
    host: OnceCell<Channel>,
}

#[tonic::async_trait]
impl Lifecycle for Plugin {
    async fn load(&self, request: Request<LoadRequest>) -> Result<Response<LoadResponse>, Status> {
        let dialled = self.broker.dial(request.get_ref().broker_id).await;
        let channel = dialled.map_err(|error| Status::unavailable(error.to_string()))?;
        // A process is loaded once.
        let _ = self.host.set(channel);
        Ok(Response::new(LoadResponse {
            name: self.name.clone(),
            capabilities: vec![Capability::HttpServe.into()],
            ..LoadResponse::default()
        }))
    }

    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        let channel = self.host.get().ok_or_else(|| Status::failed_precondition("not loaded"))?;
        let endpoint = Endpoint {
            id: ENDPOINT,
            method: "*".to_owned(),
            url: "*".to_owned(),
            ..Endpoint::default()
        };
        let mut add = Request::new(AddRequest { endpoints: vec![endpoint] });
        let activation = request.into_inner().activation.parse();
        let activation = activation.map_err(|_| Status::invalid_argument("no activation"))?;
        add.metadata_mut().insert(ACTIVATION_METADATA, activation);
        EndpointsClient::new(channel.clone()).add(add).await?;
        Ok(Response::new(InitResponse::default()))
    }

    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        Ok(Response::new(CheckResponse::default()))
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        Ok(Response::new(CloseResponse {}))
    }

    async fn unload(&self, _: Request<UnloadRequest>) -> Result<Response<UnloadResponse>, Status> {
        Ok(Response::new(UnloadResponse {}))
    }

    async fn revoke_user(
        &self,
        _: Request<RevokeUserRequest>,
    ) -> Result<Response<RevokeUserResponse>, Status> {
        Ok(Response::new(RevokeUserResponse {}))
    }
}
