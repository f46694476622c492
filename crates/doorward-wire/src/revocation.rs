//! Revocations: what counts no longer, and the signed statements that say so.
//!
//! ```text
//!   log   … 41 │ 42 │ 43 │ 44        each entry follows the one before without a gap
//!             └──────────────┘
//!   Bulletin { after: 41, seq: 44, head: 44, entries: 42, 43, 44 }   "this is all there is"
//!   Bulletin { after: 44, seq: 44, head: 44, entries: none }         a heartbeat: "and still is"
//! ```
//!
//! # What this module answers
//!
//! - *Somebody between who leaves entries out, or makes them up*: a bulletin is signed, says after
//!   which entry it begins, and its entries are numbered without a gap.
//! - *One kind of token used as another* (RFC 8725, section 3.11): a bulletin has a type of its own,
//!   and nothing else passes as one.
//! - *Old news taken for new*: a bulletin says when it was made, on a clock that nobody sets. How old
//!   it is on arrival is for its reader to find out.
//!
//! # What is not here
//!
//! How long entries are kept is decided in core; what a reader knows is kept by the reader.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AccountId, ClientId, SessionId, TokenId};
use crate::jose::{Algorithm, Compact, KeySet, SignFailed, SigningKey, sign_compact};
use crate::json;
use crate::time::UnixTime;

/// The type that a bulletin's header names.
pub const BULLETIN_TYPE: &str = "doorward-revocations+jwt";

/// The most entries of one bulletin: with these it stays below the 8 KiB of any token.
pub const ENTRIES_MAX: usize = 40;

/// The most characters of each name in a bulletin: of its log, its run, its keys.
const NAME_MAX: usize = 128;

/// What counts no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// A session, and everything that carries its `sid`, whenever that was issued.
    Session(SessionId),
    /// The tokens of a session from before its owner proved themselves again: those whose `auth_time`
    /// lies before the entry's `not_before`.
    Proof(SessionId),
    /// Everything of an account whose `auth_time` lies before the entry's `not_before`.
    Account(AccountId),
    /// One token, by its `jti`: never by its bytes, which have more than one spelling.
    Token(TokenId),
    /// Everything that was issued to a client itself before the entry's `not_before`.
    Client(ClientId),
}

impl Revoked {
    /// The kind's name in the log.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Proof(_) => "proof",
            Self::Account(_) => "account",
            Self::Token(_) => "token",
            Self::Client(_) => "client",
        }
    }

    /// The bits of the id, whichever kind it is.
    #[must_use]
    pub const fn id_bits(self) -> u128 {
        match self {
            Self::Session(SessionId(bits))
            | Self::Proof(SessionId(bits))
            | Self::Account(AccountId(bits))
            | Self::Token(TokenId(bits))
            | Self::Client(ClientId(bits)) => bits,
        }
    }

    /// Puts a kind's name and an id's bits together again.
    #[must_use]
    pub fn from_parts(kind: &str, bits: u128) -> Option<Self> {
        match kind {
            "session" => Some(Self::Session(SessionId(bits))),
            "proof" => Some(Self::Proof(SessionId(bits))),
            "account" => Some(Self::Account(AccountId(bits))),
            "token" => Some(Self::Token(TokenId(bits))),
            "client" => Some(Self::Client(ClientId(bits))),
            _ => None,
        }
    }

    fn id(self) -> String {
        match self {
            Self::Session(id) | Self::Proof(id) => id.to_string(),
            Self::Account(id) => id.to_string(),
            Self::Token(id) => id.to_string(),
            Self::Client(id) => id.to_string(),
        }
    }

    fn read(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "session" => id.parse().ok().map(Self::Session),
            "proof" => id.parse().ok().map(Self::Proof),
            "account" => id.parse().ok().map(Self::Account),
            "token" => id.parse().ok().map(Self::Token),
            "client" => id.parse().ok().map(Self::Client),
            _ => None,
        }
    }
}

/// A revocation that has not been numbered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What counts no longer.
    pub revoked: Revoked,
    /// What is from before this time is refused, where the kind says so.
    pub not_before: UnixTime,
    /// When the last token it can affect has expired.
    pub expires_at: UnixTime,
}

/// A revocation in its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number: one more than the entry before.
    pub seq: u64,
    /// What it says.
    pub revocation: Revocation,
}

#[derive(Serialize, Deserialize)]
struct WrittenEntry<'a> {
    seq: u64,
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    not_before: UnixTime,
    expires_at: UnixTime,
}

impl Serialize for LogEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Revocation { revoked, not_before, expires_at } = self.revocation;
        let (kind, id) = (revoked.kind().into(), revoked.id().into());
        WrittenEntry { seq: self.seq, kind, id, not_before, expires_at }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LogEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WrittenEntry { seq, kind, id, not_before, expires_at } =
            WrittenEntry::deserialize(deserializer)?;
        let revoked = Revoked::read(&kind, &id).ok_or_else(|| {
            serde::de::Error::custom("a kind of entry, or an id, that we do not know")
        })?;
        Ok(Self { seq, revocation: Revocation { revoked, not_before, expires_at } })
    }
}

