//! How the file's types are read: with places, mistake by mistake, and with short forms.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use mesh_core::document::{Recover, Spanned};
use mesh_core::policy::{Origin, Position};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T>(Spanned<T>);

impl<T> Placed<T> {
    /// Where it begins.
    pub(crate) fn at(&self) -> &Position {
        &self.0.at
    }

    /// `value`, written at `at`.
    pub(crate) fn new(value: T, at: Position) -> Self {
        let amended_by = Vec::new();
        Self(Spanned {
            value,
            at,
            amended_by,
        })
    }

    /// Where it came from: its place, and what was set by path within it.
    pub(crate) fn origin(&self) -> Origin {
        self.0.origin()
    }

    /// The value.
    pub(crate) fn value(&self) -> &T {
        &self.0.value
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

/// Describes a wrapper as what it wraps.
macro_rules! described_as_inner {
    ($wrapper:ident) => {
        impl<T: JsonSchema> JsonSchema for $wrapper<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}

described_as_inner!(Placed);

/// Entries by name, in file order. A mistake in one does not hide those in others.
#[derive(Clone, Debug)]
pub(crate) struct Named<K, T>(Vec<(Recover<Placed<K>>, Recover<T>)>);

impl<K, T> Default for Named<K, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, T> Named<K, T> {
    /// The entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Placed<K>, &T)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.get()?, value.get()?)))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'de, K: Deserialize<'de>, T: Deserialize<'de>> Deserialize<'de> for Named<K, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamedVisitor<K, T>(PhantomData<(K, T)>);

        impl<'de, K: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<K, T> {
            type Value = Named<K, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }

        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

impl<K: JsonSchema, T: JsonSchema> JsonSchema for Named<K, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Map_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": generator.subschema_for::<K>(),
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}

/// A list in which a mistake in one item does not hide those in others.
#[derive(Clone, Debug)]
pub(crate) struct Each<T>(Vec<Recover<Placed<T>>>);

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Each<T> {
    /// The items.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Placed<T>> {
        self.0.iter().filter_map(Recover::get)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Each<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Each<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>() })
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug)]
pub(crate) struct OneOrMore<T>(pub(crate) Vec<Placed<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, at, .. } =
            Spanned::<TextOr<Vec<Placed<T>>, T>>::deserialize(deserializer)?;
        Ok(Self(match value {
            TextOr::Text(one) => vec![Placed::new(one, at)],
            TextOr::Other(many) => many,
        }))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("One_or_more_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// A mapping that may be shortened to a text, such as `call: reviews`.
pub(crate) trait Brief: Sized {
    /// What the text form is: fits "expected …".
    const EXPECTED: &'static str;
    /// The schema of the text form.
    fn text_schema(generator: &mut SchemaGenerator) -> Schema;
    /// What the text form means.
    fn from_text(text: &str, at: &Position) -> Result<Self, String>;
}

/// A [`Brief`] type in either form.
#[derive(Clone, Debug)]
pub(crate) struct Short<T>(pub(crate) T);

impl<T> Deref for Short<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Brief + Deserialize<'de>> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, at, .. } =
            Spanned::<TextOr<Full<T>, String>>::deserialize(deserializer)?;
        match value {
            TextOr::Text(text) => T::from_text(&text, &at).map_err(D::Error::custom).map(Self),
            TextOr::Other(Full(full)) => Ok(Self(full)),
        }
    }
}

impl<T: Brief + JsonSchema> JsonSchema for Short<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Short_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = T::text_schema(generator);
        let full = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [text, full] })
    }
}

/// The long form of a [`Brief`] type, and the words for both forms.
struct Full<T>(T);

/// What is expected where a text or something longer may stand.
trait Longer {
    fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<T: Brief> Longer for Full<T> {
    fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or a mapping", T::EXPECTED)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Full<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T> Longer for Vec<T> {
    fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a list of texts")
    }
}

/// A scalar, or a collection.
enum TextOr<T, S> {
    Text(S),
    Other(T),
}

impl<'de, T: Longer + Deserialize<'de>, S: Deserialize<'de>> Deserialize<'de> for TextOr<T, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrVisitor<T, S>(PhantomData<(T, S)>);

        impl<'de, T: Longer + Deserialize<'de>, S: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T, S> {
            type Value = TextOr<T, S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                T::expecting(f)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                use serde::de::IntoDeserializer;
                S::deserialize(text.into_deserializer()).map(TextOr::Text)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                T::deserialize(SeqAccessDeserializer::new(seq)).map(TextOr::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Other)
            }
        }

        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}
