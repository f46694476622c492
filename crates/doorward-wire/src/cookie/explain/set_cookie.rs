//! A `Set-Cookie` line taken apart (section 5.6), before anything is judged.

use std::fmt;

use super::finding::shown;
use super::{ATTRIBUTE_VALUE_MAX, Finding, NAME_AND_VALUE_MAX, Rule};

/// A `Set-Cookie` line taken apart.
pub struct SetCookie<'a> {
    line: &'a [u8],
    pair: &'a [u8],
    name: &'a [u8],
    value: &'a [u8],
    attributes: Vec<Attribute<'a>>,
}

/// One attribute: what stood before its `=`, and after it, without the space around either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its name in the line's own case.
    pub name: &'a [u8],
    /// Its value, empty if there is no `=`.
    pub value: &'a [u8],
}

impl<'a> SetCookie<'a> {
    /// Takes the value of a `Set-Cookie` header apart. Any bytes have parts; `keep` judges them.
    ///
    /// ```
    /// use doorward_wire::cookie::explain::SetCookie;
    /// let cookie = SetCookie::parse(b" a = b=c ; Path = /x");
    /// assert_eq!((cookie.name(), cookie.value()), (&b"a"[..], &b"b=c"[..]));
    /// assert_eq!(cookie.attributes()[0].value, b"/x");
    /// ```
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Self {
        let mut parts = line.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        let (name, value) = match split_once(pair, b'=') {
            Some((name, value)) => (trim(name), trim(value)),
            None => (&pair[..0], trim(pair)),
        };
        let attributes = parts.map(Attribute::parse).collect();
        Self { line, pair, name, value, attributes }
    }

    /// Its name; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Its value: a secret, for all anyone knows.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        self.value
    }

    /// All its attributes, those that will be ignored too.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute<'a>] {
        &self.attributes
    }

    /// The values of an attribute, without those too long to count.
    pub(super) fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let short = |one: &&Attribute<'a>| one.value.len() <= ATTRIBUTE_VALUE_MAX;
        let named = self.attributes.iter().filter(move |one| one.is(name));
        named.filter(short).map(|one| one.value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// What reading the line found, in the order of section 5.6.
    pub(super) fn read(&self, findings: &mut Vec<Finding>) {
        self.read_bytes(findings);
        self.read_pair(findings);
        self.read_attributes(findings);
        if self.parts().any(looks_joined) {
            let said = "A comma, a name and = follow one another. A line sets one cookie: what \
                        stands after the comma is part of this one. Send a Set-Cookie for each.";
            findings.push(Rule::Commas.found(said));
        }
    }

    fn read_bytes(&self, findings: &mut Vec<Finding>) {
        if let Some(at) = self.line.iter().position(|byte| *byte == 0) {
            let said = format!(
                "Byte {at} is NUL. A header cannot carry it: Chromium refuses the whole response."
            );
            findings.push(Rule::Nul.found(said));
        }
        let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, 0 | b'\t');
        if let Some(at) = self.line.iter().position(is_control) {
            let said = format!("Byte {at} is the control character 0x{:02X}.", self.line[at]);
            findings.push(Rule::ControlCharacter.found(said));
        }
        if self.parts().any(|part| part.contains(&b'\t')) {
            let said = "There is a tab inside a name or a value. The RFC keeps it and Chromium \
                        drops the cookie.";
            findings.push(Rule::InnerTab.found(said));
        }
    }

    fn read_pair(&self, findings: &mut Vec<Finding>) {
        let length = self.name.len() + self.value.len();
        if length == 0 {
            findings.push(Rule::Empty.found("It has neither a name nor a value."));
            return;
        }
        if length > NAME_AND_VALUE_MAX {
            let said = format!(
                "Name and value are {length} bytes together, {} more than the {NAME_AND_VALUE_MAX} \
                 that browsers keep.",
                length - NAME_AND_VALUE_MAX
            );
            findings.push(Rule::TooLong.found(said));
        }
        if self.name.is_empty() {
            let said = "It has no name: what stands there is the value, and it is sent back \
                        without a name and without =.";
            findings.push(Rule::Nameless.found(said));
        }
        let equals = usize::from(self.pair.contains(&b'='));
        if self.pair.len() > length + equals {
            let said = "Spaces and tabs around the name and around the value are taken off.";
            findings.push(Rule::SpaceAround.found(said));
        }
        self.read_octets(findings);
    }

    fn read_octets(&self, findings: &mut Vec<Finding>) {
        let bare = self.value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        if bare.is_some() {
            let said = "The quotes around the value are part of it, and come back with it.";
            findings.push(Rule::Quotes.found(said));
        }
        // Control characters have findings of their own.
        let odd = |byte: &&u8| !byte.is_ascii_control();
        let in_name = self.name.iter().filter(odd).find(|byte| !is_token(**byte));
        let in_value = bare.unwrap_or(self.value).iter().filter(odd).find(|byte| !is_octet(**byte));
        for (place, byte) in [("name", in_name), ("value", in_value)] {
            let Some(byte) = byte else { continue };
            let said = format!(
                "The {place} holds {}. Browsers keep it, but servers must not send it, and \
                 programs between may not carry it unharmed.",
                named(*byte)
            );
            findings.push(Rule::Octets.found(said));
        }
    }

    fn read_attributes(&self, findings: &mut Vec<Finding>) {
        for one in &self.attributes {
            let name = shown(one.name);
            if one.value.len() > ATTRIBUTE_VALUE_MAX {
                let said = format!(
                    "The value of {name} is {} bytes. Over {ATTRIBUTE_VALUE_MAX}, the attribute is \
                     ignored.",
                    one.value.len()
                );
                findings.push(Rule::AttributeTooLong.found(said));
            } else if FLAGS.iter().any(|flag| one.is(flag)) && !one.value.is_empty() {
                let said = format!(
                    "{name} takes no value: with {} it is switched on all the same.",
                    shown(one.value)
                );
                findings.push(Rule::FlagWithValue.found(said));
            } else if !(one.is_known() || one.name.is_empty() && one.value.is_empty()) {
                let said = format!("There is no attribute {name:?}. It is ignored.");
                findings.push(Rule::AttributeUnknown.found(said));
            }
        }
        for name in VALUED {
            let count = self.values(name).count();
            if count > 1 {
                let counts = match name {
                    "Expires" | "Max-Age" => {
                        "The last that can be read counts; in Chromium the last, read or not."
                    }
                    _ => "The last counts.",
                };
                let said = format!("{name} is there {count} times. {counts}");
                findings.push(Rule::AttributeRepeated.found(said));
            }
        }
    }

    /// Names and values, without the space around them.
    fn parts(&self) -> impl Iterator<Item = &'a [u8]> {
        let attributes = self.attributes.iter().flat_map(|one| [one.name, one.value]);
        [self.name, self.value].into_iter().chain(attributes)
    }
}

