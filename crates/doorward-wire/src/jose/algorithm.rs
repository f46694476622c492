//! The four algorithms, and every fact about them in one table.

use std::fmt;
use std::str::FromStr;

/// An algorithm that signs: all there are.
///
/// ```
/// use doorward_wire::jose::Algorithm;
///
/// assert_eq!("EdDSA".parse(), Ok(Algorithm::EdDsa));
/// for other in ["none", "eddsa", "Ed25519", "ES384", "HS256 ", ""] {
///     assert!(other.parse::<Algorithm>().is_err());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037): the default. Quickest to sign, and nothing about it can be got wrong.
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518, section 3.4): where `EdDSA` is not understood.
    Es256,
    /// RSA PKCS #1 v1.5 with SHA-256 (RFC 7518, section 3.3): what `OpenID` Connect requires.
    Rs256,
    /// HMAC with SHA-256 (RFC 7518, section 3.2): issuer and audience share one secret.
    Hs256,
}

/// The text named no algorithm of ours. It may be one that others have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signature algorithm we use")]
pub struct UnknownAlgorithm;

struct Facts {
    name: &'static str,
    key_type: &'static str,
    curve: Option<&'static str>,
    signature_bytes: Option<usize>,
}

impl Algorithm {
    /// Each of them, the preferred first.
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256];

    const fn facts(self) -> Facts {
        let (name, key_type, curve, signature_bytes) = match self {
            Self::EdDsa => ("EdDSA", "OKP", Some("Ed25519"), Some(64)),
            Self::Es256 => ("ES256", "EC", Some("P-256"), Some(64)),
            Self::Rs256 => ("RS256", "RSA", None, None),
            Self::Hs256 => ("HS256", "oct", None, Some(32)),
        };
        Facts { name, key_type, curve, signature_bytes }
    }

    /// Its name in a header and in a key: `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The type of its keys: `kty`.
    #[must_use]
    pub const fn key_type(self) -> &'static str {
        self.facts().key_type
    }

    /// The curve of its keys, if they have one: `crv`.
    #[must_use]
    pub const fn curve(self) -> Option<&'static str> {
        self.facts().curve
    }

    /// How long its signatures are, or `None` where they are as long as the key.
    #[must_use]
    pub const fn signature_bytes(self) -> Option<usize> {
        self.facts().signature_bytes
    }

    /// Whether whoever can verify can also sign.
    #[must_use]
    pub const fn shares_secret(self) -> bool {
        matches!(self, Self::Hs256)
    }
}

/// Exact, letter by letter: `alg` is case-sensitive (RFC 7515, section 4.1.1).
impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|known| known.name() == name).ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
