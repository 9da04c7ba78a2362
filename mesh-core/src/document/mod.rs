//! YAML and JSON documents in which every value knows its place in the file.
//!
//! One tree serves everything a person writes: scenario files, topologies and
//! mesh configuration. It keeps spans for diagnostics and provenance, can be
//! edited by path before it is read, bounds what hostile input can cost, and
//! reports the fields that a reader did not take.
//!
//! # Theory
//!
//! A file goes through three stages, each with its own kind of mistake:
//!
//! 1. [`Source`] → [`Document`] ([`parse`]): YAML 1.2 with the core schema
//!    (<https://yaml.org/spec/1.2.2/#103-core-schema>), of which JSON is a
//!    subset. Aliases are expanded and `<<` merge keys are honoured, as
//!    Kubernetes' tools do. The cost is bounded whatever the input: file size,
//!    nesting depth, and the number of nodes *after* expansion, so that a
//!    "billion laughs" file ends in a diagnostic.
//! 2. [`Document`] → your type ([`read`], [`read_all`], [`read_lenient`]): a serde
//!    deserializer over the tree. An error belongs to the innermost node that
//!    caused it.
//! 3. Your type → meaning: values that must be blamed later are [`Spanned`].
//!
//! Every mistake of every stage is a [`Diagnostic`]: what is wrong, where, and
//! what would be right.
//!
//! # Example
//!
//! ```
//! use mesh_core::document::{parse, read, Source};
//! use serde::Deserialize;
//!
//! #[derive(Debug, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Light {
//!     colour: String,
//! }
//!
//! let source = Source::new("light.yaml", "color: red\n");
//! let documents = parse(&source).expect("valid YAML");
//! let error = read::<Light>(&documents[0], &documents[0].root).unwrap_err();
//! assert_eq!(error.message(), "unknown field `color`");
//! assert_eq!(error.position().expect("a place").to_string(), "light.yaml:1:1");
//! assert!(error.render(false).contains("did you mean `colour`?"));
//! ```

mod diagnostic;
pub mod duration;
mod ignored;
mod key;
mod nearest;
mod node;
mod parse;
mod path;
mod place;
mod read;
mod read_error;
mod scalar;
mod source;
mod spanned;

pub use diagnostic::{Diagnostic, Severity};
pub use ignored::IgnoredField;
pub use nearest::nearest;
pub use node::{Node, Value};
pub use parse::{DEPTH_MAX, NODES_MAX, parse};
pub use path::PathError;
pub use place::{Mark, Span};
pub use read::{read, read_all, read_lenient};
pub use source::{FILE_BYTES_MAX, Source};
pub use spanned::{Recover, Spanned};

use std::collections::BTreeSet;

use crate::policy::Position;

/// Whether `text` is one line that opens nothing: no quotes, list or mapping.
fn is_plain(text: &str) -> bool {
    !text.contains('\n') && !text.trim_start().starts_with(['"', '\'', '[', '{'])
}

fn whole_line(text: &str) -> Span {
    let end = Mark {
        offset: text.len(),
        line: 1,
        column: 1 + text.chars().count() as u32,
    };
    Span {
        start: Mark::default(),
        end,
    }
}

/// One YAML document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The text it was read from.
    pub source: Source,
    /// Its root.
    pub root: Node,
    /// Words that people use for fields, and the names of those fields: suggested where a field is unknown.
    pub words: &'static [(&'static str, &'static str)],
    overlays: Vec<Overlay>,
}

/// The text of a value that was set by path; its marks begin at `base`.
#[derive(Clone, Debug)]
struct Overlay {
    source: Source,
    base: usize,
}

impl Document {
    fn new(source: Source, root: Node) -> Self {
        Self {
            source,
            root,
            words: &[],
            overlays: Vec::new(),
        }
    }

