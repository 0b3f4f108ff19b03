use super::*;

fn packed(strings: &[&str]) -> Packed {
    let mut packed = Packed::default();
    for string in strings {
        packed.push(&[string.as_bytes()]).unwrap();
    }
    packed
}

fn read(strings: Strings<'_>) -> Vec<String> {
    strings.iter().map(|string| string.to_str().unwrap().to_owned()).collect()
}

fn encoded(path: Option<&CStr>, user: Option<User>) -> Vec<u8> {
    Request {
        containment: Containment::SubReaper,
        path,
        dir: c"/dir",
        args: packed(&["plugin", "", "--flag"]).strings(),
        env: packed(&["PATH=/bin", "EMPTY="]).strings(),
        user,
        open_files: OpenFiles { soft: 1024, hard: 1 << 40 },
    }
    .encode()
}

#[test]
fn a_request_comes_out_as_it_went_in() {
    let bytes = encoded(Some(c"/bin/plugin"), Some(User { uid: 7, gid: 8 }));
    let request = Request::decode(&bytes).unwrap();
    assert_eq!(request.len(), bytes.len());
    assert_eq!(request.containment, Containment::SubReaper);
    assert_eq!(request.path, Some(c"/bin/plugin"));
    assert_eq!(request.dir, c"/dir");
    assert_eq!(read(request.args), ["plugin", "", "--flag"]);
    assert_eq!(read(request.env), ["PATH=/bin", "EMPTY="]);
    assert_eq!(request.user, Some(User { uid: 7, gid: 8 }));
    assert_eq!(request.open_files, OpenFiles { soft: 1024, hard: 1 << 40 });
}

#[test]
fn a_program_by_descriptor_has_no_path_and_a_plain_user_no_ids() {
    let bytes = encoded(None, None);
    let request = Request::decode(&bytes).unwrap();
    assert_eq!(request.len(), bytes.len());
    assert_eq!((request.path, request.user), (None, None));
}

#[test]
fn a_request_cut_anywhere_or_followed_by_more_is_refused() {
    let mut bytes = encoded(Some(c"/bin/plugin"), None);
    for len in 0..bytes.len() {
        assert!(Request::decode(&bytes[..len]).is_none(), "cut to {len} bytes");
    }
    bytes.push(0);
    assert!(Request::decode(&bytes).is_none());
}

#[test]
fn a_string_with_a_nul_is_not_packed() {
    assert!(Packed::default().push(&[b"a\0b"]).is_none());
}

#[test]
fn every_report_comes_out_as_it_went_in() {
    let usage = Usage {
        user: Duration::from_micros(1_234_567),
        system: Duration::from_micros(89),
        max_rss: 5 << 30,
    };
    let failed = Report::Failed { step: Step::Program, errno: 8 };
    let exited = Report::Exited { status: 0x8b, usage };
    for report in [Report::Started { pid: 2 }, failed, exited, Report::Gone] {
        assert_eq!(Report::decode(&report.encode()), Some(report));
    }
}

#[test]
fn a_report_of_another_size_or_kind_is_refused() {
    assert_eq!(Report::decode(b"S"), None);
    assert_eq!(Report::decode(&[b'?'; Report::SIZE]), None);
}

#[test]
fn every_step_survives_the_trip_through_its_byte() {
    for byte in 0..9 {
        assert_eq!(Step::from_byte(byte).map(Step::to_byte), Some(byte));
    }
    assert_eq!(Step::from_byte(9), None);
}

#[test]
fn a_reply_is_a_process_or_an_error() {
    for reply in [Reply::Guard { pid: 4242 }, Reply::Refused { errno: 1 }] {
        assert_eq!(Reply::decode(&reply.encode()), Some(reply));
    }
    assert_eq!(Reply::decode(b""), None);
}

#[test]
fn an_order_carries_its_signal() {
    let order = Order { signal: 15 };
    assert_eq!(Order::decode(&order.encode()), Some(order));
    assert_eq!(Order::decode(b"15"), None);
}

#[test]
fn a_wait_status_is_a_code_or_a_signal_with_or_without_a_core() {
    assert_eq!(exit_of(42 << 8), Exit::Code(42));
    assert_eq!(exit_of(11), Exit::Signal { signal: 11, core: false });
    assert_eq!(exit_of(6 | 0x80), Exit::Signal { signal: 6, core: true });
}
