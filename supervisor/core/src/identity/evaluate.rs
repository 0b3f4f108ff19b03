//! How far a session has come with a scope: what its user may, has proved, and still has to prove.
//!
//! What can't be said counts as not proved: a scheme that is gone, disabled or silent is none, and a group
//! without schemes makes its scope unavailable.

mod state;

use std::collections::{BTreeMap, BTreeSet};

pub use state::{GroupState, SchemeState, ScopeState};

use super::authentication::{Authentication, last_login_ms};
use super::scheme::Availability;
use super::scope::{Group, Scope};

/// A scheme that is in use, as it is for one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeInfo {
    /// The plugin.
    pub module: String,
    /// For people.
    pub display_name: String,
    /// How often an authentication may be used. 0: any number of times.
    pub max_use: u32,
    /// As the scheme has said.
    pub availability: Availability,
}

/// All that decides how far a session has come.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Names of the scopes that the user has.
    pub of_user: &'a [String],
    /// Those that are asked about.
    pub scopes: &'a [Scope],
    /// By instance. What is not among them can't be used.
    pub schemes: &'a BTreeMap<String, SchemeInfo>,
    /// What the session's user has proved in this session.
    pub authentications: &'a [Authentication],
    /// The password is there to choose another one, so that it proves nothing: no scope is satisfied before, not even
    /// one that needs no password.
    pub must_change_password: bool,
    pub now_ms: i64,
}

/// One state for each of the scopes, in their order.
pub fn evaluate(question: Question<'_>) -> Vec<ScopeState> {
    question.scopes.iter().map(|scope| state(question, scope)).collect()
}

/// Whether each of these is satisfied: names that no state has are not, and neither is no name at all.
pub fn are_satisfied(states: &[ScopeState], names: &[String]) -> bool {
    let is_satisfied =
        |name: &String| states.iter().any(|state| state.name == *name && state.is_satisfied());
    !names.is_empty() && names.iter().all(is_satisfied)
}

/// The schemes whose proofs wear out when these scopes are used. Each once, whatever needs it. Passwords, and schemes
/// that may be used any number of times, need not be counted.
pub fn used(states: &[ScopeState]) -> BTreeSet<&str> {
    let schemes = states.iter().flat_map(ScopeState::schemes);
    let worn = schemes.filter(|scheme| scheme.is_authenticated && scheme.wears_out);
    worn.map(|scheme| scheme.name.as_str()).collect()
}

/// When a session's user has authenticated last for these scopes: by the password in any case, or by a scheme of
/// their groups. For no scopes: never.
pub fn last_login(scopes: &[Scope], authentications: &[Authentication]) -> Option<i64> {
    if scopes.is_empty() {
        return None;
    }
    let schemes: BTreeSet<_> = scopes.iter().flat_map(Scope::schemes).collect();
    let counts = |it: &&Authentication| it.scheme.as_deref().is_none_or(|it| schemes.contains(it));
    last_login_ms(authentications.iter().filter(counts))
}

fn state(question: Question<'_>, scope: &Scope) -> ScopeState {
    let groups: Vec<_> = scope.groups.iter().map(|group| group_state(question, group)).collect();
    let has_scope = question.of_user.contains(&scope.name);
    let is_available = has_scope && groups.iter().all(|group| !group.schemes.is_empty());
    let bare = ScopeState::unavailable(scope);
    if !is_available {
        return bare;
    }
    ScopeState {
        is_available,
        password_required: scope.password_required || question.must_change_password,
        password_authenticated: has_password(question, scope),
        password_last_login_ms: password(question).map(|it| it.last_login_ms),
        groups,
        ..bare
    }
}

fn password(question: Question<'_>) -> Option<&Authentication> {
    let passwords = question.authentications.iter().filter(|it| it.is_password());
    passwords.max_by_key(|it| it.last_login_ms)
}

fn has_password(question: Question<'_>, scope: &Scope) -> bool {
    if question.must_change_password {
        return false;
    }
    let Some(proof) = password(question) else { return false };
    if scope.password_max_age_s == 0 {
        return proof.is_current(question.now_ms);
    }
    let age = i64::try_from(scope.password_max_age_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    question.now_ms < proof.last_login_ms.saturating_add(age)
}

fn group_state(question: Question<'_>, group: &Group) -> GroupState {
    let schemes = group.schemes.iter().filter_map(|name| scheme_state(question, name));
    GroupState { name: group.name.clone(), required: group.required, schemes: schemes.collect() }
}

/// None: it can't be used.
fn scheme_state(question: Question<'_>, name: &str) -> Option<SchemeState> {
    let info = question.schemes.get(name)?;
    if info.availability == Availability::NotAvailable {
        return None;
    }
    let proofs = question.authentications.iter().filter(|it| it.is_of(name));
    let proof = proofs.max_by_key(|it| it.last_login_ms);
    let is_registered = info.availability == Availability::Registered;
    let counts = |proof: &Authentication| {
        proof.is_current(question.now_ms) && !proof.is_used_up(info.max_use)
    };
    Some(SchemeState {
        module: info.module.clone(),
        name: name.to_owned(),
        display_name: info.display_name.clone(),
        is_registered,
        is_authenticated: is_registered && proof.is_some_and(counts),
        last_login_ms: proof.map(|it| it.last_login_ms),
        wears_out: info.max_use > 0,
    })
}

#[cfg(test)]
mod tests;