    /// Sets the value at `path` (see [`Node::set_path`]) to the YAML value `text`; a line that is no YAML is text.
    /// Diagnostics about the value show `--set path=text` as its file.
    ///
    /// # Errors
    /// When `text` is not YAML, or the path leads nowhere.
    pub fn set(&mut self, path: &str, text: &str) -> Result<(), Diagnostic> {
        self.set_as(&format!("--set {path}"), path, text)
    }

    /// As [`set`](Self::set), and diagnostics about the value show `name` as its file.
    ///
    /// # Errors
    /// As for [`set`](Self::set).
    pub fn set_as(&mut self, name: &str, path: &str, text: &str) -> Result<(), Diagnostic> {
        let source = Source::new(name, text);
        let value = match parse(&source) {
            Ok(documents) => match documents.into_iter().next() {
                Some(document) => document.root,
                None => Node::null(Span::default()),
            },
            // `>= 99%` begins as a block of YAML does; nobody means one here.
            Err(_) if is_plain(text) => Node::new(whole_line(text), Value::String(text.into())),
            Err(error) => return Err(error),
        };
        let base = self.overlays.last().map_or(self.source.text.len(), |last| {
            last.base + last.source.text.len()
        }) + 1;
        self.root
            .set_path(path, value.shifted(base))
            .map_err(|error| {
                Diagnostic::error(format!("cannot set `{path}`: {error}"))
                    .at(&source, Span::default())
            })?;
        self.overlays.push(Overlay { source, base });
        Ok(())
    }

    /// The text a span of this document belongs to, and the span within it.
    pub fn locate(&self, span: Span) -> (&Source, Span) {
        match self.overlay_of(span).map(|index| &self.overlays[index]) {
            Some(overlay) => (&overlay.source, span.back(overlay.base)),
            None => (&self.source, span),
        }
    }

    /// Where a span of this document begins.
    pub fn position(&self, span: Span) -> Position {
        let (source, span) = self.locate(span);
        source.position(span.start)
    }

    /// An error about a span of this document.
    pub fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        let (source, span) = self.locate(span);
        Diagnostic::error(message).at(source, span)
    }

    /// The texts of values that were [set](Self::set).
    pub fn overlays(&self) -> impl Iterator<Item = &Source> {
        self.overlays.iter().map(|overlay| &overlay.source)
    }

    /// What set values within `node` by path, each once and in the order in which they were set; not what set `node` itself.
    pub(super) fn amended_by<'a>(&'a self, node: &Node) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut within = BTreeSet::new();
        if !self.overlays.is_empty() {
            self.overlays_within(node, &mut within);
            within.remove(&self.overlay_of(node.span));
        }
        let mut names: Vec<&str> = Vec::new();
        for index in within.into_iter().flatten() {
            let name = &*self.overlays[index].source.name;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.into_iter()
    }

    fn overlays_within(&self, node: &Node, within: &mut BTreeSet<Option<usize>>) {
        within.insert(self.overlay_of(node.span));
        match &node.value {
            Value::Sequence(items) => items
                .iter()
                .for_each(|item| self.overlays_within(item, within)),
            Value::Mapping(entries) => entries
                .iter()
                .for_each(|(_, value)| self.overlays_within(value, within)),
            _ => {}
        }
    }

    /// Which of the values that were set a span belongs to.
    fn overlay_of(&self, span: Span) -> Option<usize> {
        let begun = |overlay: &Overlay| overlay.base <= span.start.offset;
        self.overlays.iter().rposition(begun)
    }

    /// A document of its own made of one node of this one.
    #[must_use]
    pub fn part(&self, node: &Node) -> Self {
        Self {
            root: node.clone(),
            ..self.clone()
        }
    }

    /// The text a position of this document belongs to.
    pub fn source_of(&self, at: &Position) -> &Source {
        self.overlays
            .iter()
            .map(|overlay| &overlay.source)
            .find(|source| source.name == at.file)
            .unwrap_or(&self.source)
    }
}
