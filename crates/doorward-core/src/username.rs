//! A username: the name somebody logs in with, in the one spelling we keep.
//!
//! [`Username::parse`] follows PRECIS' `UsernameCaseMapped` profile (RFC 8265, section 3.3) and is
//! stricter. Full-width and half-width forms become ordinary ones, capitals become small letters,
//! and the rest is put into NFC. What does not fit then is refused, never repaired: a space at the
//! end is not cut off. Logging in parses in the same way, so `Ａda`, `ADA` and `ada` are one
//! name, and a name that does not parse is an unknown account.
//!
//! # What this module answers
//!
//! - *A name that looks like another's*: [`Username::skeleton`] is the same for names people
//!   confuse, and the store keeps it unique. `асе` in Cyrillic cannot sit beside `ace`, nor `adrnin`
//!   beside `admin`, nor `r00t` beside `root`.
//! - *Mixed scripts*: `аdmin` with one Cyrillic letter is refused outright (UTS #39, 5.1).
//! - *Names that hide something or turn the line around*: zero-width characters, direction marks,
//!   controls, symbols, ligatures are outside the identifier profile of UTS #39.
//! - *Names that break a page, a header or a path*: what is left beside letters and digits is
//!   `.`, `_`, `-` and `@`, never at an end and never two in a row.
//!
//! # What is not here
//!
//! Reserved names, which are the site's. Nor whose an address is: `@` is allowed because people log
//! in with an address, so a site must let nobody take one that is not theirs; see
//! [`Username::is_address`].

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{GeneralSecurityProfile, MixedScript};

#[cfg(test)]
mod tests;

/// More bytes than this are not looked at.
const TYPED_BYTES_MAX: usize = 1024;
const LENGTH_MAX: usize = 64;
const BYTES_MAX: usize = 255;

/// As many marks as UTS #39, section 5.4, allows on one letter.
const MARKS_MAX: usize = 4;

/// A name to log in with, in its one spelling.
///
/// ```
/// use doorward_core::username::Username;
/// assert_eq!(Username::parse("Ａda.Lovelace").unwrap().as_str(), "ada.lovelace");
/// assert!(Username::parse("ada ").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

/// Why a text is no username.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsernameRefusal {
    /// There is nothing.
    Empty,
    /// More than 64 characters or 255 bytes.
    TooLong,
    /// A character that no username has.
    Character,
    /// A separator at an end, two in a row, or a second `@`.
    Separator,
    /// Letters of more than one script.
    MixedScripts,
    /// Letters of both directions, in an order that is shown otherwise than it is stored.
    Direction,
    /// An e-mail address. [`Username::parse`] allows one; whoever lets people choose names does not.
    Address,
}

impl Username {
    /// Reads a username as typed, and brings it into its one spelling.
    pub fn parse(typed: &str) -> Result<Self, UsernameRefusal> {
        if typed.len() > TYPED_BYTES_MAX {
            return Err(UsernameRefusal::TooLong);
        }
        let name = one_spelling(typed);
        if name.is_empty() {
            return Err(UsernameRefusal::Empty);
        }
        if name.len() > BYTES_MAX || name.chars().count() > LENGTH_MAX {
            return Err(UsernameRefusal::TooLong);
        }
        // A text that does not settle would be two names (RFC 8265, section 3.3.3: apply until
        // stable). Nothing in today's Unicode is known to do so and to pass the rest.
        if !name.chars().all(is_of_a_name)
            || has_a_heap_of_marks(&name)
            || one_spelling(&name) != name
        {
            return Err(UsernameRefusal::Character);
        }
        if !separators_are_within(&name) {
            return Err(UsernameRefusal::Separator);
        }
        if !name.as_str().is_single_script() {
            return Err(UsernameRefusal::MixedScripts);
        }
        if !reads_in_order(&name) {
            return Err(UsernameRefusal::Direction);
        }
        Ok(Self(name))
    }

