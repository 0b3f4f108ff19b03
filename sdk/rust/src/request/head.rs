//! What the steps of a chain have in common: the head of the request, and one body for all.

use std::sync::{self, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use outboard_proto::plugin::v1::{self, HandleRequest, Match, RequestFrame};
use outboard_proto::transport::mux::{Informer, Receiving, Sending};
use tokio::sync::Mutex;

use super::upload::Upload;
use crate::body::{Body, Incoming};
use crate::fields;

pub(crate) struct Head {
    pub(super) method: Method,
    pub(super) request: v1::Request,
    /// Made of `request.headers` when a handler first asks for them; most never do.
    headers: OnceLock<HeaderMap>,
    pub(super) matches: Vec<Match>,
    pub(super) upload: Mutex<Upload>,
    /// What may become of the connection: such a request has no body, and its end is not to be waited for.
    connection: sync::Mutex<Option<Body>>,
    /// `None` on the plain path.
    pub(super) informer: Option<Informer>,
    pub(super) deadline: Option<Instant>,
}

/// The host sent what HTTP has no place for: its fault, not the client's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Head {
    /// A request of the framed path.
    pub(crate) fn framed(
        frame: RequestFrame,
        sending: &Sending,
        receiving: Receiving,
    ) -> Result<Self, Malformed> {
        let RequestFrame { matches, request, data, end, timeout_ms, .. } = frame;
        let request = request.ok_or(Malformed)?;
        let informer = sending.informer();
        let on_demand = request.expects_continue.then(|| informer.clone());
        let mut connection = None;
        let body = if end {
            data.into()
        } else if request.upgrade.is_empty() {
            Body::wrap(Incoming::new(data, receiving, on_demand))
        } else {
            connection = Some(Body::wrap(Incoming::new(data, receiving, None)));
            Body::empty()
        };
        let mut head = Self::new(request, matches, body)?;
        head.connection = sync::Mutex::new(connection);
        head.informer = Some(informer);
        head.expect(timeout_ms.into());
        Ok(head)
    }

    /// One step of a request of the plain path. A time limit of 0 is none.
    pub(crate) fn plain(request: &mut HandleRequest, timeout_ms: u64) -> Result<Self, Malformed> {
        let matches = request.r#match.take().into_iter().collect();
        let body = std::mem::take(&mut request.body).into();
        let mut head = Self::new(request.request.take().ok_or(Malformed)?, matches, body)?;
        head.expect(timeout_ms);
        Ok(head)
    }

    pub(super) fn new(
        request: v1::Request,
        matches: Vec<Match>,
        body: Body,
    ) -> Result<Self, Malformed> {
        Ok(Self {
            method: Method::from_bytes(request.method.as_bytes()).map_err(|_| Malformed)?,
            request,
            headers: OnceLock::new(),
            matches,
            upload: Mutex::new(Upload::new(body)),
            connection: sync::Mutex::default(),
            informer: None,
            deadline: None,
        })
    }

    /// Which endpoint a step is for.
    pub(crate) fn endpoint_id(&self, step: usize) -> Result<u32, Malformed> {
        self.matches.get(step).map(|it| it.endpoint_id).ok_or(Malformed)
    }

    pub(crate) fn steps(&self) -> usize {
        self.matches.len()
    }

    fn expect(&mut self, timeout_ms: u64) {
        if timeout_ms != 0 {
            self.deadline = Instant::now().checked_add(Duration::from_millis(timeout_ms));
        }
    }

    pub(super) fn take_connection(&self) -> Option<Body> {
        self.connection.lock().unwrap_or_else(sync::PoisonError::into_inner).take()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.headers.get_or_init(|| fields::from_proto(&self.request.headers))
    }

    /// The first field of that name, without making a map of all.
    pub(super) fn header(&self, name: &str) -> Option<&Bytes> {
        let mut fields = self.request.headers.iter();
        fields.find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| &field.value)
    }
}
