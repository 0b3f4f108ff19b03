//! Logs as go-plugin hosts read them: one JSON object a line on stderr.
//!
//! [`Server::serve`](crate::Server::serve) sets this up. A program that has a `tracing` subscriber of
//! its own adds [`layer`] to it.

mod line;
mod panic;

use std::io::Write as _;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use line::Fields;

pub(crate) use panic::install as log_panics;

/// A layer that writes each event as an hclog line to stderr: `@level`, `@message`, `@timestamp` with
/// six fraction digits, `@module` (the event's target), and the fields of the event and its spans,
/// flat. A line is never longer than 60 KiB: fields, then the message, are cut to fit.
///
/// Writing blocks while the host does not read. A host that is gone is no error.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let subscriber = tracing_subscriber::registry().with(outboard_sdk::hclog::layer());
/// tracing::subscriber::with_default(subscriber, || tracing::info!(answer = 42, "ready"));
/// ```
pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Hclog
}

/// Makes [`layer`] the process's subscriber, filtered by `RUST_LOG` (default: `info`), unless the
/// program has set one.
pub(crate) fn install() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // An error says that there is a subscriber already: the program's own, which it prefers.
    let _ = tracing_subscriber::registry().with(filter).with(layer()).try_init();
}

struct Hclog;

impl<S> Layer<S> for Hclog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer);
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        write(&line::render(*metadata.level(), metadata.target(), fields));
    }
}

/// Writes one line at error past every filter.
pub(crate) fn write_error(module: &str, message: String) {
    write(&line::render(tracing::Level::ERROR, module, Fields::with_message(message)));
}

/// One write for each line, so that lines of several threads do not mix.
fn write(line: &str) {
    // Nobody is left to tell when stderr is closed.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}
