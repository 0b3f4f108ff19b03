use outboard_core::identity::evaluate::GroupState;

use super::*;

fn scheme(name: &str, is_registered: bool, is_authenticated: bool) -> SchemeState {
    SchemeState {
        module: "mock".into(),
        name: name.into(),
        display_name: name.into(),
        is_registered,
        is_authenticated,
        last_login_ms: None,
        wears_out: false,
    }
}

fn scope(name: &str, password: bool, groups: &[&[SchemeState]]) -> ScopeState {
    let group = |schemes: &&[SchemeState]| GroupState {
        name: "g".into(),
        required: 1,
        schemes: schemes.to_vec(),
    };
    ScopeState {
        name: name.into(),
        display_name: name.into(),
        description: String::new(),
        is_available: true,
        password_required: true,
        password_authenticated: password,
        password_last_login_ms: None,
        groups: groups.iter().map(group).collect(),
    }
}

fn seen(states: &[ScopeState]) -> Seen<'_> {
    Seen {
        prompt: None,
        users: 1,
        has_current: true,
        must_change: false,
        asked: states.len(),
        states,
        granted: None,
    }
}

fn names<'a>(schemes: &[&'a SchemeState]) -> Vec<&'a str> {
    schemes.iter().map(|scheme| scheme.name.as_str()).collect()
}

#[test]
fn whoever_is_not_signed_in_gives_a_password() {
    let nobody = Seen { users: 0, has_current: false, ..seen(&[]) };
    assert_eq!(next(nobody), Step::Password { is_known: false });
    for prompt in [Prompt::Login, Prompt::SelectAccount, Prompt::Consent] {
        let asked = Seen { prompt: Some(prompt), ..nobody };
        assert_eq!(next(asked), Step::Password { is_known: false }, "{prompt:?}");
    }
}

#[test]
fn whoever_is_signed_in_is_asked_for_what_the_prompt_says() {
    let states = [scope("a", true, &[])];
    let check = |prompt, expected| {
        assert_eq!(next(Seen { prompt: Some(prompt), ..seen(&states) }), expected, "{prompt:?}");
    };
    check(Prompt::Login, Step::Password { is_known: false });
    check(Prompt::SelectAccount, Step::Select);
    check(Prompt::Consent, Step::Done);
    assert_eq!(next(seen(&states)), Step::Done);
    assert_eq!(next(seen(&[])), Step::Done, "no scope asks for nothing more");
}

#[test]
fn a_password_for_one_time_is_changed_first() {
    let states = [scope("a", true, &[&[scheme("otp", true, false)]])];
    assert_eq!(next(Seen { must_change: true, ..seen(&states) }), Step::NewPassword);
}

#[test]
fn scopes_that_are_not_the_users_do_not_matter_unless_there_is_no_other() {
    let mut other = scope("b", false, &[]);
    other.is_available = false;
    let both = [scope("a", true, &[]), other.clone()];
    assert_eq!(next(seen(&both)), Step::Done);
    assert_eq!(next(seen(&[other])), Step::Nothing);
    assert_eq!(next(Seen { asked: 1, ..seen(&[]) }), Step::Nothing, "no such scope");
}

#[test]
fn a_password_that_is_too_old_is_asked_for_before_any_scheme() {
    let states = [scope("a", true, &[&[scheme("otp", true, false)]]), scope("b", false, &[])];
    assert_eq!(next(seen(&states)), Step::Password { is_known: true });
}

#[test]
fn one_group_after_the_other_asks_for_the_schemes_that_are_set_up() {
    let done = scheme("done", true, true);
    let open =
        [scheme("otp", true, false), scheme("mail", true, false), scheme("key", false, false)];
    let states = [scope("a", true, &[&[done, scheme("x", true, false)], &open])];
    let Step::Scheme(schemes) = next(seen(&states)) else { panic!() };
    assert_eq!(names(&schemes), ["otp", "mail"]);
    let none = [scope("a", true, &[&[scheme("key", false, false)]])];
    let Step::SetUp(schemes) = next(seen(&none)) else { panic!() };
    assert_eq!(names(&schemes), ["key"]);
}

#[test]
fn consent_comes_last_and_only_for_what_is_new() {
    let open = [scope("a", true, &[&[scheme("otp", true, false)]])];
    assert!(matches!(next(Seen { granted: Some(&[]), ..seen(&open) }), Step::Scheme(_)));
    let states = [scope("a", true, &[]), scope("b", true, &[])];
    let both = ["a".to_owned(), "b".to_owned()];
    let Step::Consent(scopes) = next(Seen { granted: Some(&both[..1]), ..seen(&states) }) else {
        panic!()
    };
    assert_eq!(scopes.len(), 2, "what was granted can be taken back there");
    let all = Seen { granted: Some(&both), ..seen(&states) };
    assert_eq!(next(all), Step::Done);
    let asked = Seen { prompt: Some(Prompt::Consent), ..all };
    assert!(matches!(next(asked), Step::Consent(_)));
    assert_eq!(next(Seen { granted: None, ..asked }), Step::Done, "it was answered");
    let nothing = Seen { granted: Some(&[]), ..seen(&[]) };
    assert_eq!(next(nothing), Step::Done, "there is nothing to grant");
}
