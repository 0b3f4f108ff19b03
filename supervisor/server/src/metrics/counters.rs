//! What plugins count themselves.

use std::collections::{BTreeMap, BTreeSet};

use outboard_core::metric::{Counters, INSTANCE};

use super::text::{Label, Text};

/// The series of all instances, those of one name together.
pub(super) fn write(text: &mut Text, counters: &BTreeMap<String, Counters>) {
    let all = counters.values().flat_map(Counters::series);
    let names: BTreeSet<_> = all.map(|(name, _, _)| name).collect();
    for name in names {
        let help = counters.values().map(|of| of.help(name)).find(|help| !help.is_empty());
        let family_name = format!("{name}_total");
        let help = help.unwrap_or("A counter of a plugin.");
        let mut family = text.counter(&family_name, help);
        for (instance, of) in counters {
            for (_, labels, count) in of.series().filter(|(of, _, _)| *of == name) {
                let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let labels: Vec<Label<'_>> =
                    labels.chain([(INSTANCE, instance.as_str())]).collect();
                family.sample(&labels, count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(raises: &[(&str, &str, u64)]) -> Counters {
        let mut counters = Counters::default();
        let labels = |value: &str| {
            let pairs = (!value.is_empty()).then(|| ("kind".to_owned(), value.to_owned()));
            pairs.into_iter().collect()
        };
        let raises =
            raises.iter().map(|(name, value, by)| ((*name).to_owned(), labels(value), *by));
        counters.raise(raises.collect()).unwrap();
        counters
    }

    #[test]
    fn series_of_one_name_stand_together_whosever_they_are() {
        let mut one = counters(&[("codes", "a", 2), ("logins", "", 0)]);
        one.describe(vec![("codes".to_owned(), "Codes\nthat \\ were given.".to_owned())]).unwrap();
        let two = counters(&[("codes", "\"b\"", 3)]);
        let mut text = Text::default();
        write(&mut text, &[("one".to_owned(), one), ("two".to_owned(), two)].into());
        assert_eq!(
            text.finish(),
            "# HELP codes_total Codes\\nthat \\\\ were given.\n# TYPE codes_total counter\n\
             codes_total{kind=\"a\",instance=\"one\"} 2\ncodes_total{kind=\"\\\"b\\\"\",instance=\"two\"} 3\n\
             # HELP logins_total A counter of a plugin.\n# TYPE logins_total counter\nlogins_total{instance=\"one\"} 0\n"
        );
    }
}
