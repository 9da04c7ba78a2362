//! Values that a comma cut in two.
//!
//! Inside `{ }` and `[ ]` YAML ends a value without quotes at the first comma,
//! so `{ service-time: uniform(1ms, 3ms) }` is a mapping of `service-time` and a
//! key `3ms)`. What would be said of the halves helps nobody; such a value is
//! known by its open bracket and refused before anything is read.

use mesh_core::document::{Diagnostic, Document, Mark, Node, Source, Span, Value};

/// Characters within which a bracket is expected to close.
const LENGTH_MAX: usize = 200;

/// Every value of `document` that a comma cut.
pub(super) fn cut_values(document: &Document) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    walk(document, &document.root, &mut found);
    found
}

fn walk(document: &Document, node: &Node, found: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::String(_) => found.extend(cut(document, node)),
        Value::Sequence(items) => items.iter().for_each(|item| walk(document, item, found)),
        Value::Mapping(entries) => entries
            .iter()
            .flat_map(|(key, value)| [key, value])
            .for_each(|part| walk(document, part, found)),
        _ => {}
    }
}

fn cut(document: &Document, node: &Node) -> Option<Diagnostic> {
    let (source, span) = document.locate(node.span);
    let whole = whole_value(source, span)?;
    let written = source.text.get(span.start.offset..whole.end.offset)?;
    Some(
        Diagnostic::error("inside `{ }` and `[ ]` a comma ends a value")
            .at(source, whole)
            .help(format!("put it in quotes: \"{written}\"")),
    )
}

/// Where the value really ends, if `span` is the part of it before a comma.
fn whole_value(source: &Source, span: Span) -> Option<Span> {
    let written = source.text.get(span.start.offset..span.end.offset)?;
    let rest = source.text.get(span.end.offset..)?;
    if written.starts_with(['"', '\''])
        || depth(written) < 1
        || !rest.trim_start_matches(' ').starts_with(',')
    {
        return None;
    }
    let mut open = depth(written);
    for (at, (offset, c)) in rest.char_indices().enumerate().take(LENGTH_MAX) {
        open += step(c);
        if c == '\n' || c == '"' {
            return None;
        }
        if open == 0 {
            let end = Mark {
                offset: span.end.offset + offset + 1,
                line: span.end.line,
                column: span.end.column + at as u32 + 1,
            };
            return Some(Span {
                start: span.start,
                end,
            });
        }
    }
    None
}

fn depth(text: &str) -> i32 {
    text.chars().map(step).sum()
}

const fn step(c: char) -> i32 {
    match c {
        '(' => 1,
        ')' => -1,
        _ => 0,
    }
}
