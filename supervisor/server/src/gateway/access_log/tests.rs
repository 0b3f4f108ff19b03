use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn line(log: &AccessLog, target: &str) -> Box<Line> {
    let request = http::Request::get(target).body(()).unwrap();
    let mut line = log.line(&request.into_parts().0, "r1", [127, 0, 0, 1].into());
    line.status = 200;
    line.outcome = "complete";
    line
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_says_what_was_asked_without_the_query_and_how_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let log = AccessLog::open(&path).unwrap();
    let mut first = line(&log, "/api/mock/\"x\"?token=s3cret");
    first.took = Duration::from_micros(1234);
    first.sent = 5;
    first.received.store(7, Ordering::Relaxed);
    first.instance = Some(Arc::new(Name { plugin: "mock".to_owned(), instance: "one".to_owned() }));
    AccessLog::write(first);
    let mut second = line(&log, "/nowhere");
    second.client = "10.1.2.3".to_owned();
    second.status = 0;
    AccessLog::write(second);
    assert!(log.close(PATIENCE));

    let lines = lines(&path);
    let mut first = lines[0].clone();
    let time = first.as_object_mut().unwrap().shift_remove("time").unwrap();
    let age = humantime::parse_rfc3339(time.as_str().unwrap()).unwrap().elapsed().unwrap();
    assert!(age < PATIENCE, "{time}");
    let expected = serde_json::json!({
        "client": "127.0.0.1", "method": "GET", "path": "/api/mock/\"x\"", "protocol": "HTTP/1.1",
        "status": 200, "bytes_in": 7, "bytes_out": 5, "duration_us": 1234, "request_id": "r1",
        "plugin": "mock", "instance": "one", "outcome": "complete",
    });
    assert_eq!(first, expected);
    assert_eq!((&lines[1]["client"], &lines[1]["status"]), (&"10.1.2.3".into(), &().into()));
    assert_eq!((&lines[1]["plugin"], lines.len()), (&().into(), 2));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
}

#[test]
fn a_renamed_file_keeps_what_was_written_before_the_new_one_was_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    let log = AccessLog::open(&path).unwrap();
    AccessLog::write(line(&log, "/before"));
    fs::rename(&path, &old).unwrap();
    AccessLog::write(line(&log, "/between"));
    assert!(log.reopen(PATIENCE));
    AccessLog::write(line(&log, "/after"));
    assert!(log.close(PATIENCE));
    let paths = |path| lines(path).iter().map(|line| line["path"].clone()).collect::<Vec<_>>();
    assert_eq!(paths(&old), ["/before", "/between"]);
    assert_eq!(paths(&path), ["/after"]);
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_file_that_cannot_be_opened_anew_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("access.log"), dir.path().join("old"));
    let log = AccessLog::open(&path).unwrap();
    fs::rename(&path, &old).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(log.reopen(PATIENCE));
    AccessLog::write(line(&log, "/after"));
    assert!(log.close(PATIENCE));
    assert_eq!(lines(&old)[0]["path"], "/after");
}

#[test]
fn a_reader_that_stands_still_costs_lines_and_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = AccessLog::open(&path).unwrap_err().to_string();
    assert!(error.contains("gateway.access_log") && error.contains("name a file"), "{error}");

    // Open for both, so that it does not wait for a writer.
    let reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let log = AccessLog::open(&path).unwrap();
    let began = Instant::now();
    for _ in 0..3 * WAITING {
        AccessLog::write(line(&log, "/"));
    }
    assert!(log.dropped() > 0 && began.elapsed() < PATIENCE);
    assert!(!log.reopen(PAUSE) && !log.close(PAUSE), "nobody hangs with the pipe");
    drop(reader);
}

#[test]
fn a_full_disk_costs_the_lines_that_it_did_not_take() {
    let log = AccessLog::open(Path::new("/dev/full")).unwrap();
    AccessLog::write(line(&log, "/"));
    AccessLog::write(line(&log, "/"));
    assert!(log.close(PATIENCE));
    assert_eq!(log.dropped(), 2);
}

#[test]
fn what_keeps_it_from_opening_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let check = |path: &Path, advice: &str| {
        let error = AccessLog::open(path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(advice), "{error}");
    };
    check(dir.path(), "name a file in it");
    check(&dir.path().join("none/access.log"), "create its directory");
    assert_eq!(fs::metadata(dir.path()).unwrap().nlink(), 2, "nothing was left there");
}

#[test]
fn a_long_path_is_cut_between_characters() {
    let path = "é".repeat(LONGEST_PATH);
    assert_eq!(cut(&path).len(), LONGEST_PATH);
    assert_eq!(cut(&format!("x{path}")).len(), LONGEST_PATH - 1);
    assert_eq!(cut("/a"), "/a");
}
