//! Text → tree, in bounded time and memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{Diagnostic, Document, Mark, Node, Source, Span, Value, key, scalar};

/// Deepest nesting.
pub const DEPTH_MAX: usize = 64;

/// Most values in one file, aliases expanded.
pub const NODES_MAX: usize = 1_000_000;

/// Most characters that separate values. The scanner reads a whole flow
/// collection ahead before it yields the first event, so what it may queue has
/// to be bounded before it starts.
const INDICATORS_MAX: usize = 2 * NODES_MAX;

/// All documents of a file; empty ones are skipped.
///
/// # Errors
/// When the text is not YAML, uses a tag outside the core schema, repeats a key
/// in one mapping, uses a collection as a key, or exceeds a bound.
pub fn parse(source: &Source) -> Result<Vec<Document>, Diagnostic> {
    check_characters(source)?;
    let mut builder = Builder {
        source,
        marks: Marks::new(&source.text),
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        documents: Vec::new(),
    };
    let mut parser = Parser::new_from_str(&source.text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => return Err(builder.refuse(&error)),
        }
    }
    Ok(builder.documents)
}

fn check_characters(source: &Source) -> Result<(), Diagnostic> {
    let control = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r');
    if let Some((offset, c)) = source.text.char_indices().find(|(_, c)| control(*c)) {
        let before = &source.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let mark = Mark {
            offset,
            line: 1 + before.bytes().filter(|byte| *byte == b'\n').count() as u32,
            column: 1 + before[line_start..].chars().count() as u32,
        };
        let span = Span {
            start: mark,
            end: mark,
        };
        let message = format!("control character U+{:04X} in the text", c as u32);
        return Err(Diagnostic::error(message)
            .at(source, span)
            .help("YAML allows no control characters but tab and line breaks"));
    }
    let indicators = source
        .text
        .bytes()
        .filter(|byte| matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b':' | b'-' | b'?'))
        .count();
    if indicators > INDICATORS_MAX {
        return Err(too_many(source, Span::default()));
    }
    Ok(())
}

fn too_many(source: &Source, span: Span) -> Diagnostic {
    Diagnostic::error(format!("`{}` has too many values", source.name))
        .at(source, span)
        .help(format!(
            "at most {NODES_MAX} values are read, aliases expanded"
        ))
}

/// A collection being read.
struct Frame {
    start: Mark,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Node, Node)>,
        key: Option<Node>,
    },
}

