use std::sync::Mutex;

use super::*;

#[derive(Default)]
struct Record {
    lines: Mutex<Vec<LogLine>>,
    raw: Mutex<Vec<u8>>,
    dropped: Mutex<Vec<u64>>,
}

impl Output for Record {
    fn line(&self, line: LogLine) {
        self.lines.lock().expect("lock").push(line);
    }

    fn dropped(&self, count: u64) {
        self.dropped.lock().expect("lock").push(count);
    }

    fn stderr_raw(&self, bytes: &[u8]) {
        self.raw.lock().expect("lock").extend_from_slice(bytes);
    }
}

fn sort(chunks: &[(&[u8], Duration)]) -> Record {
    let record = Record::default();
    let tail = Tail::default();
    let mut sorter = Sorter::new(&record, &tail);
    for (bytes, now) in chunks {
        sorter.push(bytes, *now);
    }
    sorter.end(chunks.last().map_or(Duration::ZERO, |(_, now)| *now));
    record
}

#[test]
fn s11_the_raw_sink_gets_a_long_line_intact_and_the_log_gets_pieces_at_debug() {
    let mut text = vec![b'a'; 200_000];
    text.push(b'\n');
    let record = sort(&[(&text, Duration::ZERO)]);
    assert_eq!(*record.raw.lock().expect("lock"), text);
    let lines = record.lines.lock().expect("lock");
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.level == Level::Debug));
}

#[test]
fn s12_a_final_newline_is_added_to_the_raw_bytes() {
    let record = sort(&[(b"one\r\ntwo", Duration::ZERO)]);
    assert_eq!(*record.raw.lock().expect("lock"), b"one\r\ntwo\n");
    let lines = record.lines.lock().expect("lock");
    assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_flood_is_cut_and_every_line_is_either_shown_or_counted() {
    let flood = b"0123456789\n".repeat(100_000);
    let later = Duration::from_mins(1);
    let record = sort(&[(&flood, Duration::ZERO), (b"[INFO] calm\n", later)]);
    let lines = record.lines.lock().expect("lock");
    let dropped: u64 = record.dropped.lock().expect("lock").iter().sum();
    assert_eq!(lines.len() as u64 + dropped, 100_001);
    assert!(dropped > 10_000, "{dropped}");
    assert_eq!(lines.last().map(|line| line.message.as_str()), Some("[INFO] calm"));
    assert_eq!(record.raw.lock().expect("lock").len(), flood.len() + 12);
}
