//! serde over the tree: a type from a node, with errors that know their place.

use std::cell::RefCell;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::ignored::{IgnoredField, Trail};
use super::read_error::ReadError;
use super::spanned::{RECOVER, SPANNED};
use super::{Diagnostic, Document, Node, Span, Value, key, scalar};

/// Reads a type out of a node of `document`.
///
/// Null where a mapping or a list is wanted is an empty one, as in Kubernetes.
///
/// # Errors
/// The first mistake, at the innermost node that made it.
pub fn read<T: DeserializeOwned>(document: &Document, node: &Node) -> Result<T, Diagnostic> {
    let context = Context::new(document);
    T::deserialize(Reader::new(node, &context, &Trail::Root))
        .map_err(|error| error.into_diagnostic(document))
}

/// More mistakes than this are not noted.
const NOTED_MAX: usize = 100;

/// As [`read`], but goes on after a mistake where it can: an unknown field is noted and
/// skipped (so every struct of the type must deny unknown fields), and a mistake inside a
/// [`Recover`](super::Recover) is noted and leaves that value out.
///
/// # Errors
/// The mistakes found, up to a hundred, in the order of the file.
pub fn read_all<T: DeserializeOwned>(
    document: &Document,
    node: &Node,
) -> Result<T, Vec<Diagnostic>> {
    let context = Context {
        recovered: Some(RefCell::default()),
        ..Context::new(document)
    };
    let result = T::deserialize(Reader::new(node, &context, &Trail::Root));
    let mut errors = context
        .recovered
        .map(RefCell::into_inner)
        .unwrap_or_default();
    match result {
        Ok(value) if errors.is_empty() => return Ok(value),
        Ok(_) => {}
        Err(error) => errors.push(error),
    }
    Err(errors
        .into_iter()
        .map(|error| error.into_diagnostic(document))
        .collect())
}

/// As [`read`], but fields the type does not know are returned instead of refused
/// (the type must not deny unknown fields).
///
/// # Errors
/// As [`read`].
pub fn read_lenient<T: DeserializeOwned>(
    document: &Document,
    node: &Node,
) -> Result<(T, Vec<IgnoredField>), Diagnostic> {
    let context = Context {
        ignored: Some(RefCell::default()),
        ..Context::new(document)
    };
    let value = T::deserialize(Reader::new(node, &context, &Trail::Root))
        .map_err(|error| error.into_diagnostic(document))?;
    let ignored = context.ignored.map(RefCell::into_inner).unwrap_or_default();
    Ok((value, ignored))
}

struct Context<'a> {
    document: &'a Document,
    ignored: Option<RefCell<Vec<IgnoredField>>>,
    recovered: Option<RefCell<Vec<ReadError>>>,
}

impl<'a> Context<'a> {
    fn new(document: &'a Document) -> Self {
        Self {
            document,
            ignored: None,
            recovered: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a, 't> {
    node: &'a Node,
    context: &'a Context<'a>,
    trail: &'t Trail<'t>,
}

impl<'a, 't> Reader<'a, 't> {
    fn new(node: &'a Node, context: &'a Context<'a>, trail: &'t Trail<'t>) -> Self {
        Self {
            node,
            context,
            trail,
        }
    }

    fn blame<T>(self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| error.at(self.node.place()))
    }

    fn any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.blame(match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Sequence(items) => visitor.visit_seq(Items::new(items, self)),
            Value::Mapping(entries) => visitor.visit_map(Entries::new(entries, None, self)),
        })
    }

    fn spanned<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_seq(PlaceParts {
            reader: self,
            next: 0,
        })
    }

    /// Reads with `visitor`, but a mistake is noted and answered with nothing.
    fn recover<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.context.recovered {
            Some(errors) => visitor.visit_seq(Attempt {
                reader: self,
                errors,
            }),
            None => visitor.visit_newtype_struct(self),
        }
    }
}

macro_rules! deserialize_any_of {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
            self.any(visitor)
        })*
    };
}

impl<'a> Deserializer<'a> for Reader<'a, '_> {
    type Error = ReadError;