/// A node that can be repeated, and its size.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Builder<'a> {
    source: &'a Source,
    marks: Marks<'a>,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    documents: Vec<Document>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: saphyr_parser::Span) -> Result<(), Diagnostic> {
        let span = self.marks.span(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), span)?;
                self.place(Node::new(span, value), anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", span)?;
                self.open(span, anchor, Kind::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", span)?;
                let kind = Kind::Mapping {
                    entries: Vec::new(),
                    key: None,
                };
                self.open(span, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.repeat(anchor, span),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn refuse(&self, error: &ScanError) -> Diagnostic {
        let start = self.marks.mark(*error.marker());
        let info = error.info();
        let diagnostic = Diagnostic::error(format!("this is not valid YAML: {info}"))
            .at(self.source, Span { start, end: start });
        if info.contains("tab") {
            diagnostic.help("YAML is indented with spaces, not tabs")
        } else if info.contains("mapping values are not allowed") {
            diagnostic.help("quote a value that contains `: `, or check the indentation")
        } else if info.contains("recursion limit") {
            diagnostic.help(format!("values may be nested {DEPTH_MAX} deep"))
        } else {
            diagnostic
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Value, Diagnostic> {
        let string = || Value::String(Arc::from(text));
        let Some(tag) = tag else {
            return Ok(match style {
                ScalarStyle::Plain => scalar::resolve(text),
                _ => string(),
            });
        };
        if tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty()
        {
            return Ok(string());
        }
        if !tag.is_yaml_core_schema() {
            return Err(self.bad_tag(tag, span));
        }
        let value = scalar::resolve(text);
        match (tag.suffix.as_str(), value) {
            ("str", _) => Ok(string()),
            ("null", Value::Null) => Ok(Value::Null),
            ("bool", value @ Value::Bool(_))
            | ("int", value @ (Value::Integer(_) | Value::Unsigned(_)))
            | ("float", value @ Value::Float(_)) => Ok(value),
            ("float", Value::Integer(value)) => Ok(Value::Float(value as f64)),
            ("null" | "bool" | "int" | "float", value) => Err(Diagnostic::error(format!(
                "{} is not what its tag `!!{}` says",
                value.describe(),
                tag.suffix
            ))
            .at(self.source, span)),
            _ => Err(self.bad_tag(tag, span)),
        }
    }

    fn check_tag(&self, tag: Option<&Tag>, kind: &str, span: Span) -> Result<(), Diagnostic> {
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == kind) => {
                Err(self.bad_tag(tag, span))
            }
            _ => Ok(()),
        }
    }

    fn bad_tag(&self, tag: &Tag, span: Span) -> Diagnostic {
        Diagnostic::error(format!("the tag `{tag}` means nothing here"))
            .at(self.source, span)
            .help("remove it; only the tags of YAML's core schema are read, such as `!!str`")
    }

    fn open(&mut self, span: Span, anchor: usize, kind: Kind) -> Result<(), Diagnostic> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        self.stack.push(Frame {
            start: span.start,
            anchor,
            kind,
        });
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Diagnostic {
        Diagnostic::error(format!("values are nested deeper than {DEPTH_MAX}"))
            .at(self.source, span)
    }

    fn close(&mut self, span: Span) -> Result<(), Diagnostic> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let (value, last) = match frame.kind {
            Kind::Sequence(items) => {
                let last = items.last().map(|item| item.span.end);
                (Value::Sequence(items), last)
            }
            Kind::Mapping { entries, .. } => {
                let last = entries.last().map(|(_, value)| value.span.end);
                (Value::Mapping(self.merged(entries)?), last)
            }
        };
        // A block collection's end event sits where the next token begins; its text ended with its last value.
        let bracket = span.start.offset < span.end.offset;
        let end = if bracket {
            span.end
        } else {
            last.unwrap_or(span.start)
        };
        let span = Span {
            start: frame.start,
            end: end.max(frame.start),
        };
        self.place(Node::new(span, value), frame.anchor, 1)
    }

    fn repeat(&mut self, anchor: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(
                Diagnostic::error("this alias is inside the value it repeats")
                    .at(self.source, span),
            );
        };
        let nodes = anchored.nodes;
        if self.nodes + nodes > NODES_MAX {
            return Err(too_many(self.source, span));
        }
        if self.stack.len() + anchored.depth > DEPTH_MAX + 1 {
            return Err(self.too_deep(span));
        }
        let node = anchored.node.clone();
        self.place(node, 0, nodes)
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node, anchor: usize, nodes: usize) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err(too_many(self.source, node.span));
        }
        if anchor != 0 {
            let size = node.count();
            // The copy kept for aliases costs memory too.
            self.nodes += size;
            let anchored = Anchored {
                nodes: size,
                depth: node.depth(),
                node: node.clone(),
            };
            self.anchors.insert(anchor, anchored);
        }
        match self.stack.last_mut().map(|frame| &mut frame.kind) {
            None if node.is_null() => {}
            None => {
                let document = Document::new(self.source.clone(), node);
                self.documents.push(document);
            }
            Some(Kind::Sequence(items)) => items.push(node),
            Some(Kind::Mapping { entries, key }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    if key::text(&node).is_none() {
                        let what = node.value.describe();
                        return Err(Diagnostic::error(format!("{what} cannot be a key"))
                            .at(self.source, node.place())
                            .help("a key is text, a number, or `true` or `false`"));
                    }
                    *key = Some(node);
                }
            },
        }
        Ok(())
    }

    /// Refuses repeated keys, and takes the entries of `<<` that are not overridden.
    fn merged(&mut self, entries: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>, Diagnostic> {
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let mut own = Vec::with_capacity(entries.len());
        let mut merges = Vec::new();
        for (key, value) in entries {
            let name = key::text(&key).unwrap_or_default().into_owned();
            if let Some(first) = seen.insert(name.clone(), key.span) {
                return Err(
                    Diagnostic::error(format!("the key `{name}` is given twice"))
                        .at(self.source, key.span)
                        .label("again here")
                        .also(self.source, first, "first here"),
                );
            }
            if name == "<<" && (value.is_mapping() || value.is_sequence()) {
                merges.push(value);
            } else {
                own.push((key, value));
            }
        }
        for merge in merges {
            let parts = match merge.value {
                Value::Sequence(parts) => parts,
                _ => vec![merge],
            };
            for part in parts {
                let Value::Mapping(entries) = part.value else {
                    return Err(Diagnostic::error(format!(
                        "`<<` merges mappings, and this is {}",
                        part.value.describe()
                    ))
                    .at(self.source, part.span));
                };
                for (key, value) in entries {
                    let name = key::text(&key).unwrap_or_default().into_owned();
                    if let Entry::Vacant(vacant) = seen.entry(name) {
                        vacant.insert(key.span);
                        own.push((key, value));
                    }
                }
            }
        }
        Ok(own)
    }
}

/// The parser counts characters; spans count bytes.
struct Marks<'a> {
    text: &'a str,
    /// Byte offset of every [`Marks::STRIDE`]-th character; empty when all characters are one byte.
    table: Vec<usize>,
}

impl<'a> Marks<'a> {
    const STRIDE: usize = 64;

    fn new(text: &'a str) -> Self {
        let table = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices()
                .step_by(Self::STRIDE)
                .map(|(offset, _)| offset)
                .collect()
        };
        Self { text, table }
    }

    fn offset(&self, chars: usize) -> usize {
        if self.table.is_empty() {
            return chars.min(self.text.len());
        }
        let Some(&from) = self.table.get(chars / Self::STRIDE) else {
            return self.text.len();
        };
        self.text[from..]
            .char_indices()
            .nth(chars % Self::STRIDE)
            .map_or(self.text.len(), |(offset, _)| from + offset)
    }

    fn mark(&self, marker: Marker) -> Mark {
        Mark {
            offset: self.offset(marker.index()),
            line: u32::try_from(marker.line()).unwrap_or(u32::MAX).max(1),
            column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.mark(span.start);
        let end = self.mark(span.end).max(start);
        Span { start, end }
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
