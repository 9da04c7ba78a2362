//! What went wrong while a type was read, in words for people who do not write Rust.

use std::fmt;

use serde::de::{self, Unexpected};

use super::nearest::{nearest, shortened};
use super::{Diagnostic, Document, Span};

/// More names than this are not listed in a note.
const LISTED_MAX: usize = 40;

#[derive(Debug)]
pub(super) struct ReadError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    help: Option<String>,
    note: Option<String>,
    span: Option<Span>,
}

impl ReadError {
    fn new(message: String) -> Self {
        Self(Box::new(Inner {
            message,
            help: None,
            note: None,
            span: None,
        }))
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Suggests the field of `known` that people also call `name`, by a list of words.
    pub(super) fn translated(
        self,
        name: &str,
        known: &[&str],
        words: &[(&str, &'static str)],
    ) -> Self {
        let meant = words
            .iter()
            .find(|(word, field)| word.eq_ignore_ascii_case(name) && known.contains(field));
        match meant {
            Some((_, field)) => self.help(format!("did you mean `{field}`?")),
            None => self,
        }
    }

    /// Blames `span`, unless something further in is blamed already.
    pub(super) fn at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    pub(super) fn into_diagnostic(self, document: &Document) -> Diagnostic {
        let inner = *self.0;
        let mut diagnostic = match inner.span {
            Some(span) => document.error(span, inner.message),
            None => Diagnostic::error(inner.message),
        };
        if let Some(help) = inner.help {
            diagnostic = diagnostic.help(help);
        }
        if let Some(note) = inner.note {
            diagnostic = diagnostic.note(note);
        }
        diagnostic
    }

    /// `name` is none of `known`.
    fn not_among(what: &str, name: &str, known: &'static [&'static str]) -> Self {
        let mut error = Self::new(format!("unknown {what} `{}`", shortened(name)));
        if let Some(close) = nearest(name, known.iter().copied()) {
            error = error.help(format!("did you mean `{close}`?"));
        }
        if !known.is_empty() && known.len() <= LISTED_MAX {
            error.0.note = Some(format!("valid here: {}", listed(known)));
        }
        error
    }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// How to write a number where text is wanted: what a mesh calls text is often a time.
fn as_text(number: impl fmt::Display) -> String {
    format!("put it in quotes: \"{number}\", or give it its unit if it is a time: {number}s")
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expectation(&expected.to_string());
        let error = Self::new(format!("expected {expected}, found {}", describe(found)));
        match found {
            Unexpected::Bool(value) if wants_text(&expected) => {
                error.help(format!("put it in quotes: \"{value}\""))
            }
            Unexpected::Signed(value) if wants_text(&expected) => error.help(as_text(value)),
            Unexpected::Unsigned(value) if wants_text(&expected) => error.help(as_text(value)),
            Unexpected::Float(_) if wants_text(&expected) => error.help("put it in quotes"),
            _ => error,
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expectation(&expected.to_string());
        Self::new(format!("expected {expected}, found {}", describe(found)))
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {expected}, found {length} items"))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::not_among("field", field, known)
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::not_among("value", variant, known)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the field `{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the field `{field}` is given twice"))
    }
}

fn wants_text(expected: &str) -> bool {
    expected == "text"
}

/// serde names Rust's types; a person reads words.
fn expectation(expected: &str) -> String {
    match expected {
        "a string" | "string" | "str" | "a borrowed string" => "text".into(),
        "a boolean" => "`true` or `false`".into(),
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping".into(),
        "unit" => "nothing".into(),
        other if other.starts_with("struct ") || other.starts_with("tuple struct ") => {
            "a mapping".into()
        }
        other if other.starts_with("a nonzero ") => "a whole number, not 0".into(),
        other => other.into(),
    }
}

fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("`{}`", shortened(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}
