use super::*;

fn seconds(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::default();
    (0..FAILURES).for_each(|_| breaker.failed(now));
    breaker
}

#[test]
fn failures_in_a_row_open_it() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    (0..FAILURES - 1).for_each(|_| breaker.failed(now));
    assert_eq!(breaker.admit(now), Admission::Ask);
    breaker.succeeded();
    (0..FAILURES - 1).for_each(|_| breaker.failed(now));
    assert_eq!((breaker.admit(now), breaker.is_open()), (Admission::Ask, false));
    breaker.failed(now);
    assert_eq!(breaker.admit(now), Admission::Refuse { until: seconds(now, 1) });
}

#[test]
fn after_a_while_one_question_is_let_through() {
    let now = Instant::now();
    let mut breaker = opened(now);
    assert_eq!(breaker.admit(seconds(now, 1)), Admission::Ask);
    assert!(matches!(breaker.admit(seconds(now, 1)), Admission::Refuse { .. }));
    breaker.succeeded();
    assert_eq!((breaker.admit(seconds(now, 1)), breaker.is_open()), (Admission::Ask, false));
}

#[test]
fn each_question_that_fails_doubles_the_wait() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    for wait in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(breaker.admit(now), Admission::Refuse { until: seconds(now, wait) });
        now = seconds(now, wait);
        assert_eq!(breaker.admit(now), Admission::Ask);
        breaker.failed(now);
        breaker.failed(now);
    }
}

#[test]
fn a_question_whose_end_is_never_told_does_not_block_it_for_ever() {
    let now = Instant::now();
    let mut breaker = opened(now);
    assert_eq!(breaker.admit(seconds(now, 1)), Admission::Ask);
    assert_eq!(breaker.admit(seconds(now, 30)), Admission::Refuse { until: seconds(now, 31) });
    assert_eq!(breaker.admit(seconds(now, 31)), Admission::Ask);
}
