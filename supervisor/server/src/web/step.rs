//! What a log-in has to ask for next. Decides, and asks nobody.

use std::collections::BTreeSet;

use outboard_core::identity::evaluate::{SchemeState, ScopeState};

use super::ask::Prompt;

/// What is known when somebody comes to the log-in page.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub prompt: Option<Prompt>,
    /// How many users the session has.
    pub users: usize,
    /// One of them is the current one, and may still sign in.
    pub has_current: bool,
    /// Whose password is good for one sign-in only.
    pub must_change: bool,
    /// How many scopes are asked for, by whatever names.
    pub asked: usize,
    /// Those that exist, for the current user.
    pub states: &'a [ScopeState],
    /// What the user has granted to the client; `None` if there is no client, or it was answered just now.
    pub granted: Option<&'a [String]>,
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// User name and password; only the password where the user is known.
    Password {
        is_known: bool,
    },
    /// One of the session's users, or another one.
    Select,
    /// A password of the user's own.
    NewPassword,
    /// None of the scopes is this user's.
    Nothing,
    /// One of these schemes, each of which would help.
    Scheme(Vec<&'a SchemeState>),
    /// Schemes are needed of which the user has set up too few.
    SetUp(Vec<&'a SchemeState>),
    /// Which of these scopes the client gets.
    Consent(Vec<&'a ScopeState>),
    Done,
}

pub(super) fn next(seen: Seen<'_>) -> Step<'_> {
    match seen.prompt {
        Some(Prompt::SelectAccount) if seen.users > 0 => return Step::Select,
        Some(Prompt::Login) => return Step::Password { is_known: false },
        _ if !seen.has_current => return Step::Password { is_known: false },
        _ if seen.must_change => return Step::NewPassword,
        _ => {}
    }
    let usable: Vec<_> = seen.states.iter().filter(|state| state.is_available).collect();
    if usable.is_empty() && seen.asked > 0 {
        return Step::Nothing;
    }
    let needs_password =
        |state: &&ScopeState| state.password_required && !state.password_authenticated;
    if usable.iter().any(needs_password) {
        return Step::Password { is_known: true };
    }
    missing(&usable).or_else(|| consent(seen, usable)).unwrap_or(Step::Done)
}

/// Schemes of the groups that still need one: those that are set up, or if there are none, those that could be.
fn missing<'a>(usable: &[&'a ScopeState]) -> Option<Step<'a>> {
    let groups = usable.iter().flat_map(|state| &state.groups);
    let mut open = groups.filter(|group| !group.is_satisfied());
    let group = open.next()?;
    let mut seen = BTreeSet::new();
    let schemes: Vec<_> = group
        .schemes
        .iter()
        .filter(|scheme| !scheme.is_authenticated && seen.insert(scheme.name.as_str()))
        .collect();
    let (ready, others): (Vec<_>, Vec<_>) =
        schemes.into_iter().partition(|scheme| scheme.is_registered);
    Some(if ready.is_empty() { Step::SetUp(others) } else { Step::Scheme(ready) })
}

fn consent<'a>(seen: Seen<'a>, usable: Vec<&'a ScopeState>) -> Option<Step<'a>> {
    let granted = seen.granted?;
    let is_new = usable.iter().any(|state| !granted.contains(&state.name));
    let is_asked = is_new || seen.prompt == Some(Prompt::Consent);
    (is_asked && !usable.is_empty()).then_some(Step::Consent(usable))
}

#[cfg(test)]
mod tests;
