//! What is only wrong together.

use super::layers::Layers;
use super::{Config, SecretSource, keys};

/// What each value alone can't tell.
pub(super) fn check(layers: &mut Layers<'_>, config: &Config) {
    let mut variables =
        config.secrets.values().filter_map(SecretSource::variable).collect::<Vec<_>>();
    variables.sort_unstable();
    layers.refuse_unknown_variables(&variables);

    let supervision = &config.supervision;
    if supervision.backoff_min > supervision.backoff_max {
        let place = layers.place_of_either(
            &keys::SUPERVISION_BACKOFF_MIN.about,
            &keys::SUPERVISION_BACKOFF_MAX.about,
        );
        layers.mistakes.add(
            place,
            "supervision.backoff_min is longer than supervision.backoff_max; lower the one or raise the other",
        );
    }
    let events = &config.events;
    if events.max_event > events.max_bytes.min(events.pending_bytes) {
        let smaller = if events.max_bytes < events.pending_bytes {
            &keys::EVENTS_MAX_BYTES.about
        } else {
            &keys::EVENTS_PENDING_BYTES.about
        };
        let place = layers.place_of_either(&keys::EVENTS_MAX_EVENT.about, smaller);
        layers.mistakes.add(
            place,
            format!(
                "events.max_event is larger than {}; lower the one or raise the other",
                smaller.path
            ),
        );
    }
    let auth = &config.auth;
    if auth.email_header.eq_ignore_ascii_case(&auth.token_header) {
        let place =
            layers.place_of_either(&keys::AUTH_EMAIL_HEADER.about, &keys::AUTH_TOKEN_HEADER.about);
        layers.mistakes.add(
            place,
            "auth.email_header and auth.token_header are the same header; choose another for either",
        );
    }
    if config.plugins == config.data_dir.join("plugins") {
        let place = layers.place_of_either(&keys::PLUGINS.about, &keys::DATA_DIR.about);
        layers.mistakes.add(
            place,
            "the directory of plugins is where the data directory keeps imported ones; choose another for either",
        );
    }
}
