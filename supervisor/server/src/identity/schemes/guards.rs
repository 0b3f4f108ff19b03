//! Leaves a call of a scheme alone that lets everybody wait in vain.
//!
//! One breaker for each call of each scheme: one whose mails don't get away can still say who may use it, and that must
//! not hide it.

use std::sync::Arc;

use crate::breakers::Breakers;

/// What a scheme is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    CanUse,
    Register,
    GetRegistration,
    Deregister,
    Trigger,
    Validate,
}

const CALLS: [(&str, &str); 6] = [
    ("can_use", "CanUse of a scheme"),
    ("register", "Register of a scheme"),
    ("get_registration", "GetRegistration of a scheme"),
    ("deregister", "Deregister of a scheme"),
    ("trigger", "Trigger of a scheme"),
    ("validate", "Validate of a scheme"),
];

/// In the order of [`CALLS`].
#[derive(Debug)]
pub(in crate::identity) struct Guards([Arc<Breakers>; CALLS.len()]);

impl Default for Guards {
    fn default() -> Self {
        Self(CALLS.map(|(_, what)| Breakers::new(what)))
    }
}

impl Guards {
    pub(super) fn of(&self, call: Call) -> &Arc<Breakers> {
        &self.0[call as usize]
    }

    /// What is left alone at the moment: instances, each with the call.
    pub(super) fn held_back(&self) -> Vec<(String, &'static str)> {
        let calls = CALLS.iter().zip(&self.0);
        let open = calls.flat_map(|((call, _), breakers)| {
            breakers.open().into_iter().map(|instance| (instance, *call))
        });
        open.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_own_breaker() {
        let guards = Guards::default();
        for _ in 0..5 {
            guards.of(Call::Validate).permit("otp").unwrap().failed();
            guards.of(Call::CanUse).permit("otp").unwrap().succeeded();
        }
        assert!(guards.of(Call::Validate).permit("otp").is_err());
        assert!(guards.of(Call::Validate).permit("webauthn").is_ok());
        assert!(guards.of(Call::CanUse).permit("otp").is_ok());
        assert_eq!(guards.held_back(), [("otp".to_owned(), "validate")]);
    }
}
