//! Who the client is when proxies stand between.
//!
//! Each proxy appends the address it was called from, so the list is read from its end, and only as far as
//! the addresses are those of proxies that the operator trusts: what stands to the left of the first
//! stranger was written by that stranger.

use std::net::{IpAddr, SocketAddr};

/// The client as it is told to plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// Whether it spoke TLS to the outermost trusted proxy; none where no trusted proxy says so.
    pub is_tls: Option<bool>,
}

/// Values of the fields that proxies write, each in the order of arrival.
#[derive(Debug, Clone, Default)]
pub struct Claims<'a> {
    pub forwarded: Vec<&'a [u8]>,
    pub x_forwarded_for: Vec<&'a [u8]>,
    pub x_forwarded_proto: Vec<&'a [u8]>,
}

/// The client of a connection from `peer`; `is_trusted` knows the operator's proxies.
///
/// A proxy writes `Forwarded` or `X-Forwarded-For` and hands the other on as a stranger wrote it. Which of
/// the two is the proxy's cannot be seen, so where both are there and disagree, neither counts.
pub fn client(peer: IpAddr, is_trusted: impl Fn(IpAddr) -> bool, claims: &Claims<'_>) -> Client {
    let peer = peer.to_canonical();
    let unproxied = Client { address: peer, is_tls: None };
    if !is_trusted(peer) {
        return unproxied;
    }
    let old = walk(peer, &is_trusted, old_hops(claims));
    let new = walk(peer, &is_trusted, new_hops(claims));
    match (claims.forwarded.is_empty(), claims.x_forwarded_for.is_empty()) {
        (true, _) => old,
        (false, true) => new,
        (false, false) if old.address == new.address => new,
        (false, false) => unproxied,
    }
}

/// One hop as its proxy described it; the address is none where it is hidden or unreadable.
struct Hop {
    address: Option<IpAddr>,
    is_tls: Option<bool>,
}

