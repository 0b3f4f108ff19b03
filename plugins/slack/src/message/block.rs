//! Sections: a text, or a text and rows of two fields. What is here is within Slack's limits.

use serde_json::{Value, json};

use super::text::{FIELD, SECTION, cut, escaped};

/// Of a message.
const MOST_BLOCKS: usize = 50;
/// Of a section: two for each row.
const MOST_FIELDS: usize = 10;

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    text: Option<Text>,
    fields: Vec<Text>,
}

/// Escaped, neither empty nor too long.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Text {
    Plain(String),
    Markup(String),
}

impl Block {
    /// A piece of markup that fits.
    pub(super) fn markup(piece: String) -> Self {
        Self { text: Some(Text::Markup(piece)), fields: Vec::new() }
    }

    fn plain(text: &str) -> Self {
        Self { text: Some(Text::Plain(cut(text, SECTION))), fields: Vec::new() }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut block = json!({ "type": "section" });
        if let Some(text) = &self.text {
            block["text"] = text.to_json();
        }
        if !self.fields.is_empty() {
            block["fields"] = self.fields.iter().map(Text::to_json).collect();
        }
        block
    }
}

impl Text {
    fn to_json(&self) -> Value {
        match self {
            Self::Plain(text) => json!({ "type": "plain_text", "text": text }),
            Self::Markup(text) => json!({ "type": "mrkdwn", "text": text }),
        }
    }
}

/// A headline, and a row for each pair; in as many sections as they take.
pub(super) fn table(headline: &str, rows: &[(String, String)]) -> Vec<Block> {
    let mut blocks = vec![Block::plain(headline)];
    for (index, some) in rows.chunks(MOST_FIELDS / 2).enumerate() {
        let fields = some.iter().flat_map(|(name, value)| row(name, value)).collect();
        match index {
            0 => blocks[0].fields = fields,
            _ => blocks.push(Block { text: None, fields }),
        }
    }
    bounded(blocks)
}

/// The name in bold. Its own stars would end that.
fn row(name: &str, value: &str) -> [Text; 2] {
    let name = name.replace('*', "∗").replace('\n', " ");
    let name = cut(&name, FIELD - 2);
    [Text::Markup(format!("*{name}*")), Text::Plain(cut(value, FIELD))]
}

/// At most as many as a message may have; the last one then says how many are missing.
pub(super) fn bounded(mut blocks: Vec<Block>) -> Vec<Block> {
    if blocks.len() > MOST_BLOCKS {
        let missing = blocks.len() - (MOST_BLOCKS - 1);
        blocks.truncate(MOST_BLOCKS - 1);
        let text =
            escaped(&format!("… and {missing} sections more, which are too many for a message"));
        blocks.push(Block::markup(text));
    }
    blocks
}
