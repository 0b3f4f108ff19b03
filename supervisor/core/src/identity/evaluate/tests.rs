use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;

fn scope(name: &str, groups: &[(u32, &[&str])]) -> Scope {
    let group = |(at, (required, schemes)): (usize, &(u32, &[&str]))| Group {
        name: at.to_string(),
        required: *required,
        schemes: schemes.iter().map(ToString::to_string).collect(),
    };
    Scope {
        groups: groups.iter().enumerate().map(group).collect(),
        ..Scope::by_password(name, "", "")
    }
}

fn info(availability: Availability, max_use: u32) -> SchemeInfo {
    SchemeInfo { module: "mock".into(), display_name: "Mock".into(), max_use, availability }
}

fn proof(scheme: Option<&str>, ago: i64, lasts: Option<i64>) -> Authentication {
    Authentication {
        scheme: scheme.map(ToOwned::to_owned),
        last_login_ms: NOW - ago,
        expires_ms: lasts.map(|lasts| NOW - ago + lasts),
        uses: 0,
    }
}

fn password() -> Authentication {
    proof(None, 1000, Some(30 * DAY))
}

/// Whoever is asked about: has the scopes `has`, and of schemes `a` and `b` both registered, `new` not yet registered,
/// `never` not available, `once` that may be used once.
fn states(scopes: &[Scope], has: &[&str], authentications: &[Authentication]) -> Vec<ScopeState> {
    use Availability::{Available, NotAvailable, Registered};
    let schemes = [
        ("a", info(Registered, 0)),
        ("b", info(Registered, 0)),
        ("new", info(Available, 0)),
        ("never", info(NotAvailable, 0)),
        ("once", info(Registered, 1)),
    ];
    evaluate(Question {
        of_user: &has.iter().map(ToString::to_string).collect::<Vec<_>>(),
        scopes,
        schemes: &schemes.map(|(name, info)| (name.to_owned(), info)).into(),
        authentications,
        must_change_password: false,
        now_ms: NOW,
    })
}

fn one(scope: &Scope, authentications: &[Authentication]) -> ScopeState {
    states(std::slice::from_ref(scope), &[&scope.name], authentications).remove(0)
}

#[test]
fn whoever_lacks_a_scope_is_told_no_more_of_it() {
    let asked = scope("s", &[(1, &["a"])]);
    let proofs = [password(), proof(Some("a"), 0, None)];
    let state = states(&[asked], &["other"], &proofs).remove(0);
    assert!(!state.is_available && !state.is_satisfied());
    assert_eq!(
        state.to_json(),
        json!({ "available": false, "display_name": "", "description": "", "schemes": {},
                "scheme_required": {} })
    );
}

#[test]
fn a_password_counts_until_it_expires() {
    let asked = scope("s", &[]);
    assert!(one(&asked, &[password()]).is_satisfied());
    assert!(!one(&asked, &[]).is_satisfied());
    let old = one(&asked, &[proof(None, 30 * DAY, Some(30 * DAY))]);
    assert!(old.is_available && !old.is_satisfied());
    assert_eq!(old.password_last_login_ms, Some(NOW - 30 * DAY));
    assert!(one(&asked, &[proof(None, 30 * DAY - 1, Some(30 * DAY))]).is_satisfied());
}

#[test]
fn a_password_may_not_be_older_than_the_scope_says() {
    let asked = Scope { password_max_age_s: 60, ..scope("s", &[]) };
    assert!(one(&asked, &[proof(None, 59_999, Some(30 * DAY))]).is_satisfied());
    assert!(!one(&asked, &[proof(None, 60_000, Some(30 * DAY))]).is_satisfied());
    let proofs = [proof(None, 90_000, Some(DAY)), proof(None, 5, Some(DAY))];
    assert!(one(&asked, &proofs).is_satisfied(), "the newest counts");
    let endless = Scope { password_max_age_s: u64::MAX, ..scope("s", &[]) };
    assert!(one(&endless, &[password()]).is_satisfied());
}

#[test]
fn a_scope_may_need_no_password() {
    let free = Scope { password_required: false, ..scope("s", &[]) };
    assert!(one(&free, &[]).is_satisfied());
    let only_scheme = Scope { password_required: false, ..scope("s", &[(1, &["a"])]) };
    assert!(!one(&only_scheme, &[password()]).is_satisfied());
    assert!(one(&only_scheme, &[proof(Some("a"), 0, None)]).is_satisfied());
}

