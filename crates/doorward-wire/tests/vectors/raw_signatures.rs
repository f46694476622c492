//! Wycheproof's signatures without tokens: each of our four algorithms at its own level.

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_wire::jose::{Jwk, KeyRefused, VerifyingKey};
use doorward_wire::json;
use serde_json::{Value, json};

use super::{hex, list, read_json, shared_secret, text};

/// The key of a group, as a JWK of ours.
fn public_key(group: &Value) -> Result<VerifyingKey, KeyRefused> {
    let jwk = match (&group["publicKeyJwk"], &group["keyJwk"]) {
        (Value::Object(_), _) => group["publicKeyJwk"].clone(),
        (_, Value::Object(_)) => group["keyJwk"].clone(),
        // Nine groups of the ECDSA collection have only the point.
        _ => {
            let point =
                |name| Base64UrlUnpadded::encode_string(&hex(text(&group["publicKey"], name)));
            json!({"kty": "EC", "crv": "P-256", "x": point("wx"), "y": point("wy")})
        }
    };
    let jwk: Jwk = json::strict(jwk.to_string().as_bytes()).expect("a JWK");
    VerifyingKey::from_jwk(&jwk)
}

/// Runs a collection; returns how many vectors were accepted and refused.
#[track_caller]
fn check(file: &str, expected: (usize, usize)) {
    let Some(collection) = read_json(&format!("wycheproof/{file}")) else { return };
    let mut count = (0, 0);
    for group in list(&collection, "testGroups") {
        let key = public_key(group);
        for vector in list(group, "tests") {
            let id = &vector["tcId"];
            // With exponent 3 we have no key to verify with.
            let small_exponent = text(&group["keyJwk"], "e") == "Aw";
            assert_eq!(key.as_ref().err(), small_exponent.then_some(&KeyRefused::Weak), "{id}");
            let (message, signature) = (hex(text(vector, "msg")), hex(text(vector, "sig")));
            let accepted = key.as_ref().is_ok_and(|key| key.verify(&message, &signature).is_ok());
            // "Acceptable" is a PKCS #1 padding without its NULL: we do not accept it.
            let valid = text(vector, "result") == "valid" && !small_exponent;
            assert_eq!(accepted, valid, "{file} {id}");
            if accepted { count.0 += 1 } else { count.1 += 1 }
        }
    }
    assert_eq!(count, expected, "{file}");
}

#[test]
fn ed25519_is_verified_to_the_letter() {
    check("ed25519_test.json", (88, 63));
}

#[test]
fn es256_is_verified_to_the_letter() {
    check("ecdsa_secp256r1_sha256_p1363_test.json", (173, 89));
}

#[test]
fn rs256_is_verified_to_the_letter_from_exponent_65537() {
    check("rsa_signature_2048_sha256_test.json", (7, 252));
    check("rsa_signature_3072_sha256_test.json", (7, 252));
    check("rsa_signature_4096_sha256_test.json", (7, 251));
}

#[test]
fn hs256_is_verified_whole_and_from_32_bytes_of_secret() {
    let Some(collection) = read_json("wycheproof/hmac_sha256_test.json") else { return };
    let mut accepted_count = 0;
    for group in list(&collection, "testGroups") {
        // Half the groups cut the tag in half, which JOSE does not.
        let whole = group["tagSize"] == 256;
        let long = group["keySize"].as_u64() >= Some(256);
        for vector in list(group, "tests") {
            let id = &vector["tcId"];
            let key = shared_secret(&hex(text(vector, "key")));
            assert_eq!(key.as_ref().err(), (!long).then_some(&KeyRefused::Weak), "{id}");
            let (message, tag) = (hex(text(vector, "msg")), hex(text(vector, "tag")));
            let accepted = key.is_ok_and(|key| key.verify(&message, &tag).is_ok());
            assert_eq!(accepted, text(vector, "result") == "valid" && whole && long, "{id}");
            accepted_count += usize::from(accepted);
        }
    }
    assert_eq!(accepted_count, 30);
}
