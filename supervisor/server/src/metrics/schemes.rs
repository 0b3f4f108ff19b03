//! Which schemes are left alone.

use super::text::Text;
use crate::identity::Identity;

pub(super) fn write(text: &mut Text, identity: &Identity) {
    let mut held_back = text.gauge(
        "outboard_scheme_held_back",
        "1 for each call of a scheme that is left alone for a while, since it was not answered in time too often.",
    );
    for (instance, call) in identity.schemes().held_back() {
        held_back.sample(&[("instance", &instance), ("call", call)], 1);
    }
}