#[test]
fn as_many_schemes_of_a_group_are_needed_as_it_says() {
    let two = scope("s", &[(2, &["a", "b", "new"])]);
    let (a, b) = (proof(Some("a"), 0, None), proof(Some("b"), 0, Some(1)));
    assert!(!one(&two, &[password(), a.clone()]).is_satisfied());
    assert!(one(&two, &[password(), a.clone(), b.clone()]).is_satisfied());
    assert!(!one(&two, &[a.clone(), b.clone()]).is_satisfied(), "the password is needed too");
    let each = scope("s", &[(1, &["a"]), (1, &["b"])]);
    assert!(!one(&each, &[password(), a.clone()]).is_satisfied());
    assert!(one(&each, &[password(), a, b]).is_satisfied());
}

#[test]
fn a_scheme_that_is_not_registered_proves_nothing() {
    let asked = scope("s", &[(1, &["new"])]);
    let state = one(&asked, &[password(), proof(Some("new"), 0, None)]);
    let scheme = &state.groups[0].schemes[0];
    assert!(state.is_available && !state.is_satisfied());
    assert!(!scheme.is_registered && !scheme.is_authenticated);
}

#[test]
fn a_scheme_that_can_not_be_used_leaves_its_group() {
    let one_left = one(&scope("s", &[(1, &["never", "gone", "a"])]), &[password()]);
    let left: Vec<_> = one_left.schemes().map(|scheme| scheme.name.as_str()).collect();
    assert_eq!(left, ["a"]);
    assert!(one_left.is_available);
    let none_left = one(&scope("s", &[(1, &["a"]), (1, &["never"])]), &[password()]);
    assert!(!none_left.is_available && none_left.groups.is_empty());
    let too_few =
        one(&scope("s", &[(2, &["a", "gone"])]), &[password(), proof(Some("a"), 0, None)]);
    assert!(too_few.is_available && !too_few.is_satisfied(), "one of two is never enough");
}

#[test]
fn an_authentication_by_scheme_expires_and_wears_out() {
    let asked = scope("s", &[(1, &["a"])]);
    let at = |ago, lasts| one(&asked, &[password(), proof(Some("a"), ago, Some(lasts))]);
    assert!(at(999, 1000).is_satisfied());
    assert!(!at(1000, 1000).is_satisfied());
    assert_eq!(at(1000, 1000).groups[0].schemes[0].last_login_ms, Some(NOW - 1000));
    let once = scope("s", &[(1, &["once"])]);
    let used = |uses| Authentication { uses, ..proof(Some("once"), 0, None) };
    assert!(one(&once, &[password(), used(0)]).is_satisfied());
    assert!(!one(&once, &[password(), used(1)]).is_satisfied());
}

