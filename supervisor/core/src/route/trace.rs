//! W3C Trace Context: the span under which a request runs. Randomness is an argument.

use std::fmt;

/// The `traceparent` of one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// The only flag that version 00 defines.
const SAMPLED: u8 = 1;

impl TraceParent {
    /// Reads a client's `traceparent`; nothing where it breaks the rules, and then a new trace begins.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(55)?;
        let [version, trace, span, flags] = fields(known)?;
        // A later version may add fields, set off by a dash; version 00 ends here, and ff is forbidden.
        let is_allowed = match version {
            b"00" => rest.is_empty(),
            b"ff" => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        bytes::<1>(version).filter(|_| is_allowed)?;
        let [flags] = bytes(flags)?;
        Self { trace: bytes(trace)?, span: bytes(span)?, flags: flags & SAMPLED }.checked()
    }

    /// A new trace, sampled by whoever asks first.
    pub fn root(trace: [u8; 16], span: [u8; 8]) -> Self {
        Self { trace: non_zero(trace), span: non_zero(span), flags: 0 }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(self, span: [u8; 8]) -> Self {
        Self { span: non_zero(span), ..self }
    }

    fn checked(self) -> Option<Self> {
        (self.trace != [0; 16] && self.span != [0; 8]).then_some(self)
    }
}

fn fields(known: &[u8]) -> Option<[&[u8]; 4]> {
    let is_cut = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
    is_cut.then(|| [&known[..2], &known[3..35], &known[36..52], &known[53..]])
}

/// All zeros means "none" on the wire, so the one draw in 2^64 that gives it is moved.
fn non_zero<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    if bytes == [0; N] {
        bytes[N - 1] = 1;
    }
    bytes
}

/// Lower-case hexadecimal only, as the specification demands.
fn bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], &self.trace);
        write_hex(&mut text[36..52], &self.span);
        write_hex(&mut text[53..], &[self.flags]);
        f.write_str(std::str::from_utf8(&text).expect("digits and dashes"))
    }
}

/// Written for each request, where a formatter's ways around are felt.
fn write_hex(text: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_child_stays_in_the_trace_with_a_span_of_its_own() {
        let parent = TraceParent::parse(GIVEN.as_bytes()).unwrap();
        assert_eq!(parent.to_string(), GIVEN);
        let child = parent.child([0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(child.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
    }

    #[test]
    fn a_root_is_never_all_zeros() {
        let root = TraceParent::root([0; 16], [0; 8]).to_string();
        assert_eq!(root, "00-00000000000000000000000000000001-0000000000000001-00");
        assert!(TraceParent::parse(root.as_bytes()).is_some());
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = GIVEN.replacen("00", "01", 1);
        assert!(TraceParent::parse(later.as_bytes()).is_some());
        assert!(TraceParent::parse(format!("{later}-more").as_bytes()).is_some());
        assert!(TraceParent::parse(format!("{later}more").as_bytes()).is_none());
    }

    #[test]
    fn what_breaks_the_rules_is_ignored() {
        let zeros = GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let no_span = GIVEN.replace("00f067aa0ba902b7", &"0".repeat(16));
        let forbidden = GIVEN.replacen("00", "ff", 1);
        let upper = GIVEN.to_uppercase();
        let longer = format!("{GIVEN}-00");
        let dashes = GIVEN.replace('-', "_");
        for bad in
            [&*zeros, &no_span, &forbidden, &upper, &longer, &dashes, &GIVEN[..54], "", "00-é"]
        {
            assert_eq!(TraceParent::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
