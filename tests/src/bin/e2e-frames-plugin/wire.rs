//! `Http.Serve` with messages that are bytes, so that they need not be what they should.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use outboard_proto::plugin::v1::Frames;
use prost::{Message as _, bytes::BufMut as _};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{Service, http},
    server::{Grpc, NamedService, StreamingService},
};

use crate::stream::{self, Beginning};

/// What a stream says: whole messages, or the end with a status.
pub(crate) type Outgoing = ReceiverStream<Result<Vec<u8>, Status>>;

/// The service.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) beginning: Beginning,
}

impl NamedService for Http {
    const NAME: &'static str = "outboard.plugin.v1.Http";
}

impl Service<http::Request<Body>> for Http {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let serve = Serve(self.beginning);
        Box::pin(async move {
            if request.uri().path() != "/outboard.plugin.v1.Http/Serve" {
                return Ok(Status::unimplemented("frames only").into_http());
            }
            Ok(Grpc::new(Raw).streaming(serve, request).await)
        })
    }
}

struct Serve(Beginning);

impl StreamingService<Frames> for Serve {
    type Response = Vec<u8>;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Status>> + Send>>;
    type Future =
        Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<Frames>>) -> Self::Future {
        let beginning = self.0;
        Box::pin(async move {
            let outgoing = stream::run(beginning, request.into_inner()).await?;
            Ok(Response::new(Box::pin(outgoing) as Self::ResponseStream))
        })
    }
}

/// Bytes out, frames in.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Frames;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Frames;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Frames>, Status> {
        Frames::decode(buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
