//! Proofs of a key (RFC 9449): whether what was shown with a request counts, once.

use std::time::Duration;

use doorward_store::act::{ProofSpending, StoreFailed};
use doorward_wire::dpop::{Proof, ProofRefusal, Target};
use doorward_wire::jose::Thumbprint;

use crate::App;

/// How long a proof is remembered: longer than its nonce and its time let it count.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The most proofs that are remembered, about 100 MB of them. With as many none counts any more.
const REMEMBERED_MAX: u64 = 1_000_000;

/// A proof as a request shows it, and what it must be for.
#[derive(Clone, Debug)]
pub struct ShownProof {
    /// The proof, if there is exactly one.
    pub text: Option<String>,
    /// The method that it was shown with.
    pub method: String,
    /// The path that it was shown at, without the query.
    pub path: String,
}

/// Why a proof does not count.
#[derive(Debug, thiserror::Error)]
pub enum DpopError {
    /// There is none, or there are two.
    #[error("one proof is needed")]
    Missing,
    /// It shows nothing.
    #[error("the proof was refused: {0}")]
    Refused(ProofRefusal),
    /// It was made without a nonce of ours, or with an old one.
    #[error("the proof has no nonce of now")]
    NonceWanted,
    /// It was shown before.
    #[error("the proof was shown before")]
    Again,
    /// As many are remembered as may be.
    #[error("there is no room to remember another proof")]
    Full,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// Reads a proof that is for this request, and for this token if there is one. It is not spent by that.
pub fn read(app: &App, shown: &ShownProof, access_token: Option<&str>) -> Result<Proof, DpopError> {
    let text = shown.text.as_deref().ok_or(DpopError::Missing)?;
    let proof = Proof::read(text).map_err(DpopError::Refused)?;
    let origin = app.settings.site.issuer();
    let target = Target { method: &shown.method, origin, path: &shown.path };
    let now = app.ambient.now();
    proof.check(&target, access_token, now).map_err(DpopError::Refused)?;
    if proof.nonce().is_some_and(|nonce| app.keys.nonces().accepts(nonce, now)) {
        Ok(proof)
    } else {
        Err(DpopError::NonceWanted)
    }
}

/// Takes a proof, once.
pub async fn spend(app: &App, proof: &Proof) -> Result<(), DpopError> {
    let until = app.ambient.now().after(REMEMBERED);
    match app.store.spend_proof(proof.digest(), until, REMEMBERED_MAX).await? {
        ProofSpending::First => Ok(()),
        ProofSpending::Again => Err(DpopError::Again),
        ProofSpending::Full => Err(DpopError::Full),
    }
}

/// Takes the proof of a request for tokens, if there is one, and says which key it shows. Ask once whoever
/// asks is known: what strangers send must take no room among the proofs that are remembered.
pub async fn accept(app: &App, proof: Option<&Proof>) -> Result<Option<Thumbprint>, DpopError> {
    let Some(proof) = proof else { return Ok(None) };
    spend(app, proof).await?;
    Ok(Some(proof.thumbprint()))
}