/// Goes through the hops from the last to the first, as far as they are trusted.
fn walk(peer: IpAddr, is_trusted: impl Fn(IpAddr) -> bool, hops: Vec<Hop>) -> Client {
    let mut client = Client { address: peer, is_tls: None };
    for hop in hops.into_iter().rev() {
        client.is_tls = hop.is_tls.or(client.is_tls);
        let Some(address) = hop.address else { break };
        client.address = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// `X-Forwarded-For: client, proxy` with `X-Forwarded-Proto`, which most proxies set and do not append to:
/// where it has as many entries as the addresses they belong together, else its last one counts for all.
fn old_hops(claims: &Claims<'_>) -> Vec<Hop> {
    let schemes: Vec<_> = items(&claims.x_forwarded_proto).map(is_tls).collect();
    let addresses: Vec<_> = items(&claims.x_forwarded_for).map(address).collect();
    let last = schemes.last().copied().flatten();
    let is_paired = schemes.len() == addresses.len();
    let scheme = |index: usize| if is_paired { schemes[index] } else { last };
    if addresses.is_empty() {
        return vec![Hop { address: None, is_tls: last }];
    }
    addresses
        .iter()
        .enumerate()
        .map(|(index, &address)| Hop { address, is_tls: scheme(index) })
        .collect()
}

fn items<'a>(values: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    values.iter().flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// `Forwarded: for=192.0.2.60;proto=https, for="[2001:db8::1]:443"` (RFC 7239).
fn new_hops(claims: &Claims<'_>) -> Vec<Hop> {
    claims.forwarded.iter().flat_map(|value| split(value, b',')).map(hop).collect()
}

fn hop(element: &[u8]) -> Hop {
    let mut hop = Hop { address: None, is_tls: None };
    for pair in split(element, b';') {
        let Some(equals) = pair.iter().position(|&byte| byte == b'=') else { continue };
        let value = unquote(pair[equals + 1..].trim_ascii());
        match pair[..equals].trim_ascii().to_ascii_lowercase().as_slice() {
            b"for" => hop.address = address(value),
            b"proto" => hop.is_tls = is_tls(value),
            _ => {}
        }
    }
    hop
}

/// Splits at `mark` outside of quoted strings. A quote that is never closed takes the rest, which then is no
/// address, so the walk ends there.
fn split(text: &[u8], mark: u8) -> Vec<&[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|&byte| {
        let is_literal = std::mem::take(&mut is_escaped);
        match byte {
            b'\\' if is_quoted && !is_literal => is_escaped = true,
            b'"' if !is_literal => is_quoted = !is_quoted,
            _ => {}
        }
        byte == mark && !is_quoted
    })
    .map(<[u8]>::trim_ascii)
    .collect()
}

/// Takes the quotes off. Escapes stay: no address and no scheme needs one.
fn unquote(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

fn is_tls(scheme: &[u8]) -> Option<bool> {
    match scheme.to_ascii_lowercase().as_slice() {
        b"https" => Some(true),
        b"http" => Some(false),
        _ => None,
    }
}

/// An address with or without a port; IPv6 with or without brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn evaluate(peer: &str, claims: &Claims<'_>) -> (String, Option<bool>) {
        // 10.0.0.0/8 and fd00::/8
        let is_trusted = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets()[0] == 10,
            IpAddr::V6(address) => address.octets()[0] == 0xfd,
        };
        let client = client(peer.parse().unwrap(), is_trusted, claims);
        (client.address.to_string(), client.is_tls)
    }

    fn old(peer: &str, values: &[&str]) -> String {
        let x_forwarded_for = values.iter().map(|value| value.as_bytes()).collect();
        evaluate(peer, &Claims { x_forwarded_for, ..Claims::default() }).0
    }

    fn new(value: &str) -> (String, Option<bool>) {
        evaluate(PROXY, &Claims { forwarded: vec![value.as_bytes()], ..Claims::default() })
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        assert_eq!(old("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        let forwarded = vec![&b"for=1.2.3.4;proto=https"[..]];
        let claims = Claims { forwarded, ..Claims::default() };
        assert_eq!(evaluate("192.0.2.1", &claims), ("192.0.2.1".into(), None));
    }

    #[test]
    fn the_list_is_read_from_its_end_until_the_first_stranger() {
        assert_eq!(old(PROXY, &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(old(PROXY, &["6.6.6.6, 198.51.100.7, 10.2.3.4"]), "198.51.100.7");
        assert_eq!(old(PROXY, &["6.6.6.6", "198.51.100.7,10.2.3.4"]), "198.51.100.7");
        assert_eq!(old(PROXY, &["10.9.9.9, 10.2.3.4"]), "10.9.9.9");
        assert_eq!(old("fd00::1", &["[2001:db8::5]:443"]), "2001:db8::5");
        assert_eq!(old(PROXY, &["198.51.100.7:1234"]), "198.51.100.7");
        assert_eq!(old("::ffff:10.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn an_unreadable_hop_ends_the_walk_at_the_proxy_that_wrote_it() {
        for value in ["unknown", "", "6.6.6.6, unknown", "6.6.6.6, ", "1.2.3.4.5", "\u{e9}"] {
            assert_eq!(old(PROXY, &[value]), PROXY, "{value:?}");
        }
        assert_eq!(old(PROXY, &[]), PROXY);
    }

    #[test]
    fn the_standard_field_is_read_with_its_quotes_and_parameters() {
        assert_eq!(new("for=198.51.100.7"), ("198.51.100.7".into(), None));
        assert_eq!(
            new("For=\"[2001:db8::5]:4711\";proto=https;by=10.0.0.1"),
            ("2001:db8::5".into(), Some(true))
        );
        assert_eq!(
            new("for=6.6.6.6, for=198.51.100.7; proto=HTTP"),
            ("198.51.100.7".into(), Some(false))
        );
        assert_eq!(new("for=198.51.100.7;proto=https, for=10.2.3.4;proto=http").1, Some(true));
        assert_eq!(new("for=_hidden"), (PROXY.into(), None));
        assert_eq!(new("for=\"6.6.6.6, for=198.51.100.7"), (PROXY.into(), None));
        assert_eq!(new("for=\"a\\\", for=6.6.6.6\", for=198.51.100.7").0, "198.51.100.7");
    }

    #[test]
    fn two_fields_that_disagree_both_lose() {
        let claims = |forwarded: &'static [u8]| Claims {
            forwarded: vec![forwarded],
            x_forwarded_for: vec![b"198.51.100.7"],
            ..Claims::default()
        };
        assert_eq!(evaluate(PROXY, &claims(b"for=6.6.6.6;proto=https")), (PROXY.into(), None));
        assert_eq!(evaluate(PROXY, &claims(b"for=198.51.100.7")).0, "198.51.100.7");
    }

    #[test]
    fn the_old_scheme_belongs_to_the_hop_beside_it_or_to_all() {
        let check = |addresses: &'static [u8], schemes: &'static [u8]| {
            let x_forwarded_proto = vec![schemes];
            let x_forwarded_for = vec![addresses];
            evaluate(PROXY, &Claims { x_forwarded_for, x_forwarded_proto, ..Claims::default() }).1
        };
        assert_eq!(check(b"198.51.100.7", b"https"), Some(true));
        assert_eq!(check(b"6.6.6.6, 198.51.100.7", b"https, http"), Some(false));
        assert_eq!(check(b"6.6.6.6, 198.51.100.7, 10.2.3.4", b"https"), Some(true));
        assert_eq!(check(b"198.51.100.7", b"gopher"), None);
    }
}
