//! Text as Slack wants it: three characters escaped, never empty, never too long.

/// Of a section's text.
pub(super) const SECTION: usize = 3000;
/// Of one of its fields.
pub(super) const FIELD: usize = 2000;
/// Of a message's own text. Slack would cut it at 40,000; it is a summary.
pub(super) const FALLBACK: usize = 3000;

/// What stands where a value is empty: Slack takes no empty text.
const NOTHING: &str = "(empty)";
/// What stands where something was cut off.
const CUT: &str = "… (cut)";

/// `&`, `<` and `>` would be markup.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut all, c| {
        push_escaped(&mut all, c);
        all
    })
}

fn push_escaped(all: &mut String, c: char) {
    match c {
        '&' => all.push_str("&amp;"),
        '<' => all.push_str("&lt;"),
        '>' => all.push_str("&gt;"),
        '\n' | '\t' => all.push(c),
        // Invisible, and no use to anybody.
        c if c.is_control() => all.push(' '),
        c => all.push(c),
    }
}

/// Escapes what comes from an event, and cuts it to `most`, which counts what is sent. Length is in UTF-16 units, the
/// largest that Slack could mean.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.trim().is_empty() {
        return NOTHING.to_owned();
    }
    let whole = escaped(text);
    if length(&whole) <= most {
        return whole;
    }
    let room = most - length(CUT);
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let before = kept.len();
        push_escaped(&mut kept, c);
        used += length(&kept[before..]);
        if used > room {
            // A half of an escape would be no escape.
            kept.truncate(before);
            break;
        }
    }
    kept + CUT
}

/// The same for what is escaped already.
pub(super) fn cut_markup(markup: &str, most: usize) -> String {
    if length(markup) <= most {
        return markup.to_owned();
    }
    let (piece, _) = split(markup, most - length(CUT));
    piece.to_owned() + CUT
}

/// Markup in pieces that fit into sections, none of them empty, cut at ends of lines where there are some.
pub(super) fn pieces(markup: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = markup;
    while !rest.trim().is_empty() {
        let (piece, after) = split(rest, SECTION);
        if !piece.trim().is_empty() {
            pieces.push(piece.to_owned());
        }
        rest = after;
    }
    pieces
}

/// The longest beginning of at most `most` that ends well, and what follows. A limit is longer than an escape, so the
/// beginning is never empty.
fn split(markup: &str, most: usize) -> (&str, &str) {
    let end = fitting(markup, most);
    if end == markup.len() {
        return (markup, "");
    }
    let line = markup[..end].rfind('\n').filter(|line| *line > 0);
    // Without lines: not within an escape, nor within a link or a mention.
    let end = line.unwrap_or_else(|| {
        let end = whole_before(markup, end, '&', ';');
        whole_before(markup, end, '<', '>')
    });
    let (piece, rest) = markup.split_at(end);
    (piece, rest.strip_prefix('\n').unwrap_or(rest))
}

/// How many bytes fit.
fn fitting(text: &str, most: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.len_utf16();
        if used > most {
            return at;
        }
    }
    text.len()
}

/// `end`, or where something begins that goes on behind it.
fn whole_before(markup: &str, end: usize, open: char, close: char) -> usize {
    let begun = markup[..end].rfind(open).filter(|at| !markup[*at..end].contains(close));
    begun.filter(|at| *at > 0).unwrap_or(end)
}

pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}
