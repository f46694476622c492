//! Ids: names that anybody may know, and that prove nothing.
//!
//! An id is a UUID of version 7 (RFC 9562: ordered by time, 74 random bits) written as a prefix that
//! says what it names and 26 characters of Crockford base32 in lower case: `ses_01k9…`. There is
//! one spelling of each id; any other text is refused, so an id is also safe in a path or a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Crockford's alphabet: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// What each byte is worth as a digit.
const VALUES: [u8; 256] = values();
const NO_DIGIT: u8 = 0xFF;

const fn values() -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0_u8;
    while digit < 32 {
        values[ALPHABET[digit as usize] as usize] = digit;
        digit += 1;
    }
    values
}

/// The text was not an id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct MalformedId;

/// Lays out a UUID of version 7 from milliseconds since 1970 and ten bytes nobody can foresee.
#[must_use]
pub fn uuid_v7(unix_ms: u64, random: [u8; 10]) -> u128 {
    let mut tail = [0; 16];
    tail[6..].copy_from_slice(&random);
    let random_bits = u128::from_be_bytes(tail) & !(0xF << 76) & !(0b11 << 62);
    (u128::from(unix_ms & 0xFFFF_FFFF_FFFF) << 80) | (0x7 << 76) | (0b10 << 62) | random_bits
}

fn write_digits(mut bits: u128, out: &mut [u8; DIGITS]) {
    for digit in out.iter_mut().rev() {
        *digit = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
}

fn read_digits(text: &[u8]) -> Result<u128, MalformedId> {
    // 26 digits hold 130 bits: the first may be 7 at the most.
    if text.len() != DIGITS || text[0] > b'7' {
        return Err(MalformedId);
    }
    text.iter().try_fold(0_u128, |bits, character| match VALUES[usize::from(*character)] {
        NO_DIGIT => Err(MalformedId),
        digit => Ok((bits << 5) | u128::from(digit)),
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// What the text of such an id begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from milliseconds since 1970 and ten bytes nobody can foresee.
            #[must_use]
            pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(uuid_v7(unix_ms, random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; DIGITS];
                write_digits(self.0, &mut digits);
                f.write_str(Self::PREFIX)?;
                digits.iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, MalformedId> {
                let digits = text.strip_prefix(Self::PREFIX).ok_or(MalformedId)?;
                read_digits(digits.as_bytes()).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// Names an account, for ever. Never a login name: those change.
    AccountId, "acc_"
}
id! {
    /// Names a session in lists, tokens and logs. The secret proves it; this proves nothing.
    ///
    /// ```
    /// use doorward_wire::SessionId;
    /// let sid = SessionId::new(1_700_000_000_000, [7; 10]);
    /// assert_eq!(sid.to_string().parse(), Ok(sid));
    /// assert!(sid.to_string().to_uppercase().parse::<SessionId>().is_err());
    /// ```
    SessionId, "ses_"
}
id! {
    /// Names one token: the `jti` of RFC 7519, section 4.1.7.
    TokenId, "tok_"
}
id! {
    /// Names a signing key: the `kid` of RFC 7515, section 4.1.4.
    KeyId, "key_"
}
id! {
    /// Names a client: a service that speaks for itself, or asks about tokens (RFC 6749, section 2).
    ClientId, "cli_"
}
id! {
    /// Names a stream of shared signals.
    StreamId, "str_"
}
id! {
    /// Names an entry of the event log.
    EventId, "evt_"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_seven() {
        let bits = uuid_v7(0x0123_4567_89AB, [0xFF; 10]);
        assert_eq!(format!("{bits:032x}"), "0123456789ab7fffbfffffffffffffff");
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let early = SessionId::new(1, [0xFF; 10]).to_string();
        assert!(early < SessionId::new(2, [0; 10]).to_string());
    }

    #[test]
    fn every_id_has_one_spelling_and_nothing_else_is_read() {
        for bits in [0, 1, u128::MAX, uuid_v7(1_700_000_000_000, [9; 10])] {
            let text = SessionId(bits).to_string();
            assert_eq!(text.len(), 30);
            assert_eq!(text.parse(), Ok(SessionId(bits)));
        }
        let zeros = "0".repeat(25);
        for text in ["", "ses_", "ses_8zzzzzzzzzzzzzzzzzzzzzzzzz", "SES_00000000000000000000000000"]
        {
            assert_eq!(text.parse::<SessionId>(), Err(MalformedId), "{text}");
        }
        for last in ["i", "l", "o", "u", "A", "é", " ", "00", ""] {
            assert!(format!("ses_{zeros}{last}").parse::<SessionId>().is_err(), "{last}");
        }
        assert!(AccountId(1).to_string().parse::<SessionId>().is_err());
    }
}
