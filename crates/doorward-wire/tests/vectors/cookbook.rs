//! The JOSE cookbook (RFC 7520) and its companions for RFC 8037 and RFC 7797.

use doorward_wire::jose::{Algorithm, Compact, Jwk, Malformed, VerifyingKey};
use doorward_wire::json;
use serde_json::Value;

use super::{base64url, read_json, shared_secret, text};

/// The public part of a cookbook key, which is a private one.
fn verifying_key(key: &Value) -> Option<VerifyingKey> {
    if text(key, "kty") == "oct" {
        return shared_secret(&base64url(text(key, "k"))).ok();
    }
    let mut key = key.clone();
    let whole = key.to_string();
    assert!(json::strict::<Jwk>(whole.as_bytes()).is_err(), "a private key is not published");
    let members = key.as_object_mut()?;
    members.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    VerifyingKey::from_jwk(&json::strict(key.to_string().as_bytes()).ok()?).ok()
}

#[track_caller]
fn check(file: &str, algorithm: Option<Algorithm>) {
    let Some(example) = read_json(&format!("jose-cookbook/{file}")) else { return };
    let token = text(&example["output"], "compact");
    let read = Compact::parse(token).expect("a compact token");
    assert_eq!(read.algorithm().ok(), algorithm, "{file}");
    let key = verifying_key(&example["input"]["key"]);
    let Some(algorithm) = algorithm else {
        assert!(key.is_none_or(|key| read.verify(&key).is_err()), "{file}");
        return;
    };
    let key = key.expect("a key of ours");
    assert_eq!(key.algorithm(), algorithm);
    assert_eq!(read.verify(&key), Ok(text(&example["input"], "payload").as_bytes()), "{file}");
}

#[test]
fn the_signatures_of_our_algorithms_verify() {
    check("jws/4_1.rsa_v15_signature.json", Some(Algorithm::Rs256));
    check("jws/4_4.hmac-sha2_integrity_protection.json", Some(Algorithm::Hs256));
    check("curve25519/jws.json", Some(Algorithm::EdDsa));
}

#[test]
fn the_signatures_of_other_algorithms_do_not() {
    check("jws/4_2.rsa-pss_signature.json", None);
    check("jws/4_3.ecdsa_signature.json", None);
}

#[test]
fn a_signature_over_content_that_is_elsewhere_does_not_verify() {
    let file = "jose-cookbook/jws/4_5.signature_with_detached_content.json";
    let Some(example) = read_json(file) else { return };
    let key = verifying_key(&example["input"]["key"]).unwrap();
    let read = Compact::parse(text(&example["output"], "compact")).unwrap();
    assert!(read.verify(&key).is_err());
}

#[test]
fn the_other_serializations_are_not_tokens() {
    for file in [
        "jws/4_1.rsa_v15_signature.json",
        "jws/4_4.hmac-sha2_integrity_protection.json",
        "jws/4_6.protecting_specific_header_fields.json",
        "jws/4_7.protecting_content_only.json",
        "jws/4_8.multiple_signatures.json",
    ] {
        let Some(example) = read_json(&format!("jose-cookbook/{file}")) else { return };
        for form in ["json", "json_flat"] {
            let token = example["output"][form].to_string();
            let refused = Compact::parse(&token).err();
            assert!(token == "null" || refused == Some(Malformed::Character), "{file} {form}");
        }
    }
}

#[test]
fn an_unencoded_payload_is_refused() {
    for file in ["rfc7797/hmac-sha2_b64_false.json", "rfc7797/4.2.hmac-sha2_b64_false.json"] {
        let Some(example) = read_json(&format!("jose-cookbook/{file}")) else { return };
        let compact = text(&example["output"], "compact");
        assert!(Compact::parse(compact).is_err(), "{file}");
        // Also where the payload could be taken for base64url: for what the header says.
        if let Some((header, _)) = compact.split_once('.') {
            let token = format!("{header}.e30.AA");
            assert_eq!(Compact::parse(&token).err(), Some(Malformed::Header), "{file}");
        }
    }
}

#[test]
fn of_the_keys_only_the_public_ones_are_read() {
    for (file, public) in [
        ("3_1.ec_public_key.json", true),
        ("3_2.ec_private_key.json", false),
        ("3_3.rsa_public_key.json", true),
        ("3_4.rsa_private_key.json", false),
        ("3_5.symmetric_key_mac_computation.json", false),
        ("3_6.symmetric_key_encryption.json", false),
    ] {
        let Some(key) = read_json(&format!("jose-cookbook/jwk/{file}")) else { return };
        assert_eq!(json::strict::<Jwk>(key.to_string().as_bytes()).is_ok(), public, "{file}");
    }
}
