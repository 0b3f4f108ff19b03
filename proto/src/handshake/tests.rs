use std::path::PathBuf;

use base64::prelude::BASE64_STANDARD as STANDARD;
use proptest::prelude::*;

use super::*;
use crate::transport::Identity;

const PLAIN: Expect<'_> = Expect { versions: &[1, 2], auto_mtls: false, multiplex: false };
const MTLS: Expect<'_> = Expect { auto_mtls: true, ..PLAIN };
const MUX: Expect<'_> = Expect { multiplex: true, ..PLAIN };

fn parse(line: &str) -> Result<Handshake, HandshakeError> {
    Handshake::parse(line.as_bytes(), &PLAIN)
}

/// A certificate as plugins make them; the length of its signature varies by a few bytes.
fn certificate() -> Vec<u8> {
    Identity::generate().unwrap().cert_der().to_owned()
}

/// A DER SEQUENCE of the size of a small certificate.
fn der() -> Vec<u8> {
    let mut der = vec![0x30, 0x81, 200];
    der.extend([7; 200]);
    der
}

fn line(cert: &str) -> String {
    format!("1|1|unix|/p|grpc|{cert}\n")
}

#[track_caller]
fn refused(line: &str, expected: &str) -> HandshakeError {
    let error = parse(line).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    error
}

#[test]
fn h01_five_fields_are_accepted_as_grpc_without_tls() {
    let handshake = parse("1|1|unix|/p|grpc\n").unwrap();
    assert_eq!(handshake.app_version, 1);
    assert_eq!(handshake.address, Address::Unix(PathBuf::from("/p")));
    assert_eq!(handshake.server_cert, None);
    assert!(!handshake.multiplex);
}

#[test]
fn h02_an_empty_certificate_field_is_accepted() {
    assert_eq!(parse("1|1|unix|/p|grpc|\n").unwrap().server_cert, None);
}

#[test]
fn h03_four_fields_mean_netrpc_and_are_refused() {
    let error = refused("1|1|unix|/p", "unsupported protocol \"netrpc\"");
    assert!(error.is_permanent());
}

#[test]
fn h04_an_empty_protocol_field_is_refused() {
    refused("1|1|unix|/p|", "unsupported protocol \"\"");
    refused("1|1|unix|/p||", "unsupported protocol \"\"");
}

#[test]
fn h05_blanks_around_the_line_and_a_carriage_return_do_not_matter() {
    let plain = parse("1|1|unix|/p|grpc").unwrap();
    for line in ["  1|1|unix|/p|grpc \t\r\n", "1|1|unix|/p|grpc\r\n", "\t1|1|unix|/p|grpc"] {
        assert_eq!(parse(line).unwrap(), plain);
    }
}

#[test]
fn h06_blanks_around_inner_fields_are_a_parse_error_of_the_core_version() {
    refused(
        "1 | 1 | unix | /p | grpc",
        "core protocol version (field 1) of the handshake is \"1 \"",
    );
}

#[test]
fn h07_what_is_no_handshake_is_quoted() {
    refused("hello\n", "got \"hello\"; a plugin must print nothing before");
    refused("1|1|unix\n", "got \"1|1|unix\"");
}

