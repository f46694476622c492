//! Wycheproof's tokens (`json_web_signature_test.json`) and keys (`json_web_key_test.json`).

use std::collections::{BTreeMap, BTreeSet};

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_wire::jose::{Algorithm, Compact, Jwk, JwkSet, KeySet, VerifyingKey};
use doorward_wire::json;
use serde_json::Value;

use super::{base64url, list, read_json, shared_secret, text};

/// Vectors marked valid that we refuse on purpose, and why.
const WAIVED: [(u64, &str); 6] = [
    (346, "the key says PS256 and the token PS384: a key has one algorithm"),
    (347, "the key says ES521, which is no algorithm, and the token ES512"),
    (350, "the key says PS256 and the token PS384: a key has one algorithm"),
    (351, "the key says ES521, which is no algorithm, and the token ES512"),
    (372, "a `?` within the base64url of the header: one token has one spelling"),
    (373, "a `?` within the base64url of the payload: one token has one spelling"),
];

/// Vectors marked invalid whose text is, byte for byte, the valid 357: what was wrong with them was
/// lost on the way (<https://github.com/C2SP/wycheproof/issues/236>). Nobody can tell them apart.
const CONTRADICTED: [u64; 2] = [367, 370];

/// The keys of a group by the names that the group gives them, read as strictly as we read any.
#[derive(Default)]
struct Keys {
    public: KeySet,
    shared: BTreeMap<String, VerifyingKey>,
}

impl Keys {
    /// From one key or a set. `None` if the set as such is refused.
    fn read(group: &Value) -> Option<Self> {
        let published =
            if group["public"].is_null() { &group["private"] } else { &group["public"] };
        let keys = match published["keys"].as_array() {
            Some(keys) => keys.clone(),
            None => vec![published.clone()],
        };
        if keys.iter().all(|key| text(key, "kty") == "oct") {
            return Self::shared(&keys);
        }
        let set = serde_json::json!({ "keys": keys }).to_string();
        let set: JwkSet = json::strict(set.as_bytes()).ok()?;
        Some(Self { public: KeySet::from_jwks(&set).ok()?, ..Self::default() })
    }

    /// Shared secrets are not JWKs to us, so here a configuration file is played: it says which
    /// algorithm a secret is for and cannot give one name twice.
    fn shared(keys: &[Value]) -> Option<Self> {
        let mut names = BTreeSet::new();
        if !keys.iter().all(|key| names.insert(text(key, "kid"))) {
            return None;
        }
        let ours = keys.iter().filter(|key| text(key, "alg") == "HS256");
        let shared = ours
            .filter_map(|key| {
                let secret = shared_secret(&base64url(text(key, "k"))).ok()?;
                Some((text(key, "kid").to_owned(), secret))
            })
            .collect();
        Some(Self { shared, ..Self::default() })
    }

    fn accept(&self, token: &str) -> bool {
        let Ok(token) = Compact::parse(token) else { return false };
        let Some(kid) = token.kid() else { return false };
        let key = self.public.get(kid).or_else(|| self.shared.get(kid));
        key.is_some_and(|key| token.verify(key).is_ok())
    }
}

/// The algorithm that a vector's header names, read as laxly as can be.
fn named_algorithm(token: &str) -> Option<Algorithm> {
    let part: String = token.split('.').next()?.chars().filter(|c| *c != '?').collect();
    let header = Base64UrlUnpadded::decode_vec(&part).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    text(&header, "alg").parse().ok()
}

#[derive(Default)]
struct Tally {
    wrongly_accepted: Vec<u64>,
    wrongly_refused: Vec<u64>,
    waived: BTreeSet<u64>,
    contradicted: Vec<String>,
    of_other_algorithms: Vec<u64>,
    accepted_count: usize,
    refused_count: usize,
}

fn run(collection: &Value) -> Tally {
    let mut tally = Tally::default();
    for group in list(collection, "testGroups") {
        let keys = Keys::read(group);
        for vector in list(group, "tests") {
            let id = vector["tcId"].as_u64().unwrap_or_default();
            let token = text(vector, "jws");
            let accepted = keys.as_ref().is_some_and(|keys| keys.accept(token));
            match (text(vector, "result"), accepted) {
                ("valid", true) => tally.accepted_count += 1,
                ("valid", false) if WAIVED.iter().any(|(waived, _)| *waived == id) => {
                    tally.waived.insert(id);
                }
                ("valid", false) if named_algorithm(token).is_none() => {
                    tally.of_other_algorithms.push(id);
                }
                ("valid", false) => tally.wrongly_refused.push(id),
                (_, true) if CONTRADICTED.contains(&id) => {
                    tally.contradicted.push(token.to_owned());
                }
                (_, true) => tally.wrongly_accepted.push(id),
                (_, false) => tally.refused_count += 1,
            }
        }
    }
    tally
}

