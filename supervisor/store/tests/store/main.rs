//! The store on real databases: SQLite in a temporary directory, and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod harness;
mod identity;
mod instances;
mod opening;
mod outbox;
mod storage;

/// Text that a careless query, encoding or collation would change, or run.
const AWKWARD: [&str; 16] = [
    "'; DROP TABLE plugin_instance; --",
    "\"; DROP TABLE plugin_instance; --",
    "' OR '1'='1",
    "$1",
    "?1 :name @name %s {}",
    "\\'; --",
    "%_%",
    "line\nbreak\r\n\ttab",
    "  spaces  ",
    "naïve Ünïcødé",
    "nai\u{308}ve",
    "日本語",
    "עברית \u{202e}rtl",
    "🧑🏽‍🚀🏴‍☠️",
    "\u{feff}bom",
    "\u{1}\u{7f}\u{10ffff}",
];
