//! Where log lines go: to stderr, for people or for machines.

use std::io::{self, IsTerminal as _};

use outboard_core::config::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt};

use crate::environment::Environment;

/// Begins to log. Once in a process, at its start.
pub fn init(log: &Log, environment: &Environment) -> Result<(), TryInitError> {
    tracing_subscriber::registry()
        .with(output(log.format, environment))
        .with(targets(log.level))
        .try_init()
}

fn output(format: LogFormat, environment: &Environment) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => {
            let is_plain = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
            Box::new(layer.with_ansi(io::stderr().is_terminal() && !is_plain))
        }
        LogFormat::Json => Box::new(layer.json().flatten_event(true).with_current_span(false)),
    }
}

/// The level is for Outboard and its plugins. Libraries underneath have little to say to an operator
/// below a warning, and at `trace` would drown all else.
fn targets(level: LogLevel) -> Targets {
    let level = filter(level);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("outboard", level)
        .with_target("plugin", level)
        // Which calls are written down, `callbacks.audit` says alone.
        .with_target("audit", LevelFilter::INFO)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn the_level_is_for_outboard_and_plugins_and_no_more_than_warnings_for_others() {
        let check = |level, target, at, expected| {
            assert_eq!(targets(level).would_enable(target, &at), expected, "{target} {at}");
        };
        check(LogLevel::Debug, "outboard::plugin", Level::DEBUG, true);
        check(LogLevel::Debug, "outboard_host::stop", Level::DEBUG, true);
        check(LogLevel::Debug, "plugin", Level::DEBUG, true);
        check(LogLevel::Debug, "h2::codec", Level::INFO, false);
        check(LogLevel::Debug, "h2::codec", Level::WARN, true);
        check(LogLevel::Error, "h2::codec", Level::WARN, false);
        check(LogLevel::Info, "outboard::app", Level::DEBUG, false);
        check(LogLevel::Error, "audit", Level::INFO, true);
    }
}
