//! Why a token is refused: each check in its order, for people who look for a mistake.
//!
//! # What this module answers
//!
//! - *An explanation that says something else than the verifier*: it is made of the verifier's own
//!   answer. What failed is the first step that failed; what comes after it was not reached.
//! - *A tool that shows what nobody vouches for as if it were true*: what a token says before it is
//!   verified is called [`Unverified`].

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::Value;

use super::{Expectation, TokenRefusal, VerifiedToken, verify};
use crate::jose::{COMPACT_BYTES_MAX, KeySet};
use crate::revocation::BULLETIN_TYPE;
use crate::time::UnixTime;

/// A step of the verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Size, spelling, three parts, a header without parameters that we refuse.
    Form,
    /// The type in the header.
    Type,
    /// The algorithm, among those of the audience.
    Algorithm,
    /// The key, and that it is of this algorithm.
    Key,
    /// The signature.
    Signature,
    /// Every claim, of its type.
    Claims,
    /// The issuer.
    Issuer,
    /// The audience.
    Audience,
    /// The end.
    End,
    /// The beginning.
    Beginning,
    /// The key that it is bound to, if it is.
    Binding,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It failed, and so the token is refused.
    Failed,
    /// One before it failed.
    NotReached,
}

/// What a text is, and says, before anybody has verified it. Anybody can have written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// What kind of token it seems to be, in words.
    pub kind: &'static str,
    /// The header, if it is JSON.
    pub header: Option<Value>,
    /// The claims, if they are JSON.
    pub claims: Option<Value>,
}

/// What came of each step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation(Result<VerifiedToken, TokenRefusal>);

impl Step {
    /// Every step, in the order of the contract.
    pub const ALL: [Self; 11] = [
        Self::Form,
        Self::Type,
        Self::Algorithm,
        Self::Key,
        Self::Signature,
        Self::Claims,
        Self::Issuer,
        Self::Audience,
        Self::End,
        Self::Beginning,
        Self::Binding,
    ];

    /// Its name, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::End => "end",
            Self::Beginning => "beginning",
            Self::Binding => "binding",
        }
    }

    /// What is asked, in words.
    #[must_use]
    pub const fn question(self) -> &'static str {
        match self {
            Self::Form => {
                "At most 8 KiB, three parts of base64url in their one spelling, and no header \
                 parameter that points at a key or changes what is signed (crit, jku, jwk, x5…)"
            }
            Self::Type => "The header's typ is at+jwt: an access token, and no other kind",
            Self::Algorithm => "The header's alg is one that the audience accepts",
            Self::Key => "The header's kid names a key that is trusted, and is of that algorithm",
            Self::Signature => "The signature is that key's",
            Self::Claims => "Every claim of an account's access token is there, and of its type",
            Self::Issuer => "iss is the issuer, letter by letter",
            Self::Audience => "aud has the audience in it, letter by letter",
            Self::End => "exp has not been reached, with 30 seconds for clocks that differ",
            Self::Beginning => "nbf and iat are not in the time to come, but for 30 seconds",
            Self::Binding => {
                "It is not bound to a key (cnf), or was shown with a proof by that key"
            }
        }
    }
}

impl Verdict {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not reached",
        }
    }
}

impl TokenRefusal {
    /// The step that failed.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::Malformed => Step::Form,
            Self::Type => Step::Type,
            Self::Algorithm => Step::Algorithm,
            Self::Key => Step::Key,
            Self::Signature => Step::Signature,
            Self::Claims => Step::Claims,
            Self::Issuer => Step::Issuer,
            Self::Audience => Step::Audience,
            Self::Expired => Step::End,
            Self::NotYet | Self::IssuedAhead => Step::Beginning,
            Self::Binding => Step::Binding,
        }
    }
}

impl Unverified {
    /// Takes a text apart, as far as that goes.
    ///
    /// ```
    /// use doorward_wire::token::Unverified;
    ///
    /// let text = "eyJ0eXAiOiJhdCtqd3QifQ.eyJzdWIiOiJhY2NfMSJ9.AA";
    /// let said = Unverified::of(text);
    /// assert_eq!(said.kind, "an access token of an account");
    /// assert_eq!(said.claims.unwrap()["sub"], "acc_1");
    /// ```
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut parts = text.split('.').map(part);
        let (header, claims) = (parts.next().flatten(), parts.next().flatten());
        let typ = header.as_ref().and_then(|header| header["typ"].as_str()).unwrap_or_default();
        let sub = claims.as_ref().and_then(|claims| claims["sub"].as_str()).unwrap_or_default();
        let kind = match (typ.trim_start_matches("application/"), text.get(..4)) {
            (_, Some("dwr_")) => "a refresh token: a secret, which says nothing",
            (_, Some("dwc_")) => "a client's secret, which says nothing",
            ("at+jwt", _) if sub.starts_with("cli_") => "an access token of a client itself",
            ("at+jwt", _) => "an access token of an account",
            (BULLETIN_TYPE, _) => "a bulletin of the revocation feed",
            ("dpop+jwt", _) => "a proof that a key is there (DPoP)",
            ("JWT", _) => "a JWT of no type of its own: an ID token, perhaps",
            _ if header.is_some() => "a JWT of a kind that is none of ours",
            _ => "no token that we know",
        };
        Self { kind, header, claims }
    }
}