#[test]
fn no_bad_token_is_accepted_and_every_good_one_of_ours_is() {
    let Some(collection) = read_json("wycheproof/json_web_signature_test.json") else { return };
    let tally = run(&collection);
    assert_eq!(tally.wrongly_accepted, [0; 0]);
    assert_eq!(tally.wrongly_refused, [0; 0]);
    assert_eq!(tally.waived, WAIVED.iter().map(|(id, _)| *id).collect());
    // RS384, RS512, PS256, PS384, PS512: good tokens of algorithms we do not have.
    let others: Vec<u64> = (264..=275).chain(287..=288).chain(320..=323).chain(325..=328).collect();
    assert_eq!(tally.of_other_algorithms, others);
    assert_eq!((tally.accepted_count, tally.refused_count), (18, 353));
    assert_eq!(18 + 353 + WAIVED.len() + CONTRADICTED.len() + others.len(), 401, "none left out");
    let valid = list(&collection, "testGroups")
        .iter()
        .flat_map(|group| list(group, "tests"))
        .find(|vector| vector["tcId"] == 357)
        .map(|vector| text(vector, "jws"));
    assert!(tally.contradicted.iter().all(|token| Some(token.as_str()) == valid));
}

#[test]
fn the_waived_tokens_are_good_but_for_what_they_are_waived_for() {
    let Some(collection) = read_json("wycheproof/json_web_signature_test.json") else { return };
    for group in list(&collection, "testGroups") {
        for vector in list(group, "tests") {
            let id = vector["tcId"].as_u64().unwrap_or_default();
            if let 372 | 373 = id {
                let clean = text(vector, "jws").replace('?', "");
                assert!(Keys::read(group).is_some_and(|keys| keys.accept(&clean)), "{id}");
            }
            if let 346 | 347 | 350 | 351 = id {
                let jwk: Jwk = json::strict(group["public"].to_string().as_bytes()).unwrap();
                assert!(VerifyingKey::from_jwk(&jwk).is_err(), "{id}");
                assert_eq!(named_algorithm(text(vector, "jws")), None, "{id}");
            }
        }
    }
}

#[test]
fn no_bad_key_verifies_anything_and_every_good_one_of_ours_does() {
    let Some(collection) = read_json("wycheproof/json_web_key_test.json") else { return };
    let tally = run(&collection);
    assert_eq!(tally.wrongly_accepted, [0; 0]);
    assert_eq!(tally.wrongly_refused, [0; 0]);
    // HS384 and HS512.
    assert_eq!(tally.of_other_algorithms, [14, 15]);
    assert_eq!((tally.accepted_count, tally.refused_count), (3, 21));
}

#[test]
fn a_bad_key_is_refused_for_what_is_bad_about_it() {
    use doorward_wire::jose::KeyRefused::{Malformed, NotForSignatures, Unsupported, Weak};
    let Some(collection) = read_json("wycheproof/json_web_key_test.json") else { return };
    let expected = [
        (6, Unsupported),       // alg RSA1_5, use enc
        (7, Weak),              // ROCA
        (8, Weak),              // 1024 bits
        (9, Weak),              // exponent 1
        (19, Unsupported),      // ES521 with P-256
        (20, Unsupported),      // ES224
        (21, NotForSignatures), // use enc
        (22, Malformed),        // a point that is not on the curve
        (23, Unsupported),      // P-384 with the numbers of a P-256 point
        (24, Unsupported),      // kty RSA with the members of EC
    ];
    let mut seen = 0;
    for group in list(&collection, "testGroups") {
        let id = group["tests"][0]["tcId"].as_u64().unwrap_or_default();
        if let Some((_, refusal)) = expected.iter().find(|(known, _)| *known == id) {
            let jwk = group["public"]["keys"][0].to_string();
            let jwk: Jwk = json::strict(jwk.as_bytes()).unwrap();
            assert_eq!(VerifyingKey::from_jwk(&jwk).err(), Some(*refusal), "{id}");
            seen += 1;
        }
    }
    assert_eq!(seen, expected.len());
}
