//! Every metric that there is, with its name and what it means.

use std::sync::Arc;

use super::text::{Label, Text};
use crate::gateway::observe::series::{BUCKETS, LABELS, Totals};
use crate::gateway::observe::{Observer, Reason, Series};
use crate::gateway::quota::Quotas;

/// An instance's name and numbers.
struct Instance {
    series: Arc<Series>,
    totals: Totals,
}

impl Instance {
    fn labels(&self) -> [Label<'_>; 2] {
        let name = self.series.name();
        [("plugin", &name.plugin), ("instance", &name.instance)]
    }

    fn labels_and<'l>(&'l self, label: Label<'l>) -> [Label<'l>; 3] {
        let [plugin, instance] = self.labels();
        [plugin, instance, label]
    }
}

pub(super) fn page(observer: &Observer, quotas: &Quotas) -> Text {
    let instances: Vec<_> = observer
        .all_series()
        .into_iter()
        .map(|series| Instance { totals: series.totals(), series })
        .collect();
    let mut text = Text::default();
    requests(&mut text, &instances);
    durations(&mut text, &instances);
    bodies(&mut text, &instances);
    now(&mut text, &instances, quotas);
    refusals(&mut text, &instances, observer);
    gateway(&mut text, observer);
    text
}

fn requests(text: &mut Text, instances: &[Instance]) {
    let mut family = text.counter(
        "outboard_http_requests_total",
        "Requests of an instance that have ended, by status; \"none\": the client went before the response began.",
    );
    for instance in instances {
        for (code, count) in LABELS.into_iter().zip(instance.totals.codes) {
            if count > 0 {
                family.sample(&instance.labels_and(("code", code)), count);
            }
        }
    }
}

fn durations(text: &mut Text, instances: &[Instance]) {
    let mut family = text.histogram(
        "outboard_http_request_duration_seconds",
        "From the head of a request to the end of its response, or to its head where the connection was upgraded.",
    );
    for instance in instances {
        let Totals { durations, duration_us, .. } = &instance.totals;
        let buckets = BUCKETS.map(seconds).into_iter().zip(durations.iter().copied());
        let count = durations[BUCKETS.len()];
        family.buckets(&instance.labels(), buckets, seconds(*duration_us), count);
    }
}

/// As a fraction has it that people read: microseconds are exact in it for 285 years.
#[expect(clippy::cast_precision_loss)]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn bodies(text: &mut Text, instances: &[Instance]) {
    let mut received = text.counter(
        "outboard_http_request_body_bytes_total",
        "Bytes of request bodies, and those that upgraded connections brought.",
    );
    for instance in instances {
        received.sample(&instance.labels(), instance.totals.received);
    }
    let mut sent = text.counter(
        "outboard_http_response_body_bytes_total",
        "Bytes of response bodies, and those that upgraded connections took.",
    );
    for instance in instances {
        sent.sample(&instance.labels(), instance.totals.sent);
    }
}

fn now(text: &mut Text, instances: &[Instance], quotas: &Quotas) {
    let mut in_flight = text.gauge(
        "outboard_http_requests_in_flight",
        "Requests and upgraded connections of an instance that are under way.",
    );
    for instance in instances {
        in_flight.sample(&instance.labels(), instance.totals.in_flight);
    }
    let mut waiting = text.gauge(
        "outboard_http_requests_waiting",
        "Requests that wait for a place at a plugin (max_concurrent_requests).",
    );
    for (plugin, count) in quotas.waiting() {
        waiting.sample(&[("plugin", &plugin)], count);
    }
}