    deserialize_any_of! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.node.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let result = match name {
            SPANNED => self.spanned(visitor),
            RECOVER => self.recover(visitor),
            _ => visitor.visit_newtype_struct(self),
        };
        self.blame(result)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.node.is_null() {
            return self.blame(visitor.visit_seq(Items::new(&[], self)));
        }
        self.any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'a>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.any(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.node.is_null() {
            return self.blame(visitor.visit_map(Entries::new(&[], None, self)));
        }
        self.any(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let entries: &[(Node, Node)] = match &self.node.value {
            Value::Null => &[],
            Value::Mapping(entries) => entries,
            Value::Sequence(_) => {
                return Err(
                    ReadError::invalid_type(Unexpected::Seq, &visitor).at(self.node.place())
                );
            }
            _ => return self.any(visitor),
        };
        self.blame(visitor.visit_map(Entries::new(entries, Some(fields), self)))
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let result = match &self.node.value {
            Value::String(_) => visitor.visit_enum(Choice {
                tag: self.node,
                content: None,
                reader: self,
            }),
            Value::Mapping(entries) => match entries.as_slice() {
                [(tag, content)] => visitor.visit_enum(Choice {
                    tag,
                    content: Some(content),
                    reader: self,
                }),
                _ => Err(one_of(variants, &format!("a mapping of {}", entries.len()))),
            },
            other => Err(one_of(variants, &other.describe())),
        };
        self.blame(result)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if let Some(ignored) = &self.context.ignored {
            let span = self.trail.key_span().unwrap_or(self.node.span);
            ignored.borrow_mut().push(IgnoredField {
                path: self.trail.to_string(),
                at: self.context.document.position(span),
            });
        }
        visitor.visit_unit()
    }
}

fn one_of(variants: &[&str], found: &str) -> ReadError {
    let names: Vec<String> = variants.iter().map(|name| format!("`{name}`")).collect();
    ReadError::custom(format!(
        "expected one of {}, found {found}",
        names.join(", ")
    ))
}

struct Items<'a, 't> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    parent: Reader<'a, 't>,
}

impl<'a, 't> Items<'a, 't> {
    fn new(items: &'a [Node], parent: Reader<'a, 't>) -> Self {
        Self {
            items: items.iter().enumerate(),
            parent,
        }
    }
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some((index, node)) = self.items.next() else {
            return Ok(None);
        };
        let trail = Trail::Index {
            parent: self.parent.trail,
            index,
        };
        seed.deserialize(Reader::new(node, self.parent.context, &trail))
            .map(Some)
            .map_err(|error| error.at(node.place()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'a, 't> {
    entries: std::slice::Iter<'a, (Node, Node)>,
    /// The keys a struct knows.
    fields: Option<&'static [&'static str]>,
    current: Option<&'a (Node, Node)>,
    parent: Reader<'a, 't>,
}

impl<'a, 't> Entries<'a, 't> {
    fn new(
        entries: &'a [(Node, Node)],
        fields: Option<&'static [&'static str]>,
        parent: Reader<'a, 't>,
    ) -> Self {
        Self {
            entries: entries.iter(),
            fields,
            current: None,
            parent,
        }
    }

    /// The next entry; when recovering, unknown fields are noted and passed over.
    fn advance(&mut self) -> Option<&'a (Node, Node)> {
        loop {
            let entry = self.entries.next()?;
            let (Some(errors), Some(fields)) = (&self.parent.context.recovered, self.fields) else {
                return Some(entry);
            };
            let name = key::text(&entry.0).unwrap_or_default();
            if fields.contains(&name.as_ref()) {
                return Some(entry);
            }
            if errors.borrow().len() < NOTED_MAX {
                let error = ReadError::unknown_field(&name, fields);
                let words = self.parent.context.document.words;
                let error = error.translated(&name, fields, words).at(entry.0.span);
                errors.borrow_mut().push(error);
            }
        }
    }
}

impl<'a> MapAccess<'a> for Entries<'a, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        self.current = self.advance();
        let Some((key, _)) = self.current else {
            return Ok(None);
        };
        seed.deserialize(KeyReader {
            key,
            context: self.parent.context,
        })
        .map(Some)
        .map_err(|error| error.at(key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((key, value)) = self.current else {
            return Err(ReadError::custom("a value was read before its key"));
        };
        let name = key::text(key).unwrap_or_default();
        let trail = Trail::Key {
            parent: self.parent.trail,
            key: &name,
            span: key.span,
        };
        let span = if value.is_null() {
            key.span
        } else {
            value.place()
        };
        seed.deserialize(Reader::new(value, self.parent.context, &trail))
            .map_err(|error| error.at(span))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A key: text, unless the type wants a number (JSON has only text there).
struct KeyReader<'a> {
    key: &'a Node,
    context: &'a Context<'a>,
}

macro_rules! deserialize_number_key {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
            let text = key::text(self.key).unwrap_or_default();
            match scalar::number(&text) {
                Some(Value::Integer(value)) => visitor.visit_i64(value),
                Some(Value::Unsigned(value)) => visitor.visit_u64(value),
                _ => Err(ReadError::invalid_type(Unexpected::Str(&text), &visitor)),
            }
        })*
    };
}

