//! The body of a request, as its frames arrive.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use outboard_proto::frame::Failure;
use outboard_proto::plugin::v1::Informational;
use outboard_proto::transport::mux::{Informer, Part, Receiving};

use super::BodyError;
use crate::fields;

/// Dropped before its end, it tells the host that the rest is not wanted.
pub(crate) struct Incoming {
    /// What came with the head.
    first: Bytes,
    receiving: Receiving,
    /// Set while the client waits to be told that the body is wanted.
    on_demand: Option<Informer>,
}

impl Incoming {
    pub(crate) fn new(first: Bytes, receiving: Receiving, on_demand: Option<Informer>) -> Self {
        Self { first, receiving, on_demand }
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(informer) = self.on_demand.take() {
            // If the request is over, the next line says so.
            let _ = informer.inform(Informational { status: 100, headers: Vec::new() });
        }
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        let part = ready!(self.receiving.poll_part(cx));
        Poll::Ready(part.and_then(|part| match part {
            Ok(Part::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Part::Trailers(headers)) => Some(Ok(Frame::trailers(fields::from_proto(&headers)))),
            // Only plugins send these.
            Ok(Part::Informational(_) | Part::Response(_)) => None,
            Err(failure) => Some(Err(BodyError::cut_off(describe(&failure)))),
        }))
    }
}

fn describe(failure: &Failure) -> String {
    match failure {
        Failure::Reset { code, message } if message.is_empty() => code.as_str_name().to_owned(),
        Failure::Reset { code, message } => format!("{}: {message}", code.as_str_name()),
        Failure::Violation(violation) => format!("the host broke a rule: {violation}"),
        Failure::Lost | Failure::Refused => "the host is gone".to_owned(),
    }
}