/// Larger ones are refused unread, and so they are not read here.
fn part(text: &str) -> Option<Value> {
    if text.len() > COMPACT_BYTES_MAX {
        return None;
    }
    crate::json::strict(&Base64UrlUnpadded::decode_vec(text).ok()?).ok()
}

impl Explanation {
    /// Verifies a token, and explains what came of it.
    #[must_use]
    pub fn of(text: &str, keys: &KeySet, expected: &Expectation<'_>, now: UnixTime) -> Self {
        Self(verify(text, keys, expected, now))
    }

    /// What came of each step.
    pub fn steps(&self) -> impl Iterator<Item = (Step, Verdict)> {
        let failed = self.0.as_ref().err().map(|refusal| refusal.step());
        let failed_at = Step::ALL.iter().position(|step| Some(*step) == failed);
        Step::ALL.into_iter().enumerate().map(move |(at, step)| match failed_at {
            Some(failed) if at == failed => (step, Verdict::Failed),
            Some(failed) if at > failed => (step, Verdict::NotReached),
            Some(_) | None => (step, Verdict::Passed),
        })
    }

    /// The token, if every step passed. Whether it was revoked since, nobody has asked.
    pub fn verified(&self) -> Result<&VerifiedToken, TokenRefusal> {
        self.0.as_ref().map_err(|refusal| *refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EXPECTED, NOW, claims, key, keys};
    use super::super::{AccessClaims, Audiences, sign};
    use super::*;
    use crate::id::{AccountId, ClientId};
    use crate::jose::Algorithm;
    use crate::jose::sample::signing_key;

    #[test]
    fn every_step_can_fail_and_those_after_it_are_not_reached() {
        let changed = |change: fn(&mut AccessClaims)| {
            let mut claims = claims();
            change(&mut claims);
            sign(&claims, &key()).unwrap()
        };
        let good = changed(|_| ());
        let bound = |claims: &mut AccessClaims| {
            claims.cnf = Some(crate::token::Confirmation { jkt: "x".into() });
        };
        let mut forged = good.clone();
        forged.replace_range(forged.len() - 8..forged.len() - 4, "AAAA");
        let es256 = sign(&claims(), &signing_key(Algorithm::Es256)).unwrap();
        let other = crate::jose::sign_compact(&key(), "JWT", &claims()).unwrap();
        let bare = crate::jose::sign_compact(&key(), "at+jwt", &Value::Null).unwrap();
        let only_eddsa = Expectation { algorithms: &[Algorithm::EdDsa], ..EXPECTED };
        let nobodys = KeySet::default();
        for (text, keys, expected) in [
            ("x".to_owned(), &keys(), Step::Form),
            (other, &keys(), Step::Type),
            (es256, &keys(), Step::Algorithm),
            (good.clone(), &nobodys, Step::Key),
            (forged, &keys(), Step::Signature),
            (bare, &keys(), Step::Claims),
            (changed(|claims| claims.iss = "x".into()), &keys(), Step::Issuer),
            (changed(|claims| claims.aud = Audiences::one("x")), &keys(), Step::Audience),
            (changed(|claims| claims.exp = UnixTime(1)), &keys(), Step::End),
            (changed(|claims| claims.iat = UnixTime(NOW.0 + 99)), &keys(), Step::Beginning),
            (changed(bound), &keys(), Step::Binding),
        ] {
            let explained = Explanation::of(&text, keys, &only_eddsa, NOW);
            let steps: Vec<_> = explained.steps().collect();
            let at = Step::ALL.iter().position(|step| *step == expected).unwrap();
            assert_eq!(steps[at], (expected, Verdict::Failed), "{steps:?}");
            assert!(steps[..at].iter().all(|(_, verdict)| *verdict == Verdict::Passed));
            assert!(steps[at + 1..].iter().all(|(_, verdict)| *verdict == Verdict::NotReached));
            assert_eq!(explained.verified().err(), verify(&text, keys, &only_eddsa, NOW).err());
        }
        let explained = Explanation::of(&good, &keys(), &only_eddsa, NOW);
        assert!(explained.steps().all(|(_, verdict)| verdict == Verdict::Passed));
        assert!(explained.verified().is_ok());
    }

    #[test]
    fn what_a_text_seems_to_be_is_told_and_no_secret_repeated() {
        let access = sign(&claims(), &key()).unwrap();
        let said = Unverified::of(&access);
        assert_eq!(said.kind, "an access token of an account");
        assert_eq!(said.claims.unwrap()["sub"], Value::from(AccountId(1).to_string()));
        let mut of_client = serde_json::to_value(claims()).unwrap();
        of_client["sub"] = ClientId(1).to_string().into();
        let of_client = crate::jose::sign_compact(&key(), "at+jwt", &of_client).unwrap();
        assert_eq!(Unverified::of(&of_client).kind, "an access token of a client itself");
        for (text, kind) in [
            ("dwr_secret", "a refresh token: a secret, which says nothing"),
            ("dwc_secret", "a client's secret, which says nothing"),
            ("", "no token that we know"),
            ("a.b.c", "no token that we know"),
            ("é", "no token that we know"),
        ] {
            let said = Unverified::of(text);
            assert_eq!(said, Unverified { kind, header: None, claims: None }, "{text}");
        }
        let huge = format!("{}.{}.x", "A".repeat(1 << 20), "A".repeat(1 << 20));
        assert_eq!(Unverified::of(&huge).header, None);
    }
}