impl<'a> Deserializer<'a> for KeyReader<'a> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.key.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            _ => visitor.visit_str(&key::text(self.key).unwrap_or_default()),
        }
    }

    deserialize_number_key! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let reader = Reader::new(self.key, self.context, &Trail::Root);
        match name {
            SPANNED => reader.spanned(visitor),
            RECOVER => reader.recover(visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_enum(Choice {
            tag: self.key,
            content: None,
            reader: Reader::new(self.key, self.context, &Trail::Root),
        })
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// An externally tagged enum: `tag` alone, or `tag: content`.
struct Choice<'a, 't> {
    tag: &'a Node,
    content: Option<&'a Node>,
    reader: Reader<'a, 't>,
}

impl<'a, 't> EnumAccess<'a> for Choice<'a, 't> {
    type Error = ReadError;
    type Variant = Content<'a, 't>;

    fn variant_seed<V: DeserializeSeed<'a>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), ReadError> {
        let tag = KeyReader {
            key: self.tag,
            context: self.reader.context,
        };
        let variant = seed
            .deserialize(tag)
            .map_err(|error| error.at(self.tag.span))?;
        let content = Content {
            tag: self.tag,
            content: self.content,
            reader: self.reader,
        };
        Ok((variant, content))
    }
}

struct Content<'a, 't> {
    tag: &'a Node,
    content: Option<&'a Node>,
    reader: Reader<'a, 't>,
}

impl<'a> Content<'a, '_> {
    fn read<T>(
        self,
        with: impl for<'x> FnOnce(Reader<'a, 'x>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let name = key::text(self.tag).unwrap_or_default();
        let Some(content) = self.content else {
            let message = format!("`{name}` needs a value: write `{name}: …`");
            return Err(ReadError::custom(message).at(self.tag.span));
        };
        let trail = Trail::Key {
            parent: self.reader.trail,
            key: &name,
            span: self.tag.span,
        };
        with(Reader::new(content, self.reader.context, &trail))
            .map_err(|error| error.at(self.tag.span))
    }
}

impl<'a> VariantAccess<'a> for Content<'a, '_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.content {
            Some(content) if !content.is_null() => Err(ReadError::custom(format!(
                "`{}` takes no value",
                key::text(self.tag).unwrap_or_default()
            ))
            .at(content.place())),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, ReadError> {
        self.read(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'a>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.read(|reader| reader.deserialize_tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.read(|reader| reader.deserialize_struct("", fields, visitor))
    }
}

/// A [`Spanned`](super::Spanned) as its visitor takes it: line, column, file, what was set within it, value.
struct PlaceParts<'a, 't> {
    reader: Reader<'a, 't>,
    next: u8,
}

impl<'a> SeqAccess<'a> for PlaceParts<'a, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Reader { node, context, .. } = self.reader;
        let (source, span): (_, Span) = context.document.locate(node.span);
        self.next += 1;
        match self.next {
            1 => seed.deserialize(span.start.line.into_deserializer()),
            2 => seed.deserialize(span.start.column.into_deserializer()),
            3 => seed.deserialize(StrDeserializer::<ReadError>::new(&source.name)),
            4 => {
                let by = context.document.amended_by(node);
                let by = by.map(StrDeserializer::<ReadError>::new);
                seed.deserialize(SeqDeserializer::new(by))
            }
            5 => seed.deserialize(self.reader),
            _ => return Ok(None),
        }
        .map(Some)
    }
}

/// One try at a value; a mistake is noted and answered with nothing.
struct Attempt<'a, 't> {
    reader: Reader<'a, 't>,
    errors: &'a RefCell<Vec<ReadError>>,
}

impl<'a> SeqAccess<'a> for Attempt<'a, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        match seed.deserialize(self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                if self.errors.borrow().len() < NOTED_MAX {
                    let error = error.at(self.reader.node.place());
                    self.errors.borrow_mut().push(error);
                }
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
