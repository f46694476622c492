//! From bytes to a tree, with each rule that does not depend on what is wanted.
//!
//! `serde_json` decides what is JSON. This visitor sees every value as it is read, so that members
//! nobody asked for are held to the same rules; serde's own way of skipping them would not look.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{DEPTH_MAX, JsonError, JsonErrorKind, quoted};

/// Members of an object that are few: no token that we issue has more.
const FEW: usize = 16;

/// A value, borrowed from the text where it has no escapes.
#[derive(Debug)]
pub(super) enum Node<'de> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'de, str>),
    List(Vec<Self>),
    Members(Vec<(Cow<'de, str>, Self)>),
}

/// Reads the whole text.
pub(super) fn read(bytes: &[u8]) -> Result<Node<'_>, JsonError> {
    let fault = Cell::new(None);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonError::new(JsonErrorKind::Malformed, error.to_string()))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let reader = Reader { room: DEPTH_MAX, fault: &fault };
    let read = reader.deserialize(&mut json).and_then(|node| json.end().map(|()| node));
    read.map_err(|error| {
        // What serde_json says of text that is not JSON holds a line and a column, and no value.
        let malformed = || JsonError::new(JsonErrorKind::Malformed, error.to_string());
        fault.take().unwrap_or_else(malformed)
    })
}

/// Reads one value with room for so many more brackets. Our own refusals leave by `fault`, since the
/// error type of `serde_json` has no place for them.
#[derive(Clone, Copy)]
struct Reader<'a> {
    room: usize,
    fault: &'a Cell<Option<JsonError>>,
}

/// The name of a member, borrowed from the text where it has no escapes.
#[derive(Deserialize)]
pub(crate) struct Name<'text>(#[serde(borrow)] pub(crate) Cow<'text, str>);

impl Reader<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.room.checked_sub(1) {
            Some(room) => Ok(Self { room, ..self }),
            None => Err(self.refuse(JsonError::new(
                JsonErrorKind::TooDeep,
                format!("nested more than {DEPTH_MAX} deep"),
            ))),
        }
    }

    fn refuse<E: Error>(self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    /// Adds a step to the way back from our refusal, if it was ours.
    fn step_out(self, step: &str) {
        self.fault.set(self.fault.take().map(|fault| fault.within(step)));
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        loop {
            match seq.next_element_seed(inner) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Node::List(items)),
                Err(error) => {
                    self.step_out(&items.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        // Only the outermost: a list of small objects would take four times the memory.
        let room = if self.room == DEPTH_MAX { FEW } else { 0 };
        let mut members = Vec::with_capacity(room);
        while let Some(Name(name)) = map.next_key()? {
            match map.next_value_seed(inner) {
                Ok(value) => members.push((name, value)),
                Err(error) => {
                    self.step_out(&name);
                    return Err(error);
                }
            }
        }
        match repeated(&members) {
            None => Ok(Node::Members(members)),
            Some(name) => Err(self.refuse(
                JsonError::new(
                    JsonErrorKind::DuplicateMember,
                    format!("member `{}` stands twice", quoted(name)),
                )
                .within(name),
            )),
        }
    }
}

/// A name that stands twice, if there is one. A few are compared each with each; more are sorted, since ten
/// thousand members would cost a hundred million comparisons.
fn repeated<'a>(members: &'a [(Cow<'_, str>, Node<'_>)]) -> Option<&'a str> {
    let names = || members.iter().map(|(name, _)| name.as_ref());
    if members.len() <= FEW {
        return names()
            .enumerate()
            .find(|(at, name)| names().take(*at).any(|other| other == *name))
            .map(|(_, name)| name);
    }
    let mut names: Vec<&str> = names().collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