fn refusals(text: &mut Text, instances: &[Instance], observer: &Observer) {
    let mut refused = text.counter(
        "outboard_http_refused_total",
        "Requests of an instance that the host answered itself, or whose response it cut off, by reason.",
    );
    for instance in instances {
        for (reason, count) in Reason::ALL.iter().zip(instance.totals.refused) {
            if count > 0 {
                refused.sample(&instance.labels_and(("reason", reason.label())), count);
            }
        }
    }
    let mut unrouted = text
        .counter("outboard_http_unrouted_total", "Requests that reached no instance, by reason.");
    for (reason, count) in observer.unrouted_counts().filter(|(_, count)| *count > 0) {
        unrouted.sample(&[("reason", reason.label())], count);
    }
}

fn gateway(text: &mut Text, observer: &Observer) {
    text.gauge("outboard_http_connections", "Connections of clients that are open.")
        .sample(&[], observer.connections());
    text.gauge("outboard_http_tunnels", "Upgraded connections, such as WebSockets, that are open.")
        .sample(&[], observer.tunnels());
    if let Some(log) = observer.access_log() {
        text.counter(
            "outboard_access_log_dropped_total",
            "Lines that are missing in the access log.",
        )
        .sample(&[], log.dropped());
    }
    text.gauge("outboard_build_info", "1, with the version of this supervisor.")
        .sample(&[("version", crate::version())], 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::observe::Record;
    use tokio::time::Instant;

    fn record(observer: &Observer) -> Record {
        let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        observer.begin(&parts, "r1", [127, 0, 0, 1].into(), Instant::now())
    }

    /// Each of `lines` must be a line of the page.
    #[track_caller]
    fn check(page: &str, lines: &[&str]) {
        for line in lines {
            assert!(page.lines().any(|found| found == *line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn the_page_tells_what_was_counted() {
        let observer = Observer::new(2, None);
        let quotas = Quotas::default();
        let _quota = quotas.plugin("mock");
        let series = observer.series("mock", "one");
        let mut done = record(&observer);
        done.routed(&series);
        done.meter().add(3);
        done.sent(5);
        done.answered(200);
        done.complete();
        drop(done);
        let mut full = record(&observer.worker(1));
        full.routed(&series);
        full.refused(&observer, Reason::QueueFull);
        full.answered(503);
        drop(full);
        let mut going_on = record(&observer);
        going_on.routed(&series);
        observer.unrouted(Reason::Malformed);
        let _connection = observer.connection();

        let page = page(&observer, &quotas).finish();
        check(
            &page,
            &[
                "outboard_http_requests_total{plugin=\"mock\",instance=\"one\",code=\"200\"} 1",
                "outboard_http_requests_total{plugin=\"mock\",instance=\"one\",code=\"503\"} 1",
                "outboard_http_request_duration_seconds_bucket{plugin=\"mock\",instance=\"one\",le=\"60\"} 2",
                "outboard_http_request_duration_seconds_count{plugin=\"mock\",instance=\"one\"} 2",
                "outboard_http_request_body_bytes_total{plugin=\"mock\",instance=\"one\"} 3",
                "outboard_http_response_body_bytes_total{plugin=\"mock\",instance=\"one\"} 5",
                "outboard_http_requests_in_flight{plugin=\"mock\",instance=\"one\"} 1",
                "outboard_http_requests_waiting{plugin=\"mock\"} 0",
                "outboard_http_refused_total{plugin=\"mock\",instance=\"one\",reason=\"queue_full\"} 1",
                "outboard_http_unrouted_total{reason=\"malformed\"} 1",
                "outboard_http_connections 1",
                "outboard_http_tunnels 0",
            ],
        );
        let helps = page.lines().filter(|line| line.starts_with("# HELP ")).count();
        let types = page.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!((helps, types), (11, 11));
    }

    #[test]
    fn an_instance_that_is_gone_is_no_longer_on_the_page() {
        let (observer, quotas) = (Observer::default(), Quotas::default());
        let series = observer.series("mock", "one");
        assert!(page(&observer, &quotas).finish().contains("instance=\"one\""));
        drop(series);
        assert!(!page(&observer, &quotas).finish().contains("instance="));
    }
}
