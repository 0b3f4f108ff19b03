//! Slack's documented rules for what a webhook takes, as strict as Slack is and stricter: nothing that it would ignore,
//! nothing that it might read as markup of ours where none is meant.

use serde_json::{Map, Value};

/// Says what is wrong.
pub(crate) fn validate(message: &Value) -> Result<(), String> {
    let message = object(message, &["text", "blocks"])?;
    let text = message.get("text").and_then(Value::as_str).ok_or("no_text")?;
    text_is_good(text, 1, 40_000)?;
    let Some(blocks) = message.get("blocks") else { return Ok(()) };
    let blocks = blocks.as_array().ok_or("invalid_blocks: no list")?;
    if blocks.is_empty() || blocks.len() > 50 {
        return Err(format!("invalid_blocks: {} blocks", blocks.len()));
    }
    blocks.iter().try_for_each(section)
}

fn section(block: &Value) -> Result<(), String> {
    let block = object(block, &["type", "text", "fields"])?;
    if block.get("type") != Some(&"section".into()) {
        return Err("invalid_blocks: no section".to_owned());
    }
    if !block.contains_key("text") && !block.contains_key("fields") {
        return Err("invalid_blocks: neither text nor fields".to_owned());
    }
    if let Some(text) = block.get("text") {
        text_object(text, 3000)?;
    }
    let Some(fields) = block.get("fields") else { return Ok(()) };
    let fields = fields.as_array().ok_or("invalid_blocks: fields are no list")?;
    if fields.is_empty() || fields.len() > 10 {
        return Err(format!("invalid_blocks: {} fields", fields.len()));
    }
    fields.iter().try_for_each(|field| text_object(field, 2000))
}

fn text_object(text: &Value, most: usize) -> Result<(), String> {
    let text = object(text, &["type", "text"])?;
    let kind = text.get("type").and_then(Value::as_str).unwrap_or_default();
    if !["plain_text", "mrkdwn"].contains(&kind) {
        return Err(format!("invalid_blocks: text of type {kind:?}"));
    }
    let text = text.get("text").and_then(Value::as_str).ok_or("invalid_blocks: no text")?;
    text_is_good(text, 1, most)
}

fn text_is_good(text: &str, least: usize, most: usize) -> Result<(), String> {
    let length = text.encode_utf16().count();
    if length < least || most < length || text.trim().is_empty() {
        return Err(format!("invalid_blocks: a text of {length}"));
    }
    if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t') {
        return Err(format!("invalid_blocks: {c:?} in a text"));
    }
    let escapes = ["&amp;", "&lt;", "&gt;"];
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let found = escapes.iter().find(|escape| rest[at..].starts_with(**escape));
        let escape = found.ok_or("a & that is no escape")?;
        rest = &rest[at + escape.len()..];
    }
    // A template may have links and mentions; they must be whole.
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>']) {
        let end = rest[at..].strip_prefix('<').and_then(|it| it.find(['<', '>', '\n']));
        let end = end.map(|end| at + 1 + end).filter(|end| rest[*end..].starts_with('>'));
        rest = &rest[end.ok_or("markup that is not whole")? + 1..];
    }
    Ok(())
}

fn object<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object().ok_or("invalid_payload: no object")?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("invalid_payload: {key:?} is not known")),
        None => Ok(object),
    }
}
