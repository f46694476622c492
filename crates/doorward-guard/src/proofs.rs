//! Proofs of a key (RFC 9449), as a request shows them to an app.
//!
//! # What this module answers
//!
//! - *A proof that is shown again*: each counts once in this process, and for a minute at the most. An app
//!   of many processes that cannot live with that has its issuer asked instead.
//! - *A flood of proofs*: as many are remembered as may be, and then none counts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use doorward_wire::UnixTime;
use doorward_wire::dpop::{Proof, ProofRefusal, Target};

/// How old a proof may be, and how far ahead of us its maker's clock, in seconds. An app gives no nonces, so
/// this is all that a proof made ahead is good for.
const AGE_MAX: u64 = 60;

/// How long a proof is remembered, in seconds.
const REMEMBERED: u64 = 2 * AGE_MAX + 1;

/// The most proofs that are remembered: about 5 MB of them.
const REMEMBERED_MAX: usize = 50_000;

/// What a request shows, and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) authorization: Option<&'a str>,
    /// The proof, if there is exactly one.
    pub(crate) proof: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

impl Presented<'_> {
    /// Nothing.
    pub(crate) const NONE: Self = Self { authorization: None, proof: None, method: "", path: "" };
}

/// Why a proof of a key does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofDenial {
    /// There is none, or there are two.
    #[error("one proof is needed")]
    Missing,
    /// It shows nothing.
    #[error("{0}")]
    Refused(ProofRefusal),
    /// It was shown before.
    #[error("it was shown before")]
    Again,
    /// As many are remembered as may be.
    #[error("there is no room to remember another")]
    Full,
    /// The guard was not told where it is reached, and cannot say for which address a proof must be.
    #[error("the guard does not know where it is reached: Guard::reached_at")]
    NoAddress,
}

/// The proofs that were shown of late.
#[derive(Debug, Default)]
pub(crate) struct SeenProofs(Mutex<HashMap<[u8; 32], UnixTime>>);

/// Reads a proof that is for this request and this token. It is not spent by that.
pub(crate) fn read(
    presented: &Presented<'_>,
    origin: Option<&str>,
    (token, now): (&str, UnixTime),
) -> Result<Proof, ProofDenial> {
    let origin = origin.ok_or(ProofDenial::NoAddress)?;
    let proof = Proof::read(presented.proof.ok_or(ProofDenial::Missing)?);
    let proof = proof.map_err(ProofDenial::Refused)?;
    let target = Target { method: presented.method, origin, path: presented.path };
    proof.check(&target, Some(token), now).map_err(ProofDenial::Refused)?;
    if proof.iat().0.abs_diff(now.0) > AGE_MAX {
        return Err(ProofDenial::Refused(ProofRefusal::Time));
    }
    Ok(proof)
}

impl SeenProofs {
    #[cfg(test)]
    pub(crate) fn full_but_for(room: usize, now: UnixTime) -> Self {
        let until = UnixTime(now.0 + REMEMBERED);
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            (digest, until)
        };
        Self(Mutex::new((0..REMEMBERED_MAX - room).map(digest).collect()))
    }

    /// Takes a proof, once.
    pub(crate) fn spend(&self, proof: &Proof, now: UnixTime) -> Result<(), ProofDenial> {
        // A holder that panicked left a memory that is whole: each change is one insertion.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED_MAX {
            seen.retain(|_, until| *until > now);
        }
        if seen.len() >= REMEMBERED_MAX {
            return Err(ProofDenial::Full);
        }
        match seen.insert(proof.digest(), UnixTime(now.0 + REMEMBERED)) {
            None => Ok(()),
            Some(_) => Err(ProofDenial::Again),
        }
    }
}
