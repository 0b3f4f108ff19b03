//! Panics as hclog lines: what Rust prints by itself reaches a Go host's log at debug, as text.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use tracing::Level;

use super::line::{Fields, render};
use super::write;

/// Replaces the process's panic hook. A backtrace is there if `RUST_BACKTRACE` asks for it.
pub(crate) fn install() {
    panic::set_hook(Box::new(|info| write(&describe(info))));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let reason = info.payload_as_str().unwrap_or("a value that is no text");
    let mut fields = Fields::with_message(format!("panicked: {reason}"));
    if let Some(location) = info.location() {
        fields.insert("location", location.to_string().into());
    }
    fields.insert("thread", thread::current().name().unwrap_or("unnamed").into());
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        fields.insert("backtrace", backtrace.to_string().into());
    }
    render(Level::ERROR, "panic", fields)
}
