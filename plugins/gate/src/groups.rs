//! Whether a user's groups are enough. It knows no network.
//!
//! Gate writes the names of its groups in lower case, whatever was typed; so what is required is compared in
//! lower case, too. Without that, a job that requires "Admins" would be closed to everybody for ever.

use outboard_sdk::{GroupMatch, User};

/// Whether an active user has the groups. None required: any active user will do.
pub(crate) fn allows(user: &User, required: &[String], matched: GroupMatch) -> bool {
    let has = |group: &String| user.groups.contains(&group.to_lowercase());
    user.active
        && match matched {
            GroupMatch::Any => required.is_empty() || required.iter().any(has),
            // What a later host may ask must not let more in.
            _ => required.iter().all(has),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[track_caller]
    fn check(active: bool, required: &[&str], all: bool, any: bool) {
        let groups = names(&["system", "proctor_executor", "admins"]);
        let user = User { name: String::new(), email: "a@x".to_owned(), active, groups };
        assert_eq!(allows(&user, &names(required), GroupMatch::All), all, "all of {required:?}");
        assert_eq!(allows(&user, &names(required), GroupMatch::Any), any, "any of {required:?}");
    }

    #[test]
    fn case_38_a_member_may() {
        check(true, &["system"], true, true);
        check(true, &["system", "system"], true, true);
        check(true, &[], true, true);
    }

    #[test]
    fn case_39_whoever_is_not_active_may_not() {
        check(false, &["system"], false, false);
        check(false, &[], false, false);
    }

    #[test]
    fn case_40_each_of_the_groups_is_needed_unless_any_will_do() {
        check(true, &["system", "proctor_maintainer"], false, true);
        check(true, &["proctor_maintainer"], false, false);
    }

    #[test]
    fn n13_names_are_compared_as_gate_writes_them() {
        check(true, &["Admins"], true, true);
        check(true, &["ADMINS", "System"], true, true);
        check(true, &["admin"], false, false);
    }
}
