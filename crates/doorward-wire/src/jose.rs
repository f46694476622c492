//! JOSE, as little of it as we need: compact signatures by four algorithms, and public keys.
//!
//! ```text
//! material ──▶ SigningKey ──sign_compact──▶ "header.payload.signature"
//!                  │                                   │ parse
//!                  ▼                                   ▼
//!             VerifyingKey ◀──kid── KeySet         Compact ──verify──▶ payload
//!                  ▲                   ▲
//!                 Jwk ◀─── JwkSet ─────┘
//! ```
//!
//! # What this module answers
//!
//! - *`alg: none`, and a public key used as an HMAC secret* (RFC 8725, sections 2.1 and 3.1): a key
//!   has one algorithm, fixed when it is parsed; a token is asked only whether it names the same.
//!   `none` is not an algorithm here.
//! - *Keys the attacker brings* (`jwk`, `jku`, `x5u`, `x5c`): a header that has one is refused, not
//!   ignored, and nothing is ever fetched.
//! - *Two spellings of one token*: one base64url, no padding, no stray bits, no white space, no JSON
//!   serialization; headers are read by [`crate::json::strict`].
//! - *Private keys in a published set*: [`Jwk`] has no place for one.
//! - *Weak keys*: RSA from 2048 bits with a modulus not made by the broken generator of ROCA
//!   (CVE-2017-15361), HMAC secrets from 32 bytes.
//!
//! # What is not here
//!
//! No encryption (JWE), no other serialization, no choice of algorithm by the token. Keys are made
//! where randomness is; they come here as bytes.

mod algorithm;
mod es256;
mod jwk;
mod jws;
mod key;
mod key_set;
mod rsa;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod thumbprint;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use jwk::{Jwk, JwkSet};
pub use jws::{COMPACT_BYTES_MAX, Compact, Malformed, NotVerified, sign_compact};
pub use key::{KeyRefused, SignFailed, SigningKey, VerifyingKey, WrongSignature};
pub use key_set::{KeySet, KeySetRefused};
pub use thumbprint::Thumbprint;
