//! The tree.

use std::sync::Arc;

use super::Span;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it is written. An alias's copy has the place of the original.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number above `i64::MAX`.
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// Text; whatever is in quotes is text.
    String(Arc<str>),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in file order. Keys are scalars, never null, and differ from each other.
    Mapping(Vec<(Node, Node)>),
}

impl Value {
    /// What a person calls this, with its text: ``text `abc` ``, `number 5`, `a list`.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".into(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Integer(value) => format!("number `{value}`"),
            Self::Unsigned(value) => format!("number `{value}`"),
            Self::Float(value) => format!("number `{value}`"),
            Self::String(text) => format!("text `{}`", super::nearest::shortened(text)),
            Self::Sequence(_) => "a list".into(),
            Self::Mapping(_) => "a mapping".into(),
        }
    }
}

impl Node {
    /// A value at a place.
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, value }
    }

    /// Nothing, at a place.
    pub fn null(span: Span) -> Self {
        Self::new(span, Value::Null)
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key and its value.
    pub fn entry(&self, key: &str) -> Option<&(Self, Self)> {
        self.entries()
            .iter()
            .find(|(name, _)| name.as_str() == Some(key))
    }

    /// The keys and values of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is a whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.value {
            Value::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self.value {
            Value::Integer(value) => Some(value as f64),
            Value::Unsigned(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// Whether it is a list.
    pub fn is_sequence(&self) -> bool {
        matches!(self.value, Value::Sequence(_))
    }

    /// Whether it is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Mapping(_))
    }

    /// Where to point when this node is blamed as a whole: a block mapping is shown by its first key.
    pub fn place(&self) -> Span {
        match &self.value {
            Value::Mapping(entries) if self.span.start.line != self.span.end.line => {
                entries.first().map_or(self.span, |(key, _)| key.span)
            }
            _ => self.span,
        }
    }

    /// Values in it, itself included.
    pub(super) fn count(&self) -> usize {
        match &self.value {
            Value::Sequence(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Value::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|(key, value)| key.count() + value.count())
                    .sum::<usize>()
            }
            _ => 1,
        }
    }

    /// Levels of nesting in it; 1 for a scalar.
    pub(super) fn depth(&self) -> usize {
        match &self.value {
            Value::Sequence(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|(_, value)| value.depth())
                    .max()
                    .unwrap_or(0)
            }
            _ => 1,
        }
    }

    /// The same tree with every mark moved by `bytes`.
    pub(super) fn shifted(mut self, bytes: usize) -> Self {
        self.shift(bytes);
        self
    }

    fn shift(&mut self, bytes: usize) {
        self.span = self.span.forth(bytes);
        match &mut self.value {
            Value::Sequence(items) => items.iter_mut().for_each(|item| item.shift(bytes)),
            Value::Mapping(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.shift(bytes);
                value.shift(bytes);
            }),
            _ => {}
        }
    }
}