/// Attributes that are switched on by being there.
const FLAGS: [&str; 3] = ["Secure", "HttpOnly", "Partitioned"];

/// Attributes that have a value. `Priority` is Chromium's own and decides eviction alone.
const VALUED: [&str; 6] = ["Expires", "Max-Age", "Domain", "Path", "SameSite", "Priority"];

impl<'a> Attribute<'a> {
    fn parse(part: &'a [u8]) -> Self {
        let (name, value) = split_once(part, b'=').unwrap_or((part, &[]));
        Self { name: trim(name), value: trim(value) }
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    fn is_known(&self) -> bool {
        FLAGS.iter().chain(&VALUED).any(|name| self.is(name))
    }
}

/// Says how much there is, and none of it.
impl fmt::Debug for SetCookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetCookie({:?}, {} bytes, …)", shown(self.name), self.value.len())
    }
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..position], &bytes[position + 1..]))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Takes spaces and tabs off both ends, and nothing else: not a newline, not a no-break space.
fn trim(bytes: &[u8]) -> &[u8] {
    let Some(first) = bytes.iter().position(|byte| !is_space(*byte)) else { return &[] };
    let last = bytes.iter().rposition(|byte| !is_space(*byte)).unwrap_or(first);
    &bytes[first..=last]
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

fn named(byte: u8) -> String {
    match byte {
        b' ' => "a space".to_owned(),
        b',' => "a comma".to_owned(),
        b'"' => "a quote".to_owned(),
        b'\\' => "a backslash".to_owned(),
        graphic if graphic.is_ascii_graphic() => format!("the character {}", char::from(graphic)),
        other => format!("the byte 0x{other:02X}"),
    }
}

/// Whether a comma is followed by what could be the next cookie's name and `=`.
fn looks_joined(part: &[u8]) -> bool {
    part.split(|byte| *byte == b',').skip(1).any(|after| {
        let name = split_once(after, b'=').map(|(name, _)| trim(name));
        name.is_some_and(|name| !name.is_empty() && name.iter().all(|byte| is_token(*byte)))
    })
}
