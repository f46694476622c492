//! Examples that were copied out of RFCs.

use doorward_wire::jose::{Compact, Jwk, Malformed, VerifyingKey};
use doorward_wire::json;
use serde_json::{Value, json};

use super::{base64url, read_json, text};

fn examples(name: &str) -> Vec<Value> {
    let examples = read_json("rfc-examples/examples.json");
    let examples = examples.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    examples.into_iter().filter(|example| text(example, "name").starts_with(name)).collect()
}

fn jwk(key: &Value) -> Jwk {
    json::strict(key.to_string().as_bytes()).expect("a public key")
}

#[test]
fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
    for example in examples("RFC 7638") {
        let key = jwk(&json!({"kty": "RSA", "n": example["n"], "e": "AQAB", "alg": "RS256"}));
        assert_eq!(key.thumbprint().as_deref(), example["thumbprint"].as_str());
    }
    for example in examples("RFC 8037") {
        let mut key = example["jwk"].clone();
        assert!(json::strict::<Jwk>(key.to_string().as_bytes()).is_err());
        key.as_object_mut().and_then(|members| members.remove("d"));
        let key = jwk(&key);
        assert_eq!(key.thumbprint().as_deref(), example["thumbprint"].as_str());
        let token = Compact::parse(text(&example, "jws")).unwrap();
        let verified = token.verify(&VerifyingKey::from_jwk(&key).unwrap()).is_ok();
        assert_eq!(Some(verified), example["signature_valid"].as_bool());
    }
}

#[test]
fn a_proof_of_rfc_9449_brings_its_key_and_is_no_token() {
    for example in examples("RFC 9449 DPoP proof") {
        let proof = text(&example, "jwt");
        assert_eq!(Compact::parse(proof).err(), Some(Malformed::Header));
        // Its signature is by the key that it brings, by the standard and of either form.
        let (signed, signature) = proof.rsplit_once('.').unwrap();
        let header = base64url(signed.split('.').next().unwrap());
        let key = jwk(&json::strict::<Value>(&header).unwrap()["jwk"]);
        assert_eq!(key.thumbprint().as_deref(), example["jkt"].as_str());
        let key = VerifyingKey::from_jwk(&key).unwrap();
        assert!(key.verify(signed.as_bytes(), &base64url(signature)).is_ok());
    }
}
