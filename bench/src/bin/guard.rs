//! What a guard's check costs in the process: of a token seen before, of one seen for the first time, and of
//! its signature alone, with a key that was parsed before. Prints three medians in nanoseconds.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use doorward_guard::Guard;
use doorward_wire::jose::{Algorithm, JwkSet, SigningKey};
use doorward_wire::token::{self, AccessClaims, Audiences};
use doorward_wire::{AccountId, KeyId, SessionId, TokenId, UnixTime};

const ISSUER: &str = "https://id.example.com";
const API: &str = "https://api.example.com";
const NOW: UnixTime = UnixTime(1_800_000_000);

/// How many checks are one measurement, and how many measurements there are.
const BATCH: usize = 1000;
const ROUNDS: usize = 15;

fn claims(number: u128) -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        sub: AccountId(7),
        aud: Audiences::one(API),
        exp: UnixTime(NOW.0 + 300),
        iat: NOW,
        nbf: None,
        jti: TokenId(number),
        client_id: "doorward".to_owned(),
        scope: "orders.read".to_owned(),
        sid: SessionId(number),
        auth_time: NOW,
        acr: "aal1".to_owned(),
        amr: vec!["pwd".to_owned()],
        groups: Vec::new(),
        roles: Vec::new(),
        cnf: None,
        status: None,
    }
}

fn median(mut values: Vec<u128>) -> u128 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Nanoseconds of one of so many.
fn time(mut each: impl FnMut(usize)) -> u128 {
    let began = Instant::now();
    (0..BATCH).for_each(&mut each);
    began.elapsed().as_nanos() / BATCH as u128
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new())?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.as_ref())?;
    let key = SigningKey::from_material(KeyId(1), Algorithm::EdDsa, pkcs8.as_ref())?;
    let jwk = key.public_jwk().ok_or("a key without a public part")?;
    let guard = Guard::offline(ISSUER, API, &JwkSet { keys: vec![jwk] })?;
    let public = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref())?;
    let (mut seen, mut first, mut signature) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let fresh =
            |number: usize| token::sign(&claims((round * BATCH + number + 1) as u128), &key);
        let texts = (0..BATCH).map(fresh).collect::<Result<Vec<_>, _>>()?;
        let headers: Vec<_> = texts.iter().map(|text| format!("Bearer {text}")).collect();
        let signed: Vec<_> = texts.iter().filter_map(|text| text.rsplit_once('.')).collect();
        let signatures: Vec<_> =
            signed.iter().map(|(text, _)| pair.sign(text.as_bytes())).collect();
        let check = |text: &str| {
            assert!(black_box(guard.check(Some(black_box(text)), NOW)).is_ok(), "a good token");
        };
        signature.push(time(|n| {
            let verified = public.verify_sig(signed[n].0.as_bytes(), signatures[n].as_ref());
            assert!(black_box(verified).is_ok(), "a good signature");
        }));
        first.push(time(|n| check(&headers[n])));
        seen.push(time(|n| check(&headers[n])));
    }
    let [seen, first, signature] = [seen, first, signature].map(median);
    writeln!(std::io::stdout(), "{seen} {first} {signature}")?;
    Ok(())
}
