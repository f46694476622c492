//! From the tree to the type that is wanted, with errors that say which member and never what value.

use std::borrow::Cow;
use std::fmt::Display;
use std::vec;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::Node;
use super::{JsonError, JsonErrorKind, quoted};

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Text(Cow::Borrowed(value)) => visitor.visit_borrowed_str(value),
            Self::Text(Cow::Owned(value)) => visitor.visit_string(value),
            Self::List(items) => {
                let item_count = items.len();
                let mut items = Items { left: items.into_iter(), index: 0 };
                let value = visitor.visit_seq(&mut items)?;
                if items.left.next().is_some() {
                    return Err(Error::invalid_length(item_count, &"fewer items"));
                }
                Ok(value)
            }
            Self::Members(members) => visitor.visit_map(Members::of(members)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Self::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    // A derived struct would also take an array, member by member in the order of its source:
    // a second spelling that no schema mentions.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        match self {
            Self::Members(members) => visitor.visit_map(Members::of(members)),
            other => Err(Error::invalid_type(other.seen(), &"an object")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        match self {
            Self::Text(name) => visitor.visit_enum(CowStrDeserializer::new(name)),
            Self::Members(members) if members.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Members::of(members)))
            }
            other => Err(Error::invalid_type(other.seen(), &"a name")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier
    }
}

impl Node<'_> {
    fn seen(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Unsigned(value) => Unexpected::Unsigned(*value),
            Self::Signed(value) => Unexpected::Signed(*value),
            Self::Float(value) => Unexpected::Float(*value),
            Self::Text(value) => Unexpected::Str(value),
            Self::List(_) => Unexpected::Seq,
            Self::Members(_) => Unexpected::Map,
        }
    }
}

struct Items<'de> {
    left: vec::IntoIter<Node<'de>>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, JsonError> {
        let Some(item) = self.left.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(item).map(Some).map_err(|error| error.within(&index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

struct Members<'de> {
    left: vec::IntoIter<(Cow<'de, str>, Node<'de>)>,
    next: Option<(Cow<'de, str>, Node<'de>)>,
}

impl<'de> Members<'de> {
    fn of(members: Vec<(Cow<'de, str>, Node<'de>)>) -> Self {
        Self { left: members.into_iter(), next: None }
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, JsonError> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        self.next = Some((name.clone(), value));
        seed.deserialize(Node::Text(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        let Some((name, value)) = self.next.take() else {
            return Err(Error::custom("a value was asked for before its name"));
        };
        seed.deserialize(value).map_err(|error| error.within(&name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// Serde's own messages hold the value that did not fit; these hold its kind.
impl Error for JsonError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(JsonErrorKind::WrongShape, message.to_string())
    }

    fn invalid_type(seen: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let message = format!("{} where {} belongs", kind(seen), plain(expected));
        Self::new(JsonErrorKind::WrongShape, message)
    }

    fn invalid_value(_seen: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let message = format!("out of range where {} belongs", plain(expected));
        Self::new(JsonErrorKind::WrongShape, message)
    }

    fn invalid_length(count: usize, expected: &dyn Expected) -> Self {
        let message = format!("{count} items where {expected} belong");
        Self::new(JsonErrorKind::WrongShape, message)
    }

    fn unknown_variant(_seen: &str, expected: &'static [&'static str]) -> Self {
        let message = format!("not one of {}", list(expected));
        Self::new(JsonErrorKind::WrongShape, message)
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        let quoted = quoted(name);
        let message = format!("member `{quoted}` is not known; known are {}", list(expected));
        Self::new(JsonErrorKind::UnknownMember(quoted), message).within(name)
    }

    fn missing_field(name: &'static str) -> Self {
        let message = format!("member `{name}` is missing");
        Self::new(JsonErrorKind::MissingMember(name.to_owned()), message).within(name)
    }
}

fn kind(seen: Unexpected<'_>) -> &'static str {
    match seen {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        _ => "another value",
    }
}

/// Serde names Rust's types; the sender of JSON does not know them.
fn plain(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number from 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        _ => expected,
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
