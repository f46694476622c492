//! Token Status Lists (draft-ietf-oauth-status-list): which tokens count no longer, for verifiers that know
//! nothing of our feed.
//!
//! ```text
//!   token  status: { status_list: { idx: 17, uri: …/status-lists/4 } }
//!   list   0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 …     one bit a token, 1: it counts no longer
//! ```
//!
//! # What this module answers
//!
//! - *A list of somebody else, or of another time* (attack 51): it is signed, names its own address, and
//!   ends. A verifier that cannot have one accepts nothing.
//! - *A number beyond the list*: refused, not taken for "good".
//! - *A list that grows when it is unpacked*: never beyond what a list has.

use base64ct::{Base64UrlUnpadded, Encoding};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde::{Deserialize, Serialize};

use crate::jose::{Algorithm, Compact, KeySet, SignFailed, SigningKey, sign_compact};
use crate::json;
use crate::time::UnixTime;
use crate::token::LEEWAY;

/// The type that a list's header names.
pub const STATUS_LIST_TYPE: &str = "statuslist+jwt";

/// The media type of a list.
pub const MEDIA_TYPE: &str = "application/statuslist+jwt";

/// How many tokens a list is about. With so many it stays below the 8 KiB of any token, whatever it says.
pub const LENGTH: u64 = 1 << 14;

/// How long a list may be used, in seconds, before another is to be fetched.
pub const TTL: u64 = 5;

/// How long a list counts at all, in seconds.
pub const LIFE: u64 = 60;

const BYTES: usize = 1 << 11;

/// Where the status of a token is told: the token's claim `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The place in a list.
    pub status_list: Place,
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number in the list.
    pub idx: u64,
    /// The list's address.
    pub uri: String,
}

/// A list that was verified, or is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusList {
    uri: String,
    iat: UnixTime,
    bits: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: UnixTime,
    exp: UnixTime,
    ttl: u64,
    status_list: Packed,
}

#[derive(Serialize, Deserialize)]
struct Packed {
    bits: u8,
    lst: String,
}

/// Why a list, or a place in it, says nothing. A verifier that hears this accepts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusRefusal {
    /// It is not one of our compact tokens, or of another type.
    #[error("malformed")]
    Malformed,
    /// It was not signed by a key of its issuer, by an algorithm that is accepted.
    #[error("wrong-signature")]
    Signature,
    /// It says less, or other things, than a list does.
    #[error("wrong-claims")]
    Claims,
    /// It is another list.
    #[error("another-list")]
    Another,
    /// Its time is over, or has not come.
    #[error("wrong-time")]
    Time,
    /// It is packed wrongly, or is larger than a list.
    #[error("wrong-size")]
    Size,
    /// There is no such place in it.
    #[error("no-such-place")]
    Place,
}

impl StatusList {
    /// A list in which these numbers count no longer. Numbers beyond it are not in it.
    #[must_use]
    pub fn of(uri: &str, iat: UnixTime, revoked: impl IntoIterator<Item = u64>) -> Self {
        let mut bits = vec![0; BYTES];
        for number in revoked {
            // The first bit is the lowest (section 4.1).
            let byte = usize::try_from(number / 8).ok().and_then(|at| bits.get_mut(at));
            if let Some(byte) = byte {
                *byte |= 1 << (number % 8);
            }
        }
        Self { uri: uri.to_owned(), iat, bits }
    }

    /// Signs it, in its issuer's name.
    pub fn sign(&self, issuer: &str, key: &SigningKey) -> Result<String, SignFailed> {
        let lst = Base64UrlUnpadded::encode_string(&compress_to_vec_zlib(&self.bits, 9));
        let claims = Claims {
            iss: issuer.to_owned(),
            sub: self.uri.clone(),
            iat: self.iat,
            exp: UnixTime(self.iat.0 + LIFE),
            ttl: TTL,
            status_list: Packed { bits: 1, lst },
        };
        sign_compact(key, STATUS_LIST_TYPE, &claims)
    }

