//! Histories of one plugin, in virtual time.

use super::*;

const POLICY: Policy = Policy {
    drain_timeout: Duration::from_secs(5),
    backoff_min: Duration::from_secs(1),
    backoff_max: Duration::from_mins(1),
    max_restarts: 3,
    restart_window: Duration::from_mins(1),
};

const EVENTS: [Event; 15] = [
    Event::Start,
    Event::Stop,
    Event::Restart,
    Event::Connected,
    Event::StartFailed { permanent: false },
    Event::StartFailed { permanent: true },
    Event::Loaded,
    Event::Foreign,
    Event::LoadFailed { permanent: false },
    Event::LoadFailed { permanent: true },
    Event::Initialised,
    Event::InitFailed,
    Event::Drained,
    Event::Exited,
    Event::Timeout,
];

/// Plays `script` (seconds since start, event) and returns the machine and its actions, one line per
/// event.
fn play(script: &[(u64, Event)]) -> (Lifecycle, Vec<&'static [Action]>) {
    let t0 = Instant::now();
    let mut machine = Lifecycle::new(POLICY);
    let actions = script
        .iter()
        .map(|&(at, event)| machine.step(t0 + Duration::from_secs(at), event))
        .collect();
    (machine, actions)
}

#[track_caller]
fn check(script: &[(u64, Event)], expected: &[&[Action]], end: fn(State) -> bool) {
    let (machine, actual) = play(script);
    assert_eq!(actual, expected);
    assert!(end(machine.state()), "ended in {:?}", machine.state());
}

use Action as A;
use Event as E;

const UP: [(u64, Event); 4] =
    [(0, E::Start), (0, E::Connected), (0, E::Loaded), (0, E::Initialised)];
const UP_ACTIONS: [&[Action]; 4] = [&[A::Spawn], &[A::Load], &[A::Init], &[A::Publish]];

fn after_up(more: &[(u64, Event)]) -> Vec<(u64, Event)> {
    UP.into_iter().chain(more.iter().copied()).collect()
}

