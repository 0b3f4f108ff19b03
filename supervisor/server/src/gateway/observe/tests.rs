use super::*;

fn record(observer: &Observer) -> Record {
    let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    observer.begin(&parts, "r1", [127, 0, 0, 1].into(), Instant::now())
}

fn code(series: &Series, code: &str) -> u64 {
    let at = series::LABELS.iter().position(|label| *label == code).unwrap();
    series.totals().codes[at]
}

fn refused(series: &Series, reason: Reason) -> u64 {
    series.totals().refused[reason as usize]
}

fn unrouted(observer: &Observer, reason: Reason) -> u64 {
    observer.unrouted_counts().find(|(counted, _)| *counted == reason).unwrap().1
}

#[test]
fn a_request_is_in_flight_until_its_record_is_dropped() {
    let observer = Observer::new(2, None);
    let series = observer.series("p", "i");
    let mut record = record(&observer.worker(1));
    record.routed(&series);
    record.meter().add(3);
    record.answered(200);
    record.sent(5);
    let before = series.totals();
    assert_eq!((before.in_flight, before.received, before.sent), (1, 3, 5));
    assert_eq!(code(&series, "200"), 0);
    record.complete();
    drop(record);
    assert_eq!((series.totals().in_flight, code(&series, "200")), (0, 1));
}

#[test]
fn a_client_that_went_before_the_answer_leaves_a_request_without_a_status() {
    let observer = Observer::default();
    let series = observer.series("p", "i");
    let mut record = record(&observer);
    record.routed(&series);
    drop(record);
    assert_eq!(code(&series, "none"), 1);
    assert_eq!(series.totals().durations[series::BUCKETS.len()], 1);
}

#[test]
fn the_first_reason_counts_where_the_request_has_come_to() {
    let observer = Observer::default();
    let series = observer.series("p", "i");
    let mut routed = record(&observer);
    routed.routed(&series);
    routed.refused(&observer, Reason::QueueFull);
    routed.refused(&observer, Reason::Failed);
    let mut lost = record(&observer);
    lost.refused(&observer, Reason::NotFound);
    lost.answered(404);
    drop((routed, lost));
    assert_eq!((refused(&series, Reason::QueueFull), refused(&series, Reason::Failed)), (1, 0));
    assert_eq!((unrouted(&observer, Reason::NotFound), code(&series, "404")), (1, 0));
}

#[test]
fn a_tunnel_is_counted_as_a_request_when_it_begins() {
    let observer = Observer::default();
    let series = observer.series("p", "i");
    let mut record = record(&observer);
    record.routed(&series);
    record.answered(101);
    record.tunnelled(&observer);
    assert_eq!((code(&series, "101"), observer.tunnels()), (1, 1));
    assert_eq!(series.totals().in_flight, 1);
    record.complete();
    drop(record);
    assert_eq!((code(&series, "101"), observer.tunnels()), (1, 0));
    assert_eq!(series.totals().in_flight, 0);
}

#[test]
fn connections_are_counted_as_long_as_they_last() {
    let observer = Observer::default();
    let (one, other) = (observer.connection(), observer.worker(7).connection());
    assert_eq!(observer.connections(), 2);
    drop((one, other));
    assert_eq!(observer.connections(), 0);
}

#[test]
fn an_instance_keeps_its_numbers_until_nobody_holds_them() {
    let observer = Observer::default();
    let names = || {
        let all = observer.all_series().into_iter();
        all.map(|series| format!("{}/{}", series.name().plugin, series.name().instance))
            .collect::<Vec<_>>()
    };
    let (old, other) = (observer.series("p", "i"), observer.series("p", "j"));
    let mut record = record(&observer);
    record.routed(&old);
    let new = observer.series("p", "i");
    drop((old, other, record));
    assert_eq!((code(&new, "none"), names()), (1, vec!["p/i".to_owned()]));
    drop(new);
    assert!(names().is_empty());
    assert_eq!(code(&observer.series("p", "i"), "none"), 0);
}

#[test]
fn every_reason_has_a_label_of_its_own() {
    let labels: std::collections::BTreeSet<_> =
        Reason::ALL.iter().map(|reason| reason.label()).collect();
    assert_eq!(labels.len(), Reason::ALL.len());
    for (at, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(*reason as usize, at);
    }
}
