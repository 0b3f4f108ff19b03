//! A request's body, which every step of a chain may want.

use bytes::Bytes;
use http::HeaderMap;

use crate::body::{Body, BodyError, Gathering};

/// What became of it so far. The rules do not depend on how large it is, nor on how it arrives.
pub(crate) enum Upload {
    /// Nobody has taken it. It may have been read in part, to be had whole.
    Here(Gathering),
    /// Somebody wanted it whole, so everybody may have it.
    Whole(Bytes, Option<HeaderMap>),
    /// Somebody took it, or it could not be read.
    Gone,
}

impl Upload {
    pub(super) fn new(body: Body) -> Self {
        match body.as_bytes() {
            Some(data) if data.is_empty() => Self::Whole(Bytes::new(), None),
            _ => Self::Here(Gathering::new(body)),
        }
    }

    pub(super) async fn bytes_up_to(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        if let Self::Here(gathering) = self {
            // Unless the future is dropped, it is one or the other afterwards.
            let read = gathering.bytes_up_to(limit).await;
            *self = Self::Gone;
            let (data, trailers) = read?;
            *self = Self::Whole(data, trailers);
        }
        match self {
            Self::Whole(data, _) if data.len() <= limit => Ok(data.clone()),
            Self::Whole(..) => Err(BodyError::too_large(limit)),
            Self::Here(_) | Self::Gone => Err(BodyError::taken()),
        }
    }

    pub(super) fn take(&mut self) -> Body {
        match std::mem::replace(self, Self::Gone) {
            Self::Here(gathering) if gathering.is_untouched() => gathering.into_body(),
            Self::Whole(data, trailers) => {
                let body = Body::from(data.clone());
                *self = Self::Whole(data, trailers.clone());
                match trailers {
                    Some(trailers) => body.with_trailers(trailers),
                    None => body,
                }
            }
            Self::Here(_) | Self::Gone => Body::taken(),
        }
    }
}