/// A statement about the log: these entries follow number `after`, and there are no others up to
/// `seq`. Without entries it is a heartbeat.
///
/// ```
/// use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
/// use doorward_wire::revocation::{Bulletin, BulletinRefusal};
/// use doorward_wire::{KeyId, UnixTime};
///
/// let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
/// let heartbeat = Bulletin {
///     iss: "https://id.example".into(),
///     iat: UnixTime(1_700_000_000),
///     log: "5dGx".into(),
///     run: "a8Qz".into(),
///     ms: 12_345,
///     keys: None,
///     after: 44,
///     seq: 44,
///     head: 44,
///     entries: vec![],
/// };
/// let text = heartbeat.sign(&key).unwrap();
/// let keys = KeySet::of([key.verifying_key()]).unwrap();
/// let algorithms = [Algorithm::Hs256];
/// assert_eq!(Bulletin::verify(&text, &keys, "https://id.example", &algorithms), Ok(heartbeat));
/// assert_eq!(
///     Bulletin::verify(&text, &keys, "https://evil.example", &algorithms),
///     Err(BulletinRefusal::Issuer)
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulletin {
    /// Whose log it is.
    pub iss: String,
    /// When it was made, by the issuer's clock.
    pub iat: UnixTime,
    /// Which log: another one after a database was made anew, or put back from a copy.
    pub log: String,
    /// Which run of which process made it: the clock of `ms`.
    pub run: String,
    /// When it was made, in milliseconds on a clock of that run which nobody sets. Whoever knows the
    /// log up to `head` knows everything that was acknowledged before.
    pub ms: u64,
    /// The `ETag` of the published keys. When it changes they are to be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The entry that the first of these follows. Those up to it that the reader does not know have
    /// expired: they are about nothing that could still be shown.
    pub after: u64,
    /// The number of the last of these.
    pub seq: u64,
    /// The number of the last entry of the log: `seq`, or more where more bulletins follow.
    pub head: u64,
    /// The entries `after + 1` to `seq`, in order.
    pub entries: Vec<LogEntry>,
}

/// The first step at which a text was refused as a bulletin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BulletinRefusal {
    /// It is too long, or not a compact token with a header we accept.
    #[error("it is not a compact token")]
    Malformed,
    /// It is another kind of token.
    #[error("it is another kind of token")]
    Type,
    /// Its algorithm is not accepted here.
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// Its key is unknown, or of another algorithm. Perhaps the keys have to be read again.
    #[error("its key is unknown")]
    Key,
    /// Its signature is not that key's.
    #[error("its signature is not its key's")]
    Signature,
    /// A member is missing, is not what it must be, or is a kind of entry that we do not know. Whoever
    /// does not understand a revocation does not know what to refuse, and must not go on.
    #[error("it says something that we do not understand")]
    Claims,
    /// It is about somebody else's log.
    #[error("it is another issuer's")]
    Issuer,
    /// Its entries are too many, or not numbered one by one from `after` to `seq`.
    #[error("its entries are not numbered one by one")]
    Numbers,
}

impl Bulletin {
    /// Signs it. It must not have more entries than [`ENTRIES_MAX`].
    pub fn sign(&self, key: &SigningKey) -> Result<String, SignFailed> {
        sign_compact(key, BULLETIN_TYPE, self)
    }

    /// Reads what an issuer signed. How old it is, and whether it follows what is known, is for the
    /// caller to decide.
    pub fn verify(
        text: &str,
        keys: &KeySet,
        issuer: &str,
        algorithms: &[Algorithm],
    ) -> Result<Self, BulletinRefusal> {
        let token = Compact::parse(text).map_err(|_| BulletinRefusal::Malformed)?;
        if token.typ() != Some(BULLETIN_TYPE) {
            return Err(BulletinRefusal::Type);
        }
        let algorithm = token.algorithm().map_err(|_| BulletinRefusal::Algorithm)?;
        if !algorithms.contains(&algorithm) {
            return Err(BulletinRefusal::Algorithm);
        }
        let key = token.kid().and_then(|kid| keys.get(kid)).ok_or(BulletinRefusal::Key)?;
        if key.algorithm() != algorithm {
            return Err(BulletinRefusal::Key);
        }
        let payload = token.verify_ours(key).map_err(|_| BulletinRefusal::Signature)?;
        let bulletin: Self = json::strict(payload).map_err(|_| BulletinRefusal::Claims)?;
        if bulletin.iss != issuer {
            return Err(BulletinRefusal::Issuer);
        }
        let names = [Some(&bulletin.log), Some(&bulletin.run), bulletin.keys.as_ref()];
        if names.into_iter().flatten().any(|name| name.is_empty() || name.len() > NAME_MAX) {
            return Err(BulletinRefusal::Claims);
        }
        if bulletin.is_numbered() { Ok(bulletin) } else { Err(BulletinRefusal::Numbers) }
    }

    fn is_numbered(&self) -> bool {
        let count = self.entries.len();
        count <= ENTRIES_MAX
            && self.head >= self.seq
            && self.seq.checked_sub(self.after) == u64::try_from(count).ok()
            && self.entries.iter().zip(self.after..).all(|(entry, before)| entry.seq == before + 1)
    }
}

#[cfg(test)]
mod tests;
