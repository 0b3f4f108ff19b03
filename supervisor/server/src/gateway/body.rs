//! The whole body of a request, or the reason why there is none.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::respond::Refusal;

/// Reads `body` to its end. One that says it is too long is not read at all, so that a client which waits for
/// `100 Continue` sends nothing in vain; one that does not say is counted.
pub(super) async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::BodyTooLarge { limit };
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > limit) {
        return Err(too_large());
    }
    let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(too_large());
    }
    let Some(second) = next(&mut body).await? else { return Ok(first) };
    let mut whole = BytesMut::from(&first[..]);
    let mut more = Some(second);
    while let Some(data) = more {
        if data.len() > limit - whole.len() {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
        more = next(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// The next piece that is not empty. Trailers are dropped: a plain call has no place for them.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        // Hyper ends the connection when the client has gone, and this future with it; so what is left are
        // chunks that are none.
        let frame = frame
            .map_err(|_| Refusal::Malformed("the body is not framed as its headers say".into()))?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
