//! A small database in `MaxMind`'s format: one IPv4 network of 24 bits, and where it is.

/// Behind the tree, before the data.
const SEPARATOR: usize = 16;
const BITS: usize = 24;

/// The whole file.
pub(crate) fn of(network: [u8; 3], city: &str, country: &str, code: &str) -> Vec<u8> {
    let nowhere = BITS;
    let mut file = Vec::new();
    for bit in 0..BITS {
        let is_set = network[bit / 8] >> (7 - bit % 8) & 1 == 1;
        let next = if bit + 1 == BITS { BITS + SEPARATOR } else { bit + 1 };
        let (zero, one) = if is_set { (nowhere, next) } else { (next, nowhere) };
        file.extend([record(zero), record(one)].concat());
    }
    file.extend([0; SEPARATOR]);
    file.extend(map(&[
        ("city", map(&[("names", map(&[("en", text(city))]))])),
        ("country", map(&[("iso_code", text(code)), ("names", map(&[("en", text(country))]))])),
    ]));
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", vec![1, 2, 1]),
        ("database_type", text("Test")),
        ("description", map(&[])),
        ("ip_version", number(5, 4)),
        ("languages", vec![0, 4]),
        ("node_count", number(6, 24)),
        ("record_size", number(5, 24)),
    ]));
    file
}

fn record(to: usize) -> Vec<u8> {
    u32::try_from(to).unwrap_or(0).to_be_bytes()[1..].to_vec()
}

/// A type below 8, and a size below 29.
fn head(kind: u8, size: usize) -> u8 {
    kind << 5 | u8::try_from(size).unwrap_or(0)
}

fn text(text: &str) -> Vec<u8> {
    [&[head(2, text.len())], text.as_bytes()].concat()
}

fn number(kind: u8, number: u8) -> Vec<u8> {
    vec![head(kind, 1), number]
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![head(7, entries.len())];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}