fn up_then(more: &[&'static [Action]]) -> Vec<&'static [Action]> {
    UP_ACTIONS.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn nothing_is_published_before_every_init_has_answered() {
    check(&UP, &UP_ACTIONS, |s| s == State::Serving);
}

#[test]
fn a_plugin_that_is_stopped_drains_first_and_is_terminated_when_empty() {
    check(
        &after_up(&[(1, E::Stop), (2, E::Drained), (2, E::Exited)]),
        &up_then(&[&[A::Withdraw, A::Drain], &[A::Terminate], &[A::Forget]]),
        |s| s == State::Stopped,
    );
}

#[test]
fn requests_that_outlive_the_drain_timeout_do_not_hold_up_the_stop() {
    check(
        &after_up(&[(1, E::Stop), (5, E::Timeout), (6, E::Timeout)]),
        &up_then(&[&[A::Withdraw, A::Drain], &[], &[A::Terminate]]),
        |s| matches!(s, State::Stopping { next: Next::Stop }),
    );
}

#[test]
fn the_first_loss_is_made_good_at_once() {
    check(&after_up(&[(9, E::Exited)]), &up_then(&[&[A::Withdraw, A::Forget, A::Spawn]]), |s| {
        s == State::Starting
    });
}

#[test]
fn a_fourth_loss_within_a_minute_is_a_failure() {
    let crash = E::StartFailed { permanent: false };
    check(
        &[
            (0, E::Start),
            (1, crash),
            (2, crash),
            (3, E::Timeout),
            (4, crash),
            (5, E::Timeout),
            (6, E::Timeout),
            (7, crash),
        ],
        &[
            &[A::Spawn],
            &[A::Forget, A::Spawn],
            &[A::Forget],
            &[A::Spawn],
            &[A::Forget],
            &[],
            &[A::Spawn],
            &[A::Forget],
        ],
        |s| s == State::Failed,
    );
}

#[test]
fn losses_that_are_far_apart_never_add_up() {
    let mut script = UP.to_vec();
    for round in 1..20 {
        let at = round * 61;
        script.extend([(at, E::Exited), (at, E::Connected), (at, E::Loaded), (at, E::Initialised)]);
    }
    let (machine, _) = play(&script);
    assert_eq!((machine.state(), machine.restarts()), (State::Serving, 1));
}

#[test]
fn what_can_not_heal_is_not_tried_again_until_somebody_asks() {
    check(
        &[(0, E::Start), (1, E::StartFailed { permanent: true }), (99, E::Timeout), (99, E::Start)],
        &[&[A::Spawn], &[A::Forget], &[], &[A::Spawn]],
        |s| s == State::Starting,
    );
}

#[test]
fn a_refused_load_stops_the_process_for_good() {
    check(
        &[(0, E::Start), (1, E::Connected), (2, E::LoadFailed { permanent: true }), (3, E::Exited)],
        &[&[A::Spawn], &[A::Load], &[A::Terminate], &[A::Forget]],
        |s| s == State::Failed,
    );
}

#[test]
fn an_upgrade_that_would_lose_an_instance_ends_before_anything_is_published() {
    check(
        &[(0, E::Start), (1, E::Connected), (2, E::Loaded), (3, E::InitFailed), (4, E::Exited)],
        &[&[A::Spawn], &[A::Load], &[A::Init], &[A::Terminate], &[A::Forget]],
        |s| s == State::Failed,
    );
}

#[test]
fn a_foreign_plugin_serves_without_routes() {
    check(
        &[(0, E::Start), (1, E::Connected), (2, E::Foreign), (3, E::Exited)],
        &[&[A::Spawn], &[A::Load], &[], &[A::Withdraw, A::Forget, A::Spawn]],
        |s| s == State::Starting,
    );
}

#[test]
fn a_stop_during_the_start_aborts_it() {
    check(
        &[(0, E::Start), (1, E::Stop), (2, E::Exited)],
        &[&[A::Spawn], &[A::Abort], &[A::Forget]],
        |s| s == State::Stopped,
    );
}

#[test]
fn the_last_wish_counts_while_a_process_is_going() {
    check(
        &after_up(&[(1, E::Stop), (1, E::Drained), (2, E::Start), (3, E::Exited)]),
        &up_then(&[&[A::Withdraw, A::Drain], &[A::Terminate], &[], &[A::Forget, A::Spawn]]),
        |s| s == State::Starting,
    );
}

/// What a driver may see: news of a process only while there is one.
fn is_possible(state: State, event: Event) -> bool {
    match event {
        E::Start | E::Stop | E::Restart | E::Timeout => true,
        E::Connected => state == State::Starting,
        E::StartFailed { .. } => matches!(state, State::Starting | State::Stopping { .. }),
        E::Loaded | E::Foreign | E::LoadFailed { .. } => state == State::Loading,
        E::Initialised | E::InitFailed => state == State::Initialising,
        E::Drained => matches!(state, State::Draining { .. }),
        E::Exited => !matches!(
            state,
            State::Stopped | State::Starting | State::Backoff { .. } | State::Failed
        ),
    }
}

/// The rules the whole supervisor leans on, over every possible sequence of six events.
#[test]
fn there_is_never_more_than_one_process_and_never_a_route_without_one() {
    let t0 = Instant::now();
    let mut histories = 0_u32;
    for seed in 0..EVENTS.len().pow(6) {
        let mut machine = Lifecycle::new(POLICY);
        let (mut alive, mut routed, mut n) = (false, false, seed);
        for turn in 0..6_u64 {
            let event = EVENTS[n % EVENTS.len()];
            n /= EVENTS.len();
            if !is_possible(machine.state(), event) {
                break;
            }
            if matches!(event, E::Exited | E::StartFailed { .. }) {
                alive = false;
            }
            for action in machine.step(t0 + Duration::from_secs(20 * turn), event) {
                match action {
                    A::Spawn => {
                        assert!(!alive && !routed, "spawned beside a process in run {seed}");
                        alive = true;
                    }
                    A::Publish => routed = true,
                    A::Withdraw => routed = false,
                    A::Forget => assert!(!alive && !routed, "forgot a process in run {seed}"),
                    A::Abort | A::Load | A::Init | A::Drain | A::Terminate => {
                        assert!(alive, "{action:?} of nothing in run {seed}");
                    }
                }
            }
            let wants_process =
                !matches!(machine.state(), State::Stopped | State::Backoff { .. } | State::Failed);
            assert_eq!(alive, wants_process, "{:?} in run {seed}", machine.state());
            assert!(!routed || machine.state() == State::Serving, "routed in run {seed}");
            histories += 1;
        }
    }
    assert!(histories > 100_000, "only {histories} steps were possible");
}
