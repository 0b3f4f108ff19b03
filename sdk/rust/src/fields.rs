//! Header and trailer fields, between the wire and `http`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use outboard_proto::plugin::v1::Header;

/// What the host sent. It lets no field pass that HTTP has no place for; one that comes all the same is
/// left out, as a handler could do nothing with it.
pub(crate) fn from_proto<'a>(fields: impl IntoIterator<Item = &'a Header>) -> HeaderMap {
    let fields = fields.into_iter();
    let mut headers = HeaderMap::with_capacity(fields.size_hint().0);
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(field.value.clone());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        } else {
            tracing::warn!(name = field.name, "the host sent a field that is none");
        }
    }
    headers
}

/// The values of one message share an allocation.
pub(crate) fn into_proto(headers: &HeaderMap) -> Vec<Header> {
    let mut arena = Vec::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| arena.extend_from_slice(value.as_bytes()));
    let mut arena = Bytes::from(arena);
    let mut fields = Vec::with_capacity(headers.len());
    fields.extend(headers.iter().map(|(name, value)| Header {
        name: name.as_str().to_owned(),
        value: arena.split_to(value.len()),
    }));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &'static [u8]) -> Header {
        Header { name: name.to_owned(), value: Bytes::from_static(value) }
    }

    #[test]
    fn repeated_fields_are_kept_and_impossible_ones_are_not() {
        let fields = [
            field("accept", b"a"),
            field("a b", b""),
            field("accept", b""),
            field("a", b"x\r\ny: z"),
            field("x", b"\xe9"),
        ];
        let headers = from_proto(&fields);
        assert_eq!(headers.len(), 3);
        assert_eq!(headers.get_all("accept").iter().count(), 2);
        assert_eq!(headers["x"].as_bytes(), b"\xe9");
    }

    #[test]
    fn fields_survive_the_wire() {
        for count in 0..3 {
            let mut headers = HeaderMap::new();
            for number in 0..count {
                headers.append("x-a", HeaderValue::from(number));
                headers.append("x-empty", HeaderValue::from_static(""));
            }
            assert_eq!(from_proto(&into_proto(&headers)), headers);
        }
    }
}
