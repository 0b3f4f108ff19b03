//! What plugins have asked of the host.

use super::text::Text;
use crate::callback::counts::CallCounts;

pub(super) fn write(text: &mut Text, calls: &CallCounts) {
    let mut family = text.counter(
        "outboard_callbacks_total",
        "Calls of plugins to the host that have ended, by gRPC code and what the answer says.",
    );
    for counted in calls.counted() {
        let labels = [
            ("plugin", counted.plugin.as_str()),
            ("instance", counted.instance.as_str()),
            ("service", counted.service),
            ("method", counted.method),
            ("code", counted.code),
            ("result", counted.result),
        ];
        family.sample(&labels, counted.count);
    }
}