#[test]
fn all_that_are_asked_for_must_be_satisfied_and_exist() {
    let scopes = [scope("s", &[]), scope("t", &[(1, &["a"])])];
    let states = states(&scopes, &["s", "t"], &[password()]);
    let ask = |names: &[&str]| {
        are_satisfied(&states, &names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert!(ask(&["s"]) && ask(&["s", "s"]));
    assert!(!ask(&["s", "t"]) && !ask(&["s", "unknown"]) && !ask(&[]));
}

#[test]
fn a_use_is_counted_once_for_each_proof_that_wears_out() {
    let scopes =
        [scope("s", &[(1, &["a", "once"])]), scope("t", &[(1, &["once"])]), scope("u", &[])];
    let proofs = [password(), proof(Some("a"), 0, None), proof(Some("once"), 0, None)];
    assert_eq!(used(&states(&scopes, &["s", "t", "u"], &proofs)), ["once"].into());
    assert!(used(&states(&scopes, &["u"], &proofs)).is_empty());
    assert!(used(&states(&scopes, &[], &proofs)).is_empty());
    let over = [password(), proof(Some("once"), DAY, Some(1))];
    assert!(used(&states(&scopes, &["s", "t"], &over)).is_empty());
}

#[test]
fn a_password_that_must_be_changed_proves_nothing() {
    let free = Scope { password_required: false, ..scope("free", &[]) };
    let scopes = [scope("s", &[]), free, scope("t", &[(1, &["a"])])];
    let names = scopes.each_ref().map(|scope| scope.name.clone());
    let schemes = [("a".to_owned(), info(Availability::Registered, 0))].into();
    let proofs = [password(), proof(Some("a"), 0, None)];
    let question = Question {
        of_user: &names,
        scopes: &scopes,
        schemes: &schemes,
        authentications: &proofs,
        must_change_password: true,
        now_ms: NOW,
    };
    for state in evaluate(question) {
        assert!(state.is_available && !state.is_satisfied(), "{state:?}");
        assert!(state.password_required && !state.password_authenticated, "{state:?}");
    }
    let chosen = evaluate(Question { must_change_password: false, ..question });
    assert!(chosen.iter().all(ScopeState::is_satisfied));
}

#[test]
fn the_last_login_is_by_password_or_a_scheme_of_the_scopes() {
    let scopes = [scope("s", &[(1, &["a"])])];
    let proofs =
        [proof(None, 5000, Some(1)), proof(Some("a"), 3000, None), proof(Some("b"), 1, None)];
    assert_eq!(last_login(&scopes, &proofs), Some(NOW - 3000));
    assert_eq!(last_login(&[scope("t", &[])], &proofs), Some(NOW - 5000));
    assert_eq!(last_login(&[], &proofs), None);
    assert_eq!(last_login(&scopes, &[]), None);
}

#[test]
fn the_object_is_the_one_that_clients_know() {
    let asked = Scope { display_name: "S".into(), ..scope("s", &[(1, &["a"])]) };
    let proofs = [proof(None, 1999, Some(DAY)), proof(Some("a"), 0, None)];
    assert_eq!(
        one(&asked, &proofs).to_json(),
        json!({
            "available": true, "display_name": "S", "description": "",
            "password_required": true, "password_authenticated": true,
            "password_last_login": NOW / 1000 - 2,
            "schemes": { "0": [{
                "scheme_type": "mock", "scheme_name": "a", "scheme_display_name": "Mock",
                "scheme_registered": true, "scheme_authenticated": true,
                "scheme_last_login": NOW / 1000,
            }] },
            "scheme_required": { "0": 1 },
        })
    );
}

fn availability() -> impl Strategy<Value = Availability> {
    use Availability::{Available, NotAvailable, Registered};
    prop_oneof![Just(NotAvailable), Just(Available), Just(Registered)]
}

fn authentication() -> impl Strategy<Value = Authentication> {
    let scheme = prop::option::of("[ab]");
    (scheme, -DAY..DAY, prop::option::of(-DAY..DAY), 0..3_u32).prop_map(
        |(scheme, last, expires, uses)| Authentication {
            scheme,
            last_login_ms: NOW + last,
            expires_ms: expires.map(|expires| NOW + expires),
            uses,
        },
    )
}

proptest! {
    /// More proof never takes away, and nothing is satisfied that the user lacks or that a needed proof is missing for.
    #[test]
    fn nothing_is_satisfied_without_what_it_needs(
        schemes in prop::collection::btree_map("[ab]", availability(), 0..3),
        groups in prop::collection::vec((1..3_u32, prop::collection::vec("[abc]", 1..3)), 0..3),
        authentications in prop::collection::vec(authentication(), 0..4),
        has_scope in any::<bool>(),
        password_required in any::<bool>(),
        password_max_age_s in 0..100_000_u64,
    ) {
        let groups = groups.into_iter().map(|(required, schemes)| Group {
            name: required.to_string(), required, schemes
        }).collect();
        let scopes =
            [Scope { password_required, password_max_age_s, groups, ..Scope::by_password("s", "", "") }];
        let of_user: Vec<_> = has_scope.then(|| "s".to_owned()).into_iter().collect();
        let schemes = schemes.into_iter().map(|(name, it)| (name, info(it, 3))).collect();
        let question = Question {
            of_user: &of_user, scopes: &scopes, schemes: &schemes,
            authentications: &authentications, must_change_password: false, now_ms: NOW,
        };
        let state = evaluate(question).remove(0);
        let has_proof =
            |name: Option<&str>| authentications.iter().any(|it| it.scheme.as_deref() == name);
        if state.is_satisfied() {
            prop_assert!(has_scope);
            prop_assert!(!password_required || has_proof(None));
            for group in &scopes[0].groups {
                let proved = group.schemes.iter().filter(|name| has_proof(Some(name))).count();
                prop_assert!(proved >= group.required as usize);
            }
        }
        if !state.is_available {
            prop_assert!(state.groups.is_empty() && !state.password_required);
            prop_assert!(!state.password_authenticated);
        }
        for used in used(std::slice::from_ref(&state)) {
            prop_assert!(has_proof(Some(used)));
        }
    }
}
