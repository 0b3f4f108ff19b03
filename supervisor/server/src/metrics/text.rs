//! The text format of Prometheus, as far as it is needed: families of counters, gauges and histograms.
//! See "Text-based format" in Prometheus' documentation of its exposition formats.

use std::fmt::{Display, Write as _};

/// A page that is being written.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// One family of a page: samples of one name.
pub(super) struct Family<'t> {
    text: &'t mut String,
    name: &'t str,
}

pub(super) type Label<'l> = (&'l str, &'l str);

impl Text {
    pub(super) fn counter<'t>(&'t mut self, name: &'t str, help: &str) -> Family<'t> {
        self.family(name, "counter", help)
    }

    pub(super) fn gauge<'t>(&'t mut self, name: &'t str, help: &str) -> Family<'t> {
        self.family(name, "gauge", help)
    }

    pub(super) fn histogram<'t>(&'t mut self, name: &'t str, help: &str) -> Family<'t> {
        self.family(name, "histogram", help)
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn family<'t>(&'t mut self, name: &'t str, kind: &str, help: &str) -> Family<'t> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.0, name }
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.write("", labels, value);
    }

    /// A histogram of `buckets`, each an upper bound and how many are at most that, the last without a bound.
    pub(super) fn buckets(
        &mut self,
        labels: &[Label<'_>],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        sum: f64,
        count: u64,
    ) {
        let all = buckets.into_iter().chain([(f64::INFINITY, count)]);
        for (most, below) in all {
            let most = if most.is_finite() { most.to_string() } else { "+Inf".to_owned() };
            let labels: Vec<_> = labels.iter().copied().chain([("le", most.as_str())]).collect();
            self.write("_bucket", &labels, below);
        }
        self.write("_sum", labels, sum);
        self.write("_count", labels, count);
    }

    fn write(&mut self, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            value.chars().for_each(|char| escape(self.text, char));
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn escape(text: &mut String, char: char) {
    match char {
        '\\' => text.push_str("\\\\"),
        '"' => text.push_str("\\\""),
        '\n' => text.push_str("\\n"),
        plain => text.push(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_its_type_and_a_line_for_each_sample() {
        let mut text = Text::default();
        let mut family = text.counter("a_total", "What it counts.");
        family.sample(&[("x", "a\"b\\c\nd"), ("y", "é")], 3);
        text.gauge("b", "Now.").sample(&[], 1.5);
        let expected = "# HELP a_total What it counts.\n# TYPE a_total counter\n\
                        a_total{x=\"a\\\"b\\\\c\\nd\",y=\"é\"} 3\n\
                        # HELP b Now.\n# TYPE b gauge\nb 1.5\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_histogram_has_a_bucket_for_all() {
        let mut text = Text::default();
        let mut family = text.histogram("t_seconds", "How long.");
        family.buckets(&[("x", "a")], [(0.000_25, 1), (2.5, 4)], 7.25, 5);
        let expected = "# HELP t_seconds How long.\n# TYPE t_seconds histogram\n\
                        t_seconds_bucket{x=\"a\",le=\"0.00025\"} 1\nt_seconds_bucket{x=\"a\",le=\"2.5\"} 4\n\
                        t_seconds_bucket{x=\"a\",le=\"+Inf\"} 5\nt_seconds_sum{x=\"a\"} 7.25\nt_seconds_count{x=\"a\"} 5\n";
        assert_eq!(text.finish(), expected);
    }
}
