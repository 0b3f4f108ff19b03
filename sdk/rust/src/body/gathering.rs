//! Reads a body whole.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::{Body, BodyError};

/// A body of which a part may have been read. It outlives the future that reads it.
pub(crate) struct Gathering {
    body: Body,
    /// A body that comes in one piece is never copied.
    first: Bytes,
    more: BytesMut,
}

impl Gathering {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, first: Bytes::new(), more: BytesMut::new() }
    }

    /// Nothing of it was read.
    pub(crate) fn is_untouched(&self) -> bool {
        self.first.is_empty()
    }

    pub(crate) fn into_body(self) -> Body {
        self.body
    }

    /// The rest, and the trailers. After an error what is left means nothing.
    pub(crate) async fn bytes_up_to(
        &mut self,
        limit: usize,
    ) -> Result<(Bytes, Option<HeaderMap>), BodyError> {
        while let Some(data) = self.body.next().await {
            self.push(data?, limit)?;
        }
        let trailers = self.body.take_trailers();
        let first = std::mem::take(&mut self.first);
        let more = std::mem::take(&mut self.more);
        Ok((if more.is_empty() { first } else { more.freeze() }, trailers))
    }

    fn push(&mut self, data: Bytes, limit: usize) -> Result<(), BodyError> {
        let read = if self.more.is_empty() { self.first.len() } else { self.more.len() };
        if limit.saturating_sub(read) < data.len() {
            return Err(BodyError::too_large(limit));
        }
        if self.first.is_empty() {
            self.first = data;
            return Ok(());
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&self.first);
        }
        self.more.extend_from_slice(&data);
        Ok(())
    }
}
