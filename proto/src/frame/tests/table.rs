//! The state table of the documentation is the one of the code.

use crate::frame::request::{Kind, Role, State};

const DOCUMENT: &str = include_str!("../../../../docs/frames.md");

const COLUMNS: [(&str, Role, Kind); 9] = [
    ("host: Data", Role::Host, Kind::Data { end: false }),
    ("host: Data, end", Role::Host, Kind::Data { end: true }),
    ("host: Trailers", Role::Host, Kind::Trailers),
    ("plugin: Informational", Role::Plugin, Kind::Informational),
    ("plugin: Response", Role::Plugin, Kind::Response { end: false }),
    ("plugin: Response, end", Role::Plugin, Kind::Response { end: true }),
    ("plugin: Data", Role::Plugin, Kind::Data { end: false }),
    ("plugin: Data, end", Role::Plugin, Kind::Data { end: true }),
    ("plugin: Trailers", Role::Plugin, Kind::Trailers),
];

const OPEN: [(&str, State); 5] = [
    ("Asking", State::Asking),
    ("Asked", State::Asked),
    ("Exchanging", State::Exchanging),
    ("Answering", State::Answering),
    ("Answered", State::Answered),
];

/// The cells of a table, from the row whose first cell is `first` on.
fn rows(first: &str) -> Vec<Vec<&'static str>> {
    let rows = DOCUMENT.lines().skip_while(|line| !line.starts_with(&format!("| {first} |")));
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn meaning(cell: &str) -> Option<State> {
    match cell {
        "–" => None,
        "Over" => Some(State::Over),
        name => Some(OPEN.iter().find(|(open, _)| *open == name).expect(name).1),
    }
}

#[test]
fn the_documented_states_and_frames_do_what_they_say() {
    let rows = rows("state");
    let titles: Vec<&str> = COLUMNS.iter().map(|(title, ..)| *title).collect();
    assert_eq!(rows[0][1..], titles);
    assert_eq!(rows.len(), 2 + OPEN.len(), "a title, a rule, and one row per open state");
    for (row, (name, state)) in rows[2..].iter().zip(OPEN) {
        assert_eq!(row[0], name);
        for (cell, (title, from, kind)) in row[1..].iter().zip(COLUMNS) {
            assert_eq!(state.step(from, kind), meaning(cell), "{name}, {title}");
        }
    }
}

#[test]
fn what_the_table_leaves_out_is_as_the_text_says() {
    let only_from_the_plugin =
        [Kind::Informational, Kind::Response { end: false }, Kind::Response { end: true }];
    for (_, state) in OPEN {
        for from in [Role::Host, Role::Plugin] {
            assert_eq!(state.step(from, Kind::Credit), Some(state));
            assert_eq!(state.step(from, Kind::Reset), Some(State::Over));
            for end in [false, true] {
                assert_eq!(state.step(from, Kind::Request { end }), None);
            }
        }
        for kind in only_from_the_plugin {
            assert_eq!(state.step(Role::Host, kind), None);
        }
    }
    for (_, from, kind) in COLUMNS {
        assert_eq!(State::Over.step(from, kind), Some(State::Over));
    }
}

/// A side may send data as long as its data is legal.
#[test]
fn a_message_goes_on_exactly_while_its_end_is_legal() {
    for (name, state) in OPEN {
        let host = state.step(Role::Host, Kind::Data { end: true }).is_some();
        assert_eq!(state.goes_on(Role::Host), host, "{name}");
        let plugin = state.step(Role::Plugin, Kind::Data { end: true }).is_some()
            || state.step(Role::Plugin, Kind::Response { end: true }).is_some();
        assert_eq!(state.goes_on(Role::Plugin), plugin, "{name}");
    }
    assert!(!State::Over.goes_on(Role::Host) && !State::Over.goes_on(Role::Plugin));
}

#[test]
fn the_documented_limits_are_the_real_ones() {
    use crate::frame::settings as real;
    let default = crate::frame::Limits::default();
    let numbers = |limit: &str| -> Vec<u64> {
        let row = rows(limit)[0].clone();
        row[1..].iter().filter_map(|cell| cell.replace(' ', "").parse().ok()).collect()
    };
    let check = |limit: &str, expected: &[u64]| assert_eq!(numbers(limit), expected, "{limit}");
    check(
        "`max_data_bytes`",
        &[real::MIN_DATA_BYTES.into(), real::MIN_DATA_BYTES.into(), real::MAX_DATA_BYTES.into()],
    );
    check(
        "`initial_credit_bytes`",
        &[
            real::MIN_CREDIT_BYTES.into(),
            real::MIN_CREDIT_BYTES.into(),
            real::MAX_CREDIT_BYTES.into(),
        ],
    );
    check(
        "`max_concurrent_requests`",
        &[real::DEFAULT_CONCURRENT_REQUESTS.into(), 1, real::MAX_CONCURRENT_REQUESTS.into()],
    );
    check(
        "informational responses of one request",
        &[crate::frame::request::MAX_INFORMATIONAL.into()],
    );
    check("credit of one request, grown", &[default.window_bytes.into()]);
    check("growth of all requests of a stream", &[default.growth_bytes.into()]);
    check("bytes of frames that one message is filled to", &[default.message_bytes as u64]);
    check("data that is small, in bytes", &[crate::frame::queue::EXPRESS_DATA_BYTES as u64]);
    check("small frames before a large one", &[crate::frame::queue::EXPRESS_RUN.into()]);
}
