//! The lab service in Rust: what the host serves to Go plugins through the broker, and what our own lab plugin
//! serves to Go hosts.

use std::io::Write as _;

use outboard_proto::transport::{Broker, Incoming, PeerCheck};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server},
};

use crate::wire::lab::{
    Data, Id, Nothing, Number, Text,
    lab_client::LabClient,
    lab_server::{Lab, LabServer},
};

/// As Go's hosts and ours have it: what a plugin answers may be large.
pub const LIMIT: usize = i32::MAX as usize;

/// Answers the service. The one at the end of a broker connection has no broker of its own.
#[derive(Clone, Default)]
pub struct LabService {
    pub broker: Option<Broker>,
}

impl LabService {
    pub fn server(self) -> LabServer<Self> {
        LabServer::new(self).max_decoding_message_size(LIMIT)
    }

    fn broker(&self) -> Result<&Broker, Status> {
        self.broker.as_ref().ok_or_else(|| Status::failed_precondition("served without a broker"))
    }
}

/// Serves the lab on connections that come in through the broker, until the task is dropped with its set.
pub async fn serve(incoming: Incoming) {
    let served = Server::builder().add_service(LabService::default().server());
    let _ = served.serve_with_incoming(incoming).await;
}

/// Anybody may connect: the tests speak about other things.
pub fn anybody() -> PeerCheck {
    PeerCheck::any()
}

#[tonic::async_trait]
impl Lab for LabService {
    async fn double(&self, number: Request<Number>) -> Result<Response<Number>, Status> {
        Ok(Response::new(Number { value: 2 * number.into_inner().value }))
    }

    async fn measure(&self, data: Request<Data>) -> Result<Response<Number>, Status> {
        let size = i64::try_from(data.get_ref().value.len()).unwrap_or(i64::MAX);
        Ok(Response::new(Number { value: size }))
    }

    async fn fill(&self, size: Request<Number>) -> Result<Response<Data>, Status> {
        let size = usize::try_from(size.into_inner().value);
        let size = size.map_err(|_| Status::invalid_argument("a negative size"))?;
        Ok(Response::new(Data { value: vec![b'x'; size] }))
    }

    async fn print_out(&self, text: Request<Text>) -> Result<Response<Nothing>, Status> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.get_ref().value.as_bytes())?;
        stdout.flush()?;
        Ok(Response::new(Nothing {}))
    }

    async fn print_err(&self, text: Request<Text>) -> Result<Response<Nothing>, Status> {
        std::io::stderr().lock().write_all(text.get_ref().value.as_bytes())?;
        Ok(Response::new(Nothing {}))
    }

    async fn serve(&self, id: Request<Id>) -> Result<Response<Nothing>, Status> {
        let incoming = self.broker()?.accept(id.get_ref().value).await;
        let incoming = incoming.map_err(|error| Status::unavailable(error.to_string()))?;
        tokio::spawn(serve(incoming));
        Ok(Response::new(Nothing {}))
    }

    async fn dial(&self, id: Request<Id>) -> Result<Response<Number>, Status> {
        let channel = self.broker()?.dial(id.into_inner().value).await;
        let channel = channel.map_err(|error| Status::unavailable(error.to_string()))?;
        LabClient::new(channel).double(Number { value: 21 }).await
    }

    async fn next_id(&self, _: Request<Nothing>) -> Result<Response<Id>, Status> {
        Ok(Response::new(Id { value: self.broker()?.next_id() }))
    }
}

/// Calls the service, with plain values in and out.
#[derive(Clone)]
pub struct Client(LabClient<Channel>);

impl Client {
    pub fn new(channel: Channel) -> Self {
        Self(LabClient::new(channel).max_decoding_message_size(LIMIT))
    }

    pub async fn double(&self, value: i64) -> Result<i64, Status> {
        Ok(self.0.clone().double(Number { value }).await?.into_inner().value)
    }

    pub async fn measure(&self, value: Vec<u8>) -> Result<i64, Status> {
        Ok(self.0.clone().measure(Data { value }).await?.into_inner().value)
    }

    pub async fn fill(&self, value: i64) -> Result<Vec<u8>, Status> {
        Ok(self.0.clone().fill(Number { value }).await?.into_inner().value)
    }

    pub async fn print_out(&self, value: String) -> Result<(), Status> {
        self.0.clone().print_out(Text { value }).await.map(drop)
    }

    pub async fn serve(&self, value: u32) -> Result<(), Status> {
        self.0.clone().serve(Id { value }).await.map(drop)
    }

    pub async fn dial(&self, value: u32) -> Result<i64, Status> {
        Ok(self.0.clone().dial(Id { value }).await?.into_inner().value)
    }

    pub async fn next_id(&self) -> Result<u32, Status> {
        Ok(self.0.clone().next_id(Nothing {}).await?.into_inner().value)
    }
}
