//! Keys of mappings.

use std::borrow::Cow;

use super::{Node, Value};

/// A key as text: Kubernetes' tools turn numbers and truth values in key position into text.
/// `None` for what cannot be a key.
pub(super) fn text(key: &Node) -> Option<Cow<'_, str>> {
    Some(match &key.value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Integer(value) => Cow::Owned(value.to_string()),
        Value::Unsigned(value) => Cow::Owned(value.to_string()),
        Value::Float(value) => Cow::Owned(value.to_string()),
        Value::Bool(value) => Cow::Owned(value.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => return None,
    })
}