#[test]
fn h07_the_quote_is_escaped_and_bounded() {
    let error =
        Handshake::parse(&[b"\x1b[31m\xff".as_slice(), &vec![b'a'; 60_000]].concat(), &PLAIN);
    let text = error.unwrap_err().to_string();
    assert!(text.len() < 600 && text.contains("60006 bytes"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn h08_a_blank_first_line_is_refused_though_a_good_one_follows() {
    refused("\n1|1|unix|/p|grpc\n", "got \"\"");
    refused("\r\n1|1|unix|/p|grpc\n", "got \"\"");
}

#[test]
fn h11_another_core_version_or_none_is_refused() {
    assert!(refused("2|1|unix|/p|grpc", "core protocol version 2").is_permanent());
    refused("x|1|unix|/p|grpc", "is \"x\", not a number");
    refused("-1|1|unix|/p|grpc", "core protocol version -1");
}

#[test]
fn h12_a_version_that_was_not_offered_lists_both_sides() {
    let error = refused("1|3|unix|/p|grpc", "application version 3");
    assert!(error.to_string().contains("accepts [1, 2]"), "{error}");
    assert!(error.is_permanent());
    refused("1|x|unix|/p|grpc", "application version (field 2) of the handshake is \"x\"");
    refused("1|-1|unix|/p|grpc", "application version -1");
    refused("1|4294967297|unix|/p|grpc", "application version 4294967297");
}

#[test]
fn numbers_are_read_as_go_reads_them() {
    assert_eq!(parse("+1|02|unix|/p|grpc").unwrap().app_version, 2);
    assert!(parse("1|1_0|unix|/p|grpc").is_err());
    assert!(parse("1|0x1|unix|/p|grpc").is_err());
}

#[test]
fn h13_an_unknown_network_is_named() {
    assert!(refused("1|1|udp|/p|grpc", "unknown network \"udp\"").is_permanent());
    refused("1|1|unix |/p|grpc", "unknown network \"unix \"");
}

#[test]
fn the_first_wrong_field_is_the_one_that_is_blamed() {
    refused("2|9|udp|/p|netrpc", "core protocol");
    refused("1|9|udp|/p|netrpc", "application version");
    refused("1|1|udp|/p|netrpc", "unknown network");
    refused(&format!("1|1|unix|/p|netrpc|{}", "=".repeat(60)), "unsupported protocol");
}

#[test]
fn h14_tcp_addresses_are_host_and_port() {
    for (address, host) in [
        ("localhost:1234", "localhost"),
        (":1234", ""),
        ("[::1]:1234", "::1"),
        ("[fe80::1%lo]:1234", "fe80::1%lo"),
    ] {
        let handshake = parse(&format!("1|1|tcp|{address}|grpc")).unwrap();
        assert_eq!(handshake.address, Address::Tcp(address.to_owned()));
        assert_eq!(handshake.address.host_and_port(), Some((host, 1234)));
    }
    for address in
        ["", "localhost", "localhost:", "a:0", "a:+1", "a:65536", "::1:80", "[::1:80", "a b:1"]
    {
        refused(&format!("1|1|tcp|{address}|grpc"), "is not \"host:port\"");
    }
}

#[test]
fn an_address_that_no_socket_can_have_is_refused_with_its_limit() {
    let unix = |bytes: usize| format!("1|1|unix|/{}|grpc", "a".repeat(bytes - 1));
    assert!(parse(&unix(107)).is_ok());
    refused(&unix(108), "more than 107 bytes; listen at a shorter one");
    let named = |bytes: usize| format!("1|1|unix|@{}|grpc", "a".repeat(bytes));
    assert!(parse(&named(107)).is_ok());
    refused(&named(108), "more than 107 bytes");
    let tcp = |bytes: usize| format!("1|1|tcp|{}:80|grpc", "a".repeat(bytes - 3));
    assert!(parse(&tcp(260)).is_ok());
    refused(&tcp(261), "more than 260 bytes");
}

#[test]
fn h15_a_leading_at_sign_means_an_abstract_socket() {
    assert_eq!(parse("1|1|unix|@name|grpc").unwrap().address, Address::Abstract(b"name".to_vec()));
    refused("1|1|unix||grpc", "is empty");
    refused("1|1|unix|@|grpc", "is empty");
}

#[test]
fn a_socket_path_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let handshake = Handshake::parse(b"1|1|unix|/\xff|grpc", &PLAIN).unwrap();
    let Address::Unix(path) = handshake.address else { panic!("no Unix address") };
    assert_eq!(path.as_os_str().as_bytes(), b"/\xff");
}

#[test]
fn h16_fifty_characters_of_junk_are_no_certificate() {
    assert_eq!(parse(&line(&"=".repeat(50))).unwrap().server_cert, None);
    refused(&line(&"=".repeat(51)), "not base64");
}

#[test]
fn h17_a_certificate_that_nobody_asked_for_is_ignored() {
    assert_eq!(parse(&line(&BASE64.encode(certificate()))).unwrap().server_cert, None);
    assert_eq!(parse(&line(&BASE64.encode(der()))).unwrap().server_cert, None);
}

#[test]
fn a_certificate_that_was_asked_for_is_unpacked() {
    let line = line(&BASE64.encode(der()));
    assert_eq!(Handshake::parse(line.as_bytes(), &MTLS).unwrap().server_cert, Some(der()));
}

#[test]
fn h18_padding_and_other_alphabets_are_refused() {
    // Where a certificate's length asks for none, padding would be wrong for any decoder.
    let certificate = std::iter::repeat_with(certificate)
        .find(|certificate| certificate.len() % 3 != 0)
        .expect("an endless supply, of lengths that vary");
    let good = BASE64.encode(&certificate);
    let padded = STANDARD.encode(&certificate);
    assert!(padded.ends_with('='), "{padded}");
    let mtls = |field: &str| Handshake::parse(line(field).as_bytes(), &MTLS);
    assert_eq!(mtls(&good).unwrap().server_cert, Some(certificate));
    for handshake in [mtls(&padded), parse(&line(&padded))] {
        let error = handshake.unwrap_err();
        assert!(matches!(error, HandshakeError::CertificateBase64(_)), "{error}");
    }
    refused(&line(&"-_".repeat(40)), "standard alphabet without padding");
}

#[test]
fn base64_that_is_no_certificate_is_refused() {
    let mut cut = der();
    cut.pop();
    let mut long = der();
    long.push(0);
    for bytes in [&b"-----BEGIN CERTIFICATE-----\nMIIB1DCCAVqgAwIBAgIQ"[..], &cut, &long, &[0; 60]]
    {
        refused(&line(&BASE64.encode(bytes)), "not one DER certificate");
    }
}

#[test]
fn h19_a_missing_certificate_is_refused_where_mutual_tls_was_asked_for() {
    for line in ["1|1|unix|/p|grpc".to_owned(), line(""), line(&"a".repeat(50))] {
        let error = Handshake::parse(line.as_bytes(), &MTLS).unwrap_err();
        assert_eq!(error, HandshakeError::CertificateMissing);
    }
}

#[test]
fn h20_multiplexing_that_was_asked_for_must_be_promised() {
    let parse = |line: &str| Handshake::parse(line.as_bytes(), &MUX);
    assert_eq!(parse("1|1|unix|/p|grpc|"), Err(HandshakeError::MultiplexUnsupported));
    assert_eq!(parse("1|1|unix|/p|grpc||false"), Err(HandshakeError::MultiplexUnsupported));
    let malformed = HandshakeError::MultiplexMalformed { got: "\"yes\"".to_owned() };
    assert_eq!(parse("1|1|unix|/p|grpc||yes"), Err(malformed));
    assert!(parse("1|1|unix|/p|grpc||1").unwrap().multiplex);
}

#[test]
fn h21_further_fields_mean_nothing_where_multiplexing_was_not_asked_for() {
    for line in ["1|1|unix|/p|grpc||true", "1|1|unix|/p|grpc||yes|", "1|1|unix|/p|grpc||true|a|b"] {
        assert!(!parse(line).unwrap().multiplex, "{line}");
    }
}

#[test]
fn e06_no_seventh_field_is_printed_unless_the_host_asked() {
    let line = |server_cert, multiplex| {
        let address = Address::Unix(PathBuf::from("/p"));
        Line { app_version: 1, address, server_cert, multiplex }.to_string()
    };
    assert_eq!(line(None, None), "1|1|unix|/p|grpc|");
    assert_eq!(line(None, Some(false)), "1|1|unix|/p|grpc||false");
    assert_eq!(line(Some(vec![0x30, 0]), Some(true)), "1|1|unix|/p|grpc|MAA|true");
}

#[test]
fn what_is_printed_is_what_is_parsed() {
    for address in [
        Address::Unix(PathBuf::from("/run/x/plugin1")),
        Address::Abstract(b"name".to_vec()),
        Address::Tcp("127.0.0.1:1234".to_owned()),
    ] {
        assert!(address.is_printable());
        let line = Line {
            app_version: 2,
            address: address.clone(),
            server_cert: Some(der()),
            multiplex: Some(true),
        };
        let expect = Expect { versions: &[2], auto_mtls: true, multiplex: true };
        let handshake = Handshake::parse(line.to_string().as_bytes(), &expect).unwrap();
        assert_eq!((handshake.address, handshake.server_cert), (address, Some(der())));
    }
}

#[test]
fn an_address_that_the_line_cannot_carry_is_known_as_such() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    for path in [&b"/a|b"[..], b"/a\nb", b"/\xff"] {
        assert!(!Address::Unix(PathBuf::from(OsStr::from_bytes(path))).is_printable());
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(line: Vec<u8>, auto_mtls: bool, multiplex: bool) {
        let _ = Handshake::parse(&line, &Expect { versions: &[1], auto_mtls, multiplex });
    }

    #[test]
    fn parsing_what_looks_like_a_handshake_never_panics(
        fields in proptest::collection::vec("1|unix|tcp|grpc|@|[a-z]*:[0-9]*|[A-Za-z0-9+/]{51,80}|.{0,8}", 0..9),
        auto_mtls: bool,
        multiplex: bool,
    ) {
        let expect = Expect { versions: &[1], auto_mtls, multiplex };
        if let Err(error) = Handshake::parse(fields.join("|").as_bytes(), &expect) {
            prop_assert!(error.to_string().len() < 2000);
        }
    }
}
