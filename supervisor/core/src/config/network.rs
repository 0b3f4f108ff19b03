//! Ranges of IP addresses, as `trusted_proxies` lists them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// All addresses that begin with the same bits, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many bits count.
    length: u8,
}

impl Network {
    /// Whether an address is in the range. IPv4 addresses that came in on an IPv6 socket
    /// (`::ffff:10.1.2.3`) count as what they are.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && (bits(address) ^ bits(self.address)) & self.mask() == 0
    }

    /// The bits that count, in the places where [`bits`] has them.
    fn mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0)
    }
}

/// An address at the upper end of a number, so that a prefix is the same bits for both families.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << (128 - Ipv4Addr::BITS),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || {
            format!(
                "{text:?} is not a range of addresses; write one such as \"10.0.0.0/8\" or \"fd00::/8\""
            )
        };
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(longest), str::parse).map_err(|_| malformed())?;
        let network = Self { address, length };
        if length > longest {
            return Err(format!(
                "{text:?} has more bits than an address; write at most /{longest}"
            ));
        }
        // Most likely an address was meant, or the length is a slip; both would trust too many.
        if bits(address) & !network.mask() != 0 {
            return Err(format!(
                "{text:?} has bits behind its length; write the first address of the range, or a longer length"
            ));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, inside: &[&str], outside: &[&str]) {
        let network: Network = network.parse().unwrap();
        for address in inside {
            assert!(network.contains(address.parse().unwrap()), "{address} in {network}");
        }
        for address in outside {
            assert!(!network.contains(address.parse().unwrap()), "{address} in {network}");
        }
    }

    #[test]
    fn a_range_holds_what_begins_with_its_bits() {
        check(
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.1.2", "::ffff:10.1.1.1"],
            &["11.0.0.0", "::10.0.0.1", "fd00::1"],
        );
        check("192.168.4.0/22", &["192.168.7.255"], &["192.168.8.0", "192.168.3.255"]);
        check("fd00::/8", &["fdff::1"], &["fe00::1", "10.0.0.1"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("::/0", &["::1"], &["1.2.3.4"]);
    }

    #[test]
    fn an_address_alone_is_a_range_of_one() {
        check("127.0.0.1", &["127.0.0.1"], &["127.0.0.2"]);
        check("::1", &["::1"], &["::2"]);
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10",
            "10.0.0/8",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "::1/64",
            "::/129",
            "a/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
