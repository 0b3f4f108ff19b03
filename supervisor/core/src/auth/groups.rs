//! Whether a user's groups are enough.

use crate::written::Choice;

/// How many of the required groups a user must be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GroupMatch {
    #[default]
    All,
    Any,
}

impl Choice for GroupMatch {
    const WORDS: &'static [(&'static str, Self)] = &[("all", Self::All), ("any", Self::Any)];
}

/// Whether a user of these groups may do what needs those. Where none is required, every user may: it is
/// the caller who knows that the user is one, and active.
pub fn allows(groups: &[String], required: &[String], how_many: GroupMatch) -> bool {
    let is_in = |group: &String| groups.contains(group);
    match how_many {
        GroupMatch::All => required.iter().all(is_in),
        GroupMatch::Any => required.is_empty() || required.iter().any(is_in),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(groups: &[&str], required: &[&str], all: bool, any: bool) {
        let owned =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (groups, required) = (owned(groups), owned(required));
        assert_eq!(allows(&groups, &required, GroupMatch::All), all, "all of {required:?}");
        assert_eq!(allows(&groups, &required, GroupMatch::Any), any, "any of {required:?}");
    }

    #[test]
    fn all_groups_are_required_unless_any_will_do() {
        check(&["system", "proctor_executor"], &["system"], true, true);
        check(&["system", "proctor_executor"], &["system", "proctor_maintainer"], false, true);
        check(&["system"], &["proctor_maintainer"], false, false);
        check(&[], &["system"], false, false);
        assert_eq!(GroupMatch::default(), GroupMatch::All);
    }

    #[test]
    fn where_nothing_is_required_every_user_may() {
        check(&[], &[], true, true);
        check(&["system"], &[], true, true);
    }

    #[test]
    fn names_are_compared_byte_by_byte() {
        check(&["admins"], &["Admins"], false, false);
        check(&["admins "], &["admins"], false, false);
        check(&["admins", "admins"], &["admins", "admins"], true, true);
    }
}
