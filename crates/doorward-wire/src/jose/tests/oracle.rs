//! Another implementation reads what we write, and we read what it writes.

use jsonwebtoken as other;
use serde_json::{Value, json};

use super::*;

const THEIRS: [(Algorithm, other::Algorithm); 4] = [
    (Algorithm::EdDsa, other::Algorithm::EdDSA),
    (Algorithm::Es256, other::Algorithm::ES256),
    (Algorithm::Rs256, other::Algorithm::RS256),
    (Algorithm::Hs256, other::Algorithm::HS256),
];

fn decoding_key(ours: &SigningKey) -> other::DecodingKey {
    match ours.public_jwk() {
        Some(jwk) => {
            let jwk = serde_json::from_value(serde_json::to_value(jwk).unwrap()).unwrap();
            other::DecodingKey::from_jwk(&jwk).unwrap()
        }
        None => other::DecodingKey::from_secret(&material(ours.algorithm())),
    }
}

fn encoding_key(algorithm: Algorithm) -> other::EncodingKey {
    // Before the PKCS #1 key that it wants, the PKCS #8 key of 2048 bits has this many bytes.
    const BEFORE_PKCS_1: usize = 26;
    let material = material(algorithm);
    match algorithm {
        Algorithm::EdDsa => other::EncodingKey::from_ed_der(&material),
        Algorithm::Es256 => other::EncodingKey::from_ec_der(&material),
        Algorithm::Rs256 => other::EncodingKey::from_rsa_der(&material[BEFORE_PKCS_1..]),
        Algorithm::Hs256 => other::EncodingKey::from_secret(&material),
    }
}

fn anything_goes(algorithm: other::Algorithm) -> other::Validation {
    let mut validation = other::Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

#[test]
fn tokens_of_ours_are_read_by_another_implementation() {
    for (ours, theirs) in THEIRS {
        let key = signing_key(ours);
        for index in 0..8 {
            let claims = json!({"index": index, "text": "é\u{1F600}", "list": [1, {"a": null}]});
            let token = sign_compact(&key, "at+jwt", &claims).unwrap();
            let decoded =
                other::decode::<Value>(&token, &decoding_key(&key), &anything_goes(theirs))
                    .unwrap();
            assert_eq!(decoded.claims, claims);
            assert_eq!(decoded.header.typ.as_deref(), Some("at+jwt"));
            assert_eq!(decoded.header.kid, Some(key.kid().to_string()));
            for (_, wrong) in THEIRS.into_iter().filter(|(_, wrong)| *wrong != theirs) {
                let read =
                    other::decode::<Value>(&token, &decoding_key(&key), &anything_goes(wrong));
                assert!(read.is_err(), "{ours} as {wrong:?}");
            }
        }
    }
}

#[test]
fn tokens_of_another_implementation_are_read_by_us() {
    for (ours, theirs) in THEIRS {
        let key = signing_key(ours);
        for index in 0..8 {
            let claims = json!({"index": index});
            let mut header = other::Header::new(theirs);
            header.kid = Some(key.kid().to_string());
            let token = other::encode(&header, &claims, &encoding_key(ours)).unwrap();
            let read = Compact::parse(&token).unwrap();
            assert_eq!((read.algorithm(), read.typ()), (Ok(ours), Some("JWT")));
            let payload = read.verify(&key.verifying_key()).unwrap();
            assert_eq!(strict::<Value>(payload).unwrap(), claims);
        }
    }
}

#[test]
fn where_both_have_no_choice_the_bytes_are_the_same() {
    for (ours, theirs) in THEIRS {
        if ours == Algorithm::Es256 {
            continue; // Each signature has a new random number in it.
        }
        let signed = b"header.payload";
        let signature = other::crypto::sign(signed, &encoding_key(ours), theirs).unwrap();
        let again = signing_key(ours).sign(signed).unwrap();
        assert_eq!(Base64UrlUnpadded::encode_string(&again), signature, "{ours}");
    }
}

#[test]
fn a_token_with_one_changed_character_is_refused_by_both() {
    for (ours, theirs) in THEIRS {
        let key = signing_key(ours);
        let token = sign_compact(&key, "JWT", &json!({"sub": "ada"})).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let by_us = Compact::parse(&changed)
                .is_ok_and(|read| read.verify(&key.verifying_key()).is_ok());
            assert!(!by_us, "{ours}: {at}");
            // The other ignores nothing here either: what it would take, we must not refuse.
            let by_them =
                other::decode::<Value>(&changed, &decoding_key(&key), &anything_goes(theirs));
            assert!(by_them.is_err(), "{ours}: {at}");
        }
    }
}

#[test]
fn where_we_are_stricter_is_known() {
    // What jsonwebtoken takes and we do not. If this ever fails, it has become stricter: rejoice.
    let key = signing_key(Algorithm::Hs256);
    for header in [
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","jku":"https://attacker.example/keys"}"#,
    ] {
        let signed = format!("{}.{}", encode(header), encode(r#"{"sub":"ada"}"#));
        let signature = Base64UrlUnpadded::encode_string(&key.sign(signed.as_bytes()).unwrap());
        let token = format!("{signed}.{signature}");
        let validation = anything_goes(other::Algorithm::HS256);
        assert!(other::decode::<Value>(&token, &decoding_key(&key), &validation).is_ok());
        refused(&token, Malformed::Header);
    }
}