    /// Verifies a list that was fetched from `uri`, which is what the token says.
    ///
    /// ```
    /// use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
    /// use doorward_wire::status_list::{StatusList, StatusRefusal};
    /// use doorward_wire::{KeyId, UnixTime};
    ///
    /// let (issuer, uri) = ("https://id.example", "https://id.example/status-lists/4");
    /// let (key, now) = (
    ///     SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap(),
    ///     UnixTime(1_700_000_000),
    /// );
    /// let text = StatusList::of(uri, now, [17]).sign(issuer, &key).unwrap();
    ///
    /// let keys = KeySet::of([key.verifying_key()]).unwrap();
    /// let list = StatusList::verify(&text, &keys, (issuer, uri), &[Algorithm::Hs256], now).unwrap();
    /// assert_eq!(list.is_revoked(17), Ok(true));
    /// assert_eq!(list.is_revoked(16), Ok(false));
    /// assert_eq!(list.is_revoked(1 << 14), Err(StatusRefusal::Place));
    /// ```
    pub fn verify(
        text: &str,
        keys: &KeySet,
        (issuer, uri): (&str, &str),
        algorithms: &[Algorithm],
        now: UnixTime,
    ) -> Result<Self, StatusRefusal> {
        let token = Compact::parse(text).map_err(|_| StatusRefusal::Malformed)?;
        if token.typ() != Some(STATUS_LIST_TYPE) {
            return Err(StatusRefusal::Malformed);
        }
        let key = token.kid().and_then(|kid| keys.get(kid)).ok_or(StatusRefusal::Signature)?;
        if !algorithms.contains(&key.algorithm()) {
            return Err(StatusRefusal::Signature);
        }
        let payload = token.verify_ours(key).map_err(|_| StatusRefusal::Signature)?;
        let claims: Claims = json::strict(payload).map_err(|_| StatusRefusal::Claims)?;
        if claims.sub != uri || claims.iss != issuer {
            return Err(StatusRefusal::Another);
        }
        if now >= claims.exp || claims.iat > now.after(LEEWAY) {
            return Err(StatusRefusal::Time);
        }
        if claims.status_list.bits != 1 {
            return Err(StatusRefusal::Claims);
        }
        let packed = Base64UrlUnpadded::decode_vec(&claims.status_list.lst);
        let packed = packed.map_err(|_| StatusRefusal::Size)?;
        let bits = decompress_to_vec_zlib_with_limit(&packed, BYTES);
        let bits = bits.map_err(|_| StatusRefusal::Size)?;
        Ok(Self { uri: claims.sub, iat: claims.iat, bits })
    }

    /// Whether the token in this place counts no longer.
    pub fn is_revoked(&self, idx: u64) -> Result<bool, StatusRefusal> {
        let byte = usize::try_from(idx / 8).ok().and_then(|at| self.bits.get(at));
        byte.map(|byte| byte & (1 << (idx % 8)) != 0).ok_or(StatusRefusal::Place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::sample::signing_key;

    const ISSUER: &str = "https://id.example";
    const URI: &str = "https://id.example/status-lists/0";
    const NOW: UnixTime = UnixTime(1_700_000_000);

    fn key() -> SigningKey {
        signing_key(Algorithm::EdDsa)
    }

    fn verify(text: &str, uri: &str, now: UnixTime) -> Result<StatusList, StatusRefusal> {
        let keys = KeySet::of([key().verifying_key()]).unwrap();
        StatusList::verify(text, &keys, (ISSUER, uri), &[Algorithm::EdDsa], now)
    }

    fn packed(lst: &str, bits: u8) -> String {
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": URI, "iat": NOW, "exp": NOW.0 + 60, "ttl": 5,
            "status_list": { "bits": bits, "lst": lst },
        });
        sign_compact(&key(), STATUS_LIST_TYPE, &claims).unwrap()
    }