    /// Takes a name back from where it was kept. Only for text that came from [`parse`](Self::parse).
    ///
    /// What was a name stays one: after an upgrade of Unicode's tables, `parse` might refuse it, and
    /// its owner could not be read any more.
    #[must_use]
    pub fn kept(text: String) -> Self {
        Self(text)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What names that look alike have in common: the skeleton of UTS #39, in small letters.
    ///
    /// Two accounts may not have the same one. Beside other scripts' letters this takes `1` for
    /// `l`, `0` for `o` and `rn` for `m`, so some honest pairs exclude each other (`marni`, `mami`;
    /// `user1`, `userl`); `i` and `l`, `5` and `s`, `.` and `-`, `ö` and `o` stay apart. It depends
    /// on the version of Unicode: after an upgrade of its tables, compute the kept ones anew.
    ///
    /// ```
    /// use doorward_core::username::Username;
    /// let skeleton = |name| Username::parse(name).unwrap().skeleton();
    /// assert_eq!(skeleton("асе"), skeleton("ace")); // Cyrillic, Latin
    /// assert_ne!(skeleton("alice"), skeleton("alicia"));
    /// ```
    #[must_use]
    pub fn skeleton(&self) -> String {
        // Names are shown in small letters, so the `O` that UTS #39 takes for `0` is our `o`.
        unicode_security::skeleton(&self.0).flat_map(char::to_lowercase).nfc().collect()
    }

    /// Whether the name has the form of an e-mail address.
    ///
    /// Where people may also log in with their address, whoever registers such a name must have
    /// shown that the address is theirs: else they log in, or are believed, in its owner's place.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.contains('@')
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl UsernameRefusal {
    /// The refusal's name in `application/problem+json`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "username-empty",
            Self::TooLong => "username-too-long",
            Self::Character => "username-character",
            Self::Separator => "username-separator",
            Self::MixedScripts => "username-mixed-scripts",
            Self::Direction => "username-direction",
            Self::Address => "username-address",
        }
    }

    /// What to tell the person who chose it.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Empty => "Choose a username.",
            Self::TooLong => "A username has at most 64 characters.",
            Self::Character => "A username has letters, digits and . _ - only, and no spaces.",
            Self::Separator => {
                "The signs . _ - @ stand between letters or digits, one at a time, and @ once only."
            }
            Self::MixedScripts => "The letters of a username are all of one alphabet.",
            Self::Direction => {
                "A username written from right to left begins with a letter, not with a digit."
            }
            Self::Address => "An e-mail address cannot be a username. There is a field for it.",
        }
    }
}

/// RFC 8265, section 3.3: width mapping, case mapping, NFC.
fn one_spelling(typed: &str) -> String {
    let mut mapped = String::with_capacity(typed.len());
    for c in typed.chars() {
        // The compatibility decompositions of these two ranges are the width mappings, and no
        // others: a ligature or a circled letter stays what it is, and is refused.
        match c {
            '\u{3000}' | '\u{FF00}'..='\u{FFEF}' => mapped.extend(std::iter::once(c).nfkc()),
            _ => mapped.push(c),
        }
    }
    // Half-width katakana carry their voicing mark apart, so NFC comes after the width. Small
    // letters come last but one, and NFC again, for a capital may have no small letter of its own.
    mapped.nfc().collect::<String>().to_lowercase().nfc().collect()
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | '_' | '-' | '@')
}

/// A letter, digit or mark in common use (UTS #39's identifier profile), or a separator.
fn is_of_a_name(c: char) -> bool {
    is_separator(c) || (c.identifier_allowed() && (c.is_alphanumeric() || is_combining_mark(c)))
}

fn separators_are_within(name: &str) -> bool {
    // A mark cannot begin a name, nor sit on a separator and make another sign of it.
    let parts_are_words = name
        .split(is_separator)
        .all(|part| part.chars().next().is_some_and(|first| !is_combining_mark(first)));
    parts_are_words && name.matches('@').count() <= 1
}

/// UTS #39, section 5.4: so many marks that they cover the lines around, or one mark twice, where
/// the second hides behind the first.
fn has_a_heap_of_marks(name: &str) -> bool {
    let marks: Vec<char> = name.nfd().collect();
    marks.chunk_by(|_, &next| is_combining_mark(next)).any(|letter| {
        let marks = &letter[1..];
        marks.len() > MARKS_MAX || marks.windows(2).any(|pair| pair[0] == pair[1])
    })
}

/// The part of RFC 5893's Bidi rule that one script leaves to check: a name with letters that run
/// from right to left begins with one, and its digits are of one kind. Else `1.א` and `א.1` can be
/// shown alike.
fn reads_in_order(name: &str) -> bool {
    if !name.chars().any(is_right_to_left) {
        return true;
    }
    let european = name.chars().any(|c| c.is_ascii_digit() || matches!(c, '\u{6F0}'..='\u{6F9}'));
    let arabic = name.chars().any(|c| matches!(c, '\u{660}'..='\u{669}'));
    name.starts_with(is_right_to_left) && !(european && arabic)
}

/// Letters of bidirectional class R or AL: the blocks that Unicode keeps for them.
fn is_right_to_left(c: char) -> bool {
    let in_block = matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}');
    in_block && c.is_alphabetic() && !is_combining_mark(c)
}
