use std::ffi::OsString;
use std::path::PathBuf;

use super::*;

const LIMIT: OpenFiles = OpenFiles { soft: 1024, hard: 4096 };

fn spec() -> Spec {
    Spec {
        program: Program::Path(PathBuf::from("/bin/plugin")),
        args: vec!["plugin".into()],
        env: vec![("PATH".into(), "/bin".into())],
        dir: PathBuf::from("/"),
        containment: Containment::SubReaper,
        user: None,
    }
}

fn check(change: impl FnOnce(&mut Spec), expected: &Unfit) {
    let mut spec = spec();
    change(&mut spec);
    let result = Packing::new(&spec, LIMIT).and_then(|packing| packing.encode());
    assert_eq!(result.as_ref().unwrap_err(), expected);
}

#[test]
fn a_plain_spec_is_fit() {
    assert!(Packing::new(&spec(), LIMIT).and_then(|packing| packing.encode()).is_ok());
}

#[test]
fn a_plugin_needs_a_name_for_itself() {
    check(|spec| spec.args.clear(), &Unfit::NoArguments);
}

#[test]
fn a_nul_is_refused_by_the_place_it_stands_in_and_without_the_value() {
    check(|spec| spec.args.push("a\0".into()), &Unfit::Nul { what: "argument 1".into() });
    check(|spec| spec.dir = "/\0".into(), &Unfit::Nul { what: "the working directory".into() });
    check(
        |spec| spec.env.push(("TOKEN".into(), "secret\0".into())),
        &Unfit::Nul { what: "variable \"TOKEN\"".into() },
    );
}

#[test]
fn a_variable_that_could_not_be_read_back_is_refused() {
    for name in ["", "A=B"] {
        check(
            |spec| spec.env.push((name.into(), OsString::new())),
            &Unfit::Variable { name: name.into() },
        );
    }
}

#[test]
fn what_does_not_fit_one_message_is_refused_with_its_size() {
    let mut spec = spec();
    spec.args.push("x".repeat(REQUEST_MAX).into());
    let error = Packing::new(&spec, LIMIT).and_then(|packing| packing.encode()).unwrap_err();
    assert!(matches!(error, Unfit::TooLarge { bytes } if bytes > REQUEST_MAX), "{error}");
}

#[test]
fn another_user_needs_root_and_a_namespace_that_has_it() {
    let user = User { uid: 4242, gid: 4242 };
    let error = if geteuid().is_root() {
        Unfit::UserNotMapped { uid: user.uid }
    } else {
        Unfit::UserNeedsRoot { uid: user.uid }
    };
    check(
        |spec| {
            spec.user = Some(user);
            spec.containment = Containment::UserPidNamespace;
        },
        &error,
    );
}
