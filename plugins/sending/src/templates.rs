//! An operator's own texts, by type of event.
//!
//! A template sees the event as `CloudEvents` writes it, and `delivery` with `id`, `attempt` and `replayed`. What an
//! event says is data: it is never read as a template, and is written in such a way that the receiver takes it
//! for text. Work and length are bounded.

use std::collections::BTreeMap;
use std::io;

use minijinja::value::Value as Written;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use outboard_sdk::{Delivery, Problems};
use serde_json::{Value, json};

const MOST_TEMPLATES: usize = 100;
const LONGEST_TEMPLATE: usize = 16 * 1024;
/// Steps of one rendering.
const MOST_STEPS: u64 = 100_000;

/// Texts by type: `exact`, `prefix*`, or `*` for all others.
pub struct Templates {
    environment: Environment<'static>,
    patterns: Vec<String>,
}

impl Templates {
    /// Reads templates, and notes what is wrong with each. `pointer` is the parameter that they are, `escape` how a
    /// receiver wants text.
    pub fn read(
        pointer: &str,
        sources: &BTreeMap<String, String>,
        escape: fn(&str) -> String,
        problems: &mut Problems,
    ) -> Self {
        let mut environment = Environment::new();
        environment.set_fuel(Some(MOST_STEPS));
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        // By a template's name it would be guessed, and the names are types of events.
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(move |out, _, value| {
            out.write_str(&written(value, escape)).map_err(Into::into)
        });
        if sources.len() > MOST_TEMPLATES {
            problems.add(pointer, format!("holds more than {MOST_TEMPLATES}"));
        }
        for (pattern, source) in sources.iter().take(MOST_TEMPLATES) {
            if let Err(message) = add(&mut environment, pattern, source) {
                let escaped = pattern.replace('~', "~0").replace('/', "~1");
                problems.add(format!("{pointer}/{escaped}"), message);
            }
        }
        let mut patterns: Vec<String> = sources.keys().cloned().collect();
        // The exact one first, then the longest prefix.
        patterns.sort_by_key(|pattern| (pattern.ends_with('*'), std::cmp::Reverse(pattern.len())));
        Self { environment, patterns }
    }

    /// The text for an event, at most so many bytes of it; `None` without a template for its type.
    ///
    /// # Errors
    ///
    /// If the template can't be rendered with this event; why, for an operator.
    pub fn render(
        &self,
        kind: &str,
        context: &Value,
        most_bytes: usize,
    ) -> Option<Result<String, String>> {
        let pattern = self.patterns.iter().find(|pattern| matches(pattern, kind))?;
        let template = self.environment.get_template(pattern).ok()?;
        let mut text = Bounded { text: Vec::new(), most_bytes };
        let rendered = template.render_captured_to(context, &mut text).map(drop);
        Some(match rendered {
            Ok(()) => Ok(String::from_utf8_lossy(&text.text).into_owned()),
            Err(error) => Err(format!("template {pattern:?}: {}", told(&error))),
        })
    }
}

fn add(environment: &mut Environment<'static>, pattern: &str, source: &str) -> Result<(), String> {
    let name = pattern.strip_suffix('*').unwrap_or(pattern);
    if name.contains('*') || (name.is_empty() && pattern != "*") {
        return Err("must be a type of events, or the beginning of one and a *".to_owned());
    }
    if source.len() > LONGEST_TEMPLATE {
        return Err(format!("is longer than {LONGEST_TEMPLATE} bytes"));
    }
    let added = environment.add_template_owned(pattern.to_owned(), source.to_owned());
    added.map_err(|error| told(&error))
}

fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => pattern == kind,
    }
}

fn told(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

/// What is not there is written as nothing; what a template calls safe, as it is.
fn written(value: &Written, escape: fn(&str) -> String) -> String {
    if value.is_undefined() || value.is_none() {
        return String::new();
    }
    let text = value.to_string();
    if value.is_safe() { text } else { escape(&text) }
}

/// What a template sees.
pub fn context(delivery: &Delivery) -> Value {
    let mut context = delivery.event.to_cloud_event();
    if let Value::Object(members) = &mut context {
        let about = json!({
            "id": delivery.id,
            "attempt": delivery.attempt,
            "replayed": delivery.replayed,
        });
        members.insert("delivery".to_owned(), about);
    }
    context
}

/// Forgets what is over.
struct Bounded {
    text: Vec<u8>,
    most_bytes: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most_bytes.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shout(text: &str) -> String {
        text.replace('<', "LESS")
    }

    fn templates(sources: &[(&str, &str)]) -> Result<Templates, Problems> {
        let own =
            |(pattern, source): &(&str, &str)| (String::from(*pattern), String::from(*source));
        let mut problems = Problems::default();
        let templates =
            Templates::read("/templates", &sources.iter().map(own).collect(), shout, &mut problems);
        problems.or(templates)
    }

    fn rendered(source: &str, context: &Value) -> Result<String, String> {
        templates(&[("*", source)]).unwrap().render("x", context, 100).unwrap()
    }

    #[test]
    fn the_most_exact_template_is_taken() {
        let all = [("job.*", "j"), ("job.done", "d"), ("*", "a"), ("job.do*", "o")];
        let all = templates(&all).unwrap();
        for (kind, text) in [("job.done", "d"), ("job.dome", "o"), ("job.x", "j"), ("jobs", "a")] {
            assert_eq!(all.render(kind, &json!({}), 10).unwrap().unwrap(), text, "{kind}");
        }
        assert!(templates(&[("a", "x")]).unwrap().render("b", &json!({}), 10).is_none());
    }

    #[test]
    fn values_are_escaped_and_the_operators_own_text_is_not() {
        let context = json!({"type": "t.html", "data": {"a": "<b>", "c": ["<"], "n": 1.5}});
        let text = rendered("<{{ data.a }} {{ data.c }} {{ data.a|safe }} {{ data.n }}", &context);
        assert_eq!(text.unwrap(), "<LESSb> [\"LESS\"] <b> 1.5");
        let html = templates(&[("a.html", "{{ x }}")]).unwrap();
        let text = html.render("a.html", &json!({"x": "\"'&"}), 10).unwrap();
        assert_eq!(text.unwrap(), "\"'&", "the name does not decide");
    }

    #[test]
    fn what_is_not_there_is_nothing_and_what_an_event_says_is_no_template() {
        let context = json!({"data": {"a": "{{ delivery.id }}", "none": null}});
        let text = rendered("[{{ data.b.c.d }}{{ data.none }}{{ data.a }}]", &context);
        assert_eq!(text.unwrap(), "[{{ delivery.id }}]");
    }

    #[test]
    fn endless_work_and_endless_text_have_an_end() {
        let long =
            rendered("{% for i in range(9999) %}{{ data }}{% endfor %}", &json!({"data": "xy"}));
        assert_eq!(long.unwrap(), "xy".repeat(50));
        let forever =
            "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(rendered(forever, &json!({})).unwrap_err().contains("template \"*\""));
    }

    #[test]
    fn each_template_that_is_wrong_is_named() {
        let long = "x".repeat(LONGEST_TEMPLATE + 1);
        let bad = [("a/b", "{{ x"), ("*b", ""), ("c", long.as_str()), ("good", "{{ x }}")];
        let problems = templates(&bad).err().unwrap();
        let pointers: Vec<&str> = problems.iter().map(|it| it.pointer.as_str()).collect();
        assert_eq!(pointers, ["/templates/*b", "/templates/a~1b", "/templates/c"]);
        assert!(problems.iter().any(|it| it.message.starts_with("line 1: ")));
    }
}
