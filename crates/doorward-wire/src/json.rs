//! Strict JSON: one text, one meaning, whoever reads it.
//!
//! ```text
//! bytes ──node──▶ a tree, each name once, at most 32 deep ──shape──▶ T
//! ```
//!
//! # What this module answers
//!
//! - *Two readers, two meanings*: `{"sub":"a","sub":"b"}` is one account to the first reader and
//!   another to the second (RFC 8725, section 2.4). A repeated member is refused at every depth, and
//!   names are compared after their escapes are read.
//! - *Bombs*: nesting beyond [`DEPTH_MAX`] is refused as the bracket is read, before any memory or
//!   stack is spent on it.
//! - *Bytes that are not quite text*: a byte order mark, trailing bytes, half a surrogate pair and
//!   invalid UTF-8 are refused, also inside members nobody asked for.
//! - *Errors that tell secrets*: a message names members and kinds of value, never a value, because
//!   the value may be somebody's password. A type that reads itself and writes a message of its own
//!   has to keep to that too.
//!
//! # What is not here
//!
//! No limit on size: whoever took the bytes from the network has counted them.

use std::fmt;

use serde::Deserialize;

mod node;
mod shape;
#[cfg(test)]
mod tests;

pub(crate) use node::Name;

/// How deep arrays and objects may be nested.
pub const DEPTH_MAX: usize = 32;

/// The most characters of a foreign name that an error repeats.
const QUOTED_MAX: usize = 64;

/// Reads a value from JSON that means the same to every reader.
///
/// ```
/// use doorward_wire::json::{self, JsonErrorKind};
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Login {
///     username: String,
/// }
///
/// let login: Login = json::strict(br#"{"username":"ada"}"#).unwrap();
/// assert_eq!(login.username, "ada");
///
/// let twice = json::strict::<Login>(br#"{"username":"ada","username":"eve"}"#).err().unwrap();
/// assert_eq!(twice.kind, JsonErrorKind::DuplicateMember);
///
/// let more = json::strict::<Login>(br#"{"username":"ada","is_admin":true}"#).err().unwrap();
/// assert_eq!(more.kind, JsonErrorKind::UnknownMember("is_admin".into()));
/// assert_eq!(more.pointer, "/is_admin");
/// ```
pub fn strict<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, JsonError> {
    T::deserialize(node::read(bytes)?)
}

/// Why a text was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Where: a JSON Pointer (RFC 6901). Empty for the whole text, and for text that is not JSON.
    pub pointer: String,
    /// The same for people, without any value of the text.
    pub message: String,
}

/// What can be wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// It is not JSON.
    Malformed,
    /// A member stands twice in one object.
    DuplicateMember,
    /// Arrays and objects are nested beyond [`DEPTH_MAX`].
    TooDeep,
    /// A member that the reader does not know.
    UnknownMember(String),
    /// A member that the reader needs.
    MissingMember(String),
    /// A value of another kind, or out of range.
    WrongShape,
}

impl JsonError {
    fn new(kind: JsonErrorKind, message: impl Into<String>) -> Self {
        Self { kind, pointer: String::new(), message: message.into() }
    }

    /// The same error, seen from one step further out.
    fn within(mut self, step: &str) -> Self {
        let step = quoted(step).replace('~', "~0").replace('/', "~1");
        self.pointer = format!("/{step}{}", self.pointer);
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)
    }
}

/// A foreign name, cut to a length that cannot flood a log.
fn quoted(name: &str) -> String {
    match name.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