    #[test]
    fn each_bit_is_its_own() {
        let all: Vec<u64> = (0..LENGTH).filter(|number| number % 3 == 0).collect();
        let text =
            StatusList::of(URI, NOW, all.iter().copied().chain([LENGTH])).sign(ISSUER, &key());
        let text = text.unwrap();
        assert!(text.len() < crate::jose::COMPACT_BYTES_MAX, "{}", text.len());
        let list = verify(&text, URI, NOW).unwrap();
        for number in 0..LENGTH {
            assert_eq!(list.is_revoked(number), Ok(number % 3 == 0), "{number}");
        }
        for beyond in [LENGTH, LENGTH * 8, u64::MAX] {
            assert_eq!(list.is_revoked(beyond), Err(StatusRefusal::Place));
        }
    }

    /// The list of section 4.2's first example: bits 0, 3, 4, 5, 7, 8, 9, 13 and 15.
    #[test]
    fn the_first_bit_is_the_lowest_as_in_the_draft() {
        let list = StatusList::of(URI, NOW, [0, 3, 4, 5, 7, 8, 9, 13, 15]);
        assert_eq!(&list.bits[..2], &[0xb9, 0xa3]);
    }

    /// Attack 51.
    #[test]
    fn a_list_that_is_not_this_one_of_now_says_nothing() {
        let text = StatusList::of(URI, NOW, [1]).sign(ISSUER, &key()).unwrap();
        assert_eq!(
            verify(&text, "https://id.example/status-lists/1", NOW),
            Err(StatusRefusal::Another)
        );
        assert_eq!(verify(&text, URI, UnixTime(NOW.0 + 60)), Err(StatusRefusal::Time));
        assert_eq!(verify(&text, URI, UnixTime(NOW.0 - 31)), Err(StatusRefusal::Time));
        let foreign = StatusList::of(URI, NOW, [1]).sign("https://evil.example", &key()).unwrap();
        assert_eq!(verify(&foreign, URI, NOW), Err(StatusRefusal::Another));
        let other = signing_key(Algorithm::Es256);
        let other = StatusList::of(URI, NOW, [1]).sign(ISSUER, &other).unwrap();
        assert_eq!(verify(&other, URI, NOW), Err(StatusRefusal::Signature));
        let (head, _) = text.rsplit_once('.').unwrap();
        for unsigned in [head.to_owned(), format!("{head}."), format!("{head}.AAAA")] {
            assert!(verify(&unsigned, URI, NOW).is_err(), "{unsigned}");
        }
        let token = sign_compact(&key(), "at+jwt", &serde_json::json!({ "sub": URI })).unwrap();
        assert_eq!(verify(&token, URI, NOW), Err(StatusRefusal::Malformed));
        let bare = sign_compact(&key(), STATUS_LIST_TYPE, &serde_json::json!({ "sub": URI }));
        assert_eq!(verify(&bare.unwrap(), URI, NOW), Err(StatusRefusal::Claims));
    }

    #[test]
    fn a_list_is_never_unpacked_beyond_its_size() {
        // A mebibyte of zeros is a kilobyte when it is packed.
        let bomb = Base64UrlUnpadded::encode_string(&compress_to_vec_zlib(&vec![0; 1 << 20], 9));
        assert!(bomb.len() < 4096);
        assert_eq!(verify(&packed(&bomb, 1), URI, NOW), Err(StatusRefusal::Size));
        for wrong in ["", "AAAA", "not base64!"] {
            assert_eq!(verify(&packed(wrong, 1), URI, NOW), Err(StatusRefusal::Size), "{wrong}");
        }
        let good = Base64UrlUnpadded::encode_string(&compress_to_vec_zlib(&[1, 2], 9));
        assert_eq!(verify(&packed(&good, 2), URI, NOW), Err(StatusRefusal::Claims));
        let short = verify(&packed(&good, 1), URI, NOW).unwrap();
        assert_eq!(short.is_revoked(16), Err(StatusRefusal::Place));
    }
}
