//! What an event looks like in Slack. Pure: events go in, messages within Slack's limits come out.

mod block;
mod event;
mod text;

use serde_json::{Value, json};

use block::Block;
pub(crate) use text::escaped;
use text::{FALLBACK, cut};

/// More than fits into a message.
pub(crate) const MOST_TEMPLATE_BYTES: usize = 256 * 1024;

/// A message that Slack takes: it has a text, for notifications and for clients that show no blocks, and maybe
/// blocks, which are shown in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Escaped, neither empty nor too long.
    text: String,
    blocks: Vec<Block>,
}

impl Message {
    /// From a template: it is Slack's markup, in which what the event says is escaped. `None`: there is nothing to
    /// see in it.
    pub(crate) fn of_text(markup: &str) -> Option<Self> {
        let markup = markup.trim();
        if markup.is_empty() {
            return None;
        }
        let blocks = text::pieces(markup).into_iter().map(Block::markup);
        Some(Self {
            text: text::cut_markup(markup, FALLBACK),
            blocks: block::bounded(blocks.collect()),
        })
    }

    /// As a table for `EXECUTION_EVENT`, and as a text for all others.
    pub(crate) fn of_event(event: &outboard_sdk::Event) -> Self {
        match event::execution(event) {
            Some((headline, rows)) => {
                Self { text: cut(&headline, FALLBACK), blocks: block::table(&headline, &rows) }
            }
            None => Self { text: cut(&event::plain(event), FALLBACK), blocks: Vec::new() },
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut message = json!({ "text": self.text });
        if !self.blocks.is_empty() {
            message["blocks"] = self.blocks.iter().map(Block::to_json).collect();
        }
        message
    }
}

#[cfg(test)]
mod tests;
