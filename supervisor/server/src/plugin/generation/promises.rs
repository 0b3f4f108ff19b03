//! What manifest and operator promise, compared with what `Load` lists.

use outboard_core::identity::kind::InstanceKind;
use outboard_proto::plugin::v1::Capability;

use crate::plugin::reach::Capabilities;
use crate::plugin::unit::Installed;

/// What the manifest says that the plugin can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promises {
    /// There is no manifest: `Load` alone says it.
    pub(super) is_lone: bool,
    notify: bool,
    authenticate: bool,
}

impl Promises {
    pub(super) fn of(installed: &Installed) -> Self {
        Self {
            is_lone: installed.is_lone,
            notify: installed.manifest.notify.is_some(),
            authenticate: installed.manifest.authenticate,
        }
    }

    /// What is promised and not kept, a line each: an instance of this kind can't be what it is meant to be.
    pub(super) fn broken(self, capabilities: &Capabilities, kind: InstanceKind) -> Vec<String> {
        let mut broken: Vec<String> = unable(capabilities, kind).into_iter().collect();
        if self.notify && !capabilities.has(Capability::Notify) {
            broken.push(
                "plugin.toml has `notify.types`, but Load does not list CAPABILITY_NOTIFY; implement Notifier and list \
                 it, or remove `notify` from plugin.toml"
                    .to_owned(),
            );
        }
        if self.authenticate && !capabilities.has(Capability::Authenticate) {
            broken.push(
                "plugin.toml has `authenticate = true`, but Load does not list CAPABILITY_AUTHENTICATE; implement \
                 Authenticator and list it, or remove `authenticate` from plugin.toml"
                    .to_owned(),
            );
        }
        broken
    }

    /// What the plugin can do and will not be asked to, since its manifest does not say so.
    pub(super) fn unasked(self, capabilities: &Capabilities) -> Option<&'static str> {
        if self.is_lone {
            None
        } else if capabilities.has(Capability::Notify) && !self.notify {
            Some(
                "Load lists CAPABILITY_NOTIFY, but it is told of no event: plugin.toml has no `notify.types`",
            )
        } else if capabilities.has(Capability::Authenticate) && !self.authenticate {
            Some(
                "Load lists CAPABILITY_AUTHENTICATE, but it is never asked: plugin.toml has no `authenticate = true`",
            )
        } else {
            None
        }
    }
}

/// What a plugin lacks for an instance of this kind.
fn unable(capabilities: &Capabilities, kind: InstanceKind) -> Option<String> {
    let (needed, service) = match kind {
        InstanceKind::Plugin => return None,
        InstanceKind::Scheme => (Capability::Scheme, "Scheme"),
        InstanceKind::UserBackend => (Capability::UserBackend, "UserBackend"),
        InstanceKind::ClientBackend => (Capability::ClientBackend, "ClientBackend"),
    };
    (!capabilities.has(needed)).then(|| {
        format!(
            "its kind is \"{kind}\", but Load does not list {}; take a plugin that implements {service}, or give it \
             another kind",
            needed.as_str_name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(promises: Promises, can: &[Capability], broken: &[&str], unasked: Option<&str>) {
        let listed: Vec<i32> = can.iter().map(|&capability| capability.into()).collect();
        let capabilities = Capabilities::of(&listed);
        let found = promises.broken(&capabilities, InstanceKind::Plugin);
        assert_eq!(found.len(), broken.len(), "{found:?}");
        assert!(found.iter().zip(broken).all(|(line, words)| line.contains(words)), "{found:?}");
        let found = promises.unasked(&capabilities);
        assert_eq!(found.is_some(), unasked.is_some(), "{found:?}");
        assert!(found.is_none_or(|line| unasked.is_some_and(|words| line.contains(words))));
    }

    #[test]
    fn manifest_and_load_must_say_the_same() {
        use Capability::{Authenticate, Notify};
        let none = Promises { is_lone: false, notify: false, authenticate: false };
        let both = Promises { is_lone: false, notify: true, authenticate: true };
        check(none, &[], &[], None);
        check(both, &[Notify, Authenticate], &[], None);
        check(both, &[], &["CAPABILITY_NOTIFY", "CAPABILITY_AUTHENTICATE"], None);
        check(both, &[Notify], &["`authenticate = true`"], None);
        check(none, &[Notify], &[], Some("`notify.types`"));
        check(none, &[Authenticate], &[], Some("`authenticate = true`"));
    }

    #[test]
    fn an_instance_of_a_kind_needs_a_plugin_that_can_be_that() {
        let none = Promises { is_lone: false, notify: false, authenticate: false };
        let check = |kind, capability: Capability| {
            let found = none.broken(&Capabilities::of(&[Capability::HttpServe.into()]), kind);
            assert!(found.len() == 1 && found[0].contains(capability.as_str_name()), "{found:?}");
            assert!(none.broken(&Capabilities::of(&[capability.into()]), kind).is_empty());
        };
        check(InstanceKind::Scheme, Capability::Scheme);
        check(InstanceKind::UserBackend, Capability::UserBackend);
        check(InstanceKind::ClientBackend, Capability::ClientBackend);
    }

    #[test]
    fn without_a_manifest_load_alone_says_it() {
        let lone = Promises { is_lone: true, notify: false, authenticate: false };
        check(lone, &[Capability::Notify, Capability::Authenticate], &[], None);
    }
}
