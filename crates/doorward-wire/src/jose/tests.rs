//! Rules of keys and compact tokens, and a second reader to compare ours with.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::json;

use super::*;
use crate::id::KeyId;
use crate::jose::sample::{material, other_form, signing_key};
use crate::json::strict;

mod oracle;

const RFC_7515_A_1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTk\
     zODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbU\
     JU1p1r_wW1gFWFOEjXk";
const RFC_7515_A_2: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9\
     leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2Vt\
     Qgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKB\
     YNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN\
     9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI\
     8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RFC_7515_A_2_MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJ\
     PMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0\
     LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
     Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2\
     PAcDTW9gb54h4FRWyuXpoQ";
const RFC_7515_A_3: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9\
     leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXF\
     CgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const RFC_8037_A_4: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1P\
     POt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn encode(text: &str) -> String {
    Base64UrlUnpadded::encode_string(text.as_bytes())
}

/// A token with this header, whose payload and signature are `{}` and one byte.
fn headed(header: &str) -> String {
    format!("{}.e30.AA", encode(header))
}

#[track_caller]
fn refused(token: &str, expected: Malformed) {
    assert_eq!(Compact::parse(token).err(), Some(expected), "{token:.200}");
}

#[track_caller]
fn jwk(text: &str) -> Jwk {
    strict(text.as_bytes()).unwrap()
}

#[test]
fn what_a_key_signs_it_verifies_and_nothing_else() {
    for algorithm in Algorithm::ALL {
        let key = signing_key(algorithm);
        let signature = key.sign(b"message").unwrap();
        if let Some(length) = algorithm.signature_bytes() {
            assert_eq!(signature.len(), length, "{algorithm}");
        }
        let verifying = key.verifying_key();
        assert_eq!(verifying.algorithm(), algorithm);
        assert_eq!(verifying.kid(), Some(key.kid().to_string().as_str()));
        assert!(verifying.verify(b"message", &signature).is_ok(), "{algorithm}");
        assert!(verifying.verify_ours(b"message", &signature).is_ok(), "{algorithm}");
        assert!(verifying.verify(b"massage", &signature).is_err(), "{algorithm}");
        assert!(verifying.verify(b"message", &signature[1..]).is_err(), "{algorithm}");
        assert!(verifying.verify(b"message", &[]).is_err(), "{algorithm}");
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut other = signature.clone();
            other[at] ^= 1;
            assert!(verifying.verify(b"message", &other).is_err(), "{algorithm} at {at}");
        }
    }
}

#[test]
fn material_of_another_kind_makes_no_key() {
    let kid = KeyId(1);
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let refused = SigningKey::from_material(kid, algorithm, &material(other));
            assert_eq!(refused.err(), Some(KeyRefused::Malformed), "{other} as {algorithm}");
        }
        assert!(SigningKey::from_material(kid, algorithm, &[]).is_err());
    }
    let random = SystemRandom::new();
    let p384 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
    assert!(SigningKey::from_material(kid, Algorithm::Es256, p384.as_ref()).is_err());
}

#[test]
fn an_hmac_secret_has_32_bytes_at_the_least() {
    let secret = |length| SigningKey::from_material(KeyId(1), Algorithm::Hs256, &vec![7; length]);
    assert_eq!(secret(0).err(), Some(KeyRefused::Weak));
    assert_eq!(secret(31).err(), Some(KeyRefused::Weak));
    assert!(secret(32).is_ok());
    assert!(secret(65).is_ok());
}

#[test]
fn debug_never_prints_a_secret() {
    let key = signing_key(Algorithm::Hs256);
    let kid = key.kid();
    assert_eq!(format!("{key:?}"), format!("SigningKey({kid}, HS256, …)"));
    assert_eq!(format!("{:?}", key.verifying_key()), format!("VerifyingKey({kid}, HS256, …)"));
    let token = sign_compact(&key, "JWT", &json!({})).unwrap();
    assert_eq!(format!("{:?}", Compact::parse(&token).unwrap()), "Compact(…)");
}

#[test]
fn a_published_key_has_its_public_members_and_no_others() {
    let members = |algorithm| {
        let jwk = serde_json::to_value(signing_key(algorithm).public_jwk().unwrap()).unwrap();
        jwk.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(members(Algorithm::EdDsa), "alg crv kid kty use x");
    assert_eq!(members(Algorithm::Es256), "alg crv kid kty use x y");
    assert_eq!(members(Algorithm::Rs256), "alg e kid kty n use");
    assert!(signing_key(Algorithm::Hs256).public_jwk().is_none());

    let text = serde_json::to_string(&signing_key(Algorithm::EdDsa).public_jwk()).unwrap();
    let expected = concat!(
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","#,
        r#""use":"sig","alg":"EdDSA","kid":"key_00000000000000000000000000"}"#
    );
    assert_eq!(text, expected);
}

#[test]
fn a_published_key_verifies_what_its_private_one_signs() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let key = signing_key(algorithm);
        let text = serde_json::to_vec(&key.public_jwk()).unwrap();
        let published = VerifyingKey::from_jwk(&strict(&text).unwrap()).unwrap();
        let token = sign_compact(&key, "JWT", &json!({"a": 1})).unwrap();
        let payload = Compact::parse(&token).unwrap().verify(&published).map(<[u8]>::to_vec);
        assert_eq!(payload, Ok(br#"{"a":1}"#.to_vec()));
    }
}

#[test]
fn a_key_with_a_private_part_is_refused_unread() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for value in [r#""AA""#, "[]", "0"] {
            let text = format!(r#"{{"kty":"OKP","crv":"Ed25519","{member}":{value}}}"#);
            let error = strict::<Jwk>(text.as_bytes()).unwrap_err();
            assert!(error.message.contains("private"), "{text}: {error}");
            let set = format!(r#"{{"keys":[{text}]}}"#);
            assert!(strict::<JwkSet>(set.as_bytes()).is_err(), "{set}");
        }
    }
}

#[test]
fn a_foreign_key_is_what_it_says_or_refused() {
    let good = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let parsed = |text: &str| VerifyingKey::from_jwk(&jwk(text)).map(|key| key.algorithm());
    assert_eq!(parsed(good), Ok(Algorithm::EdDsa));
    let with = |member: &str| parsed(&good.replace('}', &format!(",{member}}}")));
    assert_eq!(with(r#""alg":"EdDSA","use":"sig","key_ops":["verify"],"x5t":"AA""#), parsed(good));
    assert_eq!(with(r#""alg":"ES256""#), Err(KeyRefused::Unsupported));
    assert_eq!(with(r#""alg":"eddsa""#), Err(KeyRefused::Unsupported));
    assert_eq!(with(r#""alg":"none""#), Err(KeyRefused::Unsupported));
    assert_eq!(with(r#""use":"enc""#), Err(KeyRefused::NotForSignatures));
    assert_eq!(with(r#""key_ops":["sign"]"#), Err(KeyRefused::NotForSignatures));
    assert_eq!(parsed(&good.replace("Ed25519", "Ed448")), Err(KeyRefused::Unsupported));
    assert_eq!(parsed(&good.replace("11qY", "")), Err(KeyRefused::Malformed));
    assert_eq!(parsed(&good.replace("URo", "URp")), Err(KeyRefused::Malformed), "stray bits");
    assert_eq!(parsed(r#"{"kty":"oct","alg":"HS256"}"#), Err(KeyRefused::Unsupported));
}

#[test]
fn a_set_has_one_key_of_a_name_and_leaves_out_what_it_cannot_use() {
    let (one, other) = (signing_key(Algorithm::EdDsa), signing_key(Algorithm::Es256));
    let twice = KeySet::of([one.verifying_key(), one.verifying_key()]);
    assert_eq!(twice.err(), Some(KeySetRefused::SameName));
    let nameless = jwk(r#"{"kty":"OKP","crv":"Ed25519",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
    let key = VerifyingKey::from_jwk(&nameless).unwrap();
    assert_eq!(KeySet::of([key]).err(), Some(KeySetRefused::Nameless));

    let mut published = KeySet::of([
        one.verifying_key(),
        other.verifying_key(),
        signing_key(Algorithm::Hs256).verifying_key(),
    ])
    .unwrap()
    .published();
    assert_eq!(published.keys.len(), 2, "the shared secret stays at home");
    published.keys.push(nameless);
    published.keys.push(jwk(r#"{"kty":"EC","crv":"P-521","kid":"foreign"}"#));
    let read = KeySet::from_jwks(&published).unwrap();
    assert_eq!(read.key_count(), 2);
    assert!(read.get(&one.kid().to_string()).is_some());

    published.keys.push(one.public_jwk().unwrap());
    assert_eq!(KeySet::from_jwks(&published).err(), Some(KeySetRefused::SameName));
}

#[test]
fn the_examples_of_rfc_7515_and_rfc_8037_verify() {
    let rsa = jwk(&format!(r#"{{"kty":"RSA","n":"{RFC_7515_A_2_MODULUS}","e":"AQAB"}}"#));
    let keys = [
        (RFC_7515_A_1, signing_key(Algorithm::Hs256).verifying_key()),
        (RFC_7515_A_2, VerifyingKey::from_jwk(&rsa).unwrap()),
        (RFC_7515_A_3, signing_key(Algorithm::Es256).verifying_key()),
        (RFC_8037_A_4, signing_key(Algorithm::EdDsa).verifying_key()),
    ];
    for (token, key) in &keys {
        assert!(Compact::parse(token).unwrap().verify(key).is_ok(), "{token}");
        for (_, other) in keys.iter().filter(|(_, other)| other.algorithm() != key.algorithm()) {
            let refused = Compact::parse(token).unwrap().verify(other).map(<[u8]>::len);
            assert_eq!(refused, Err(NotVerified::Algorithm), "{token}");
        }
    }
}

#[test]
fn the_signature_of_rfc_8037_is_made_again_to_the_byte() {
    let (signed, signature) = RFC_8037_A_4.rsplit_once('.').unwrap();
    let again = signing_key(Algorithm::EdDsa).sign(signed.as_bytes()).unwrap();
    assert_eq!(Base64UrlUnpadded::encode_string(&again), signature);
}

#[test]
fn of_the_two_forms_of_an_es256_signature_we_write_and_take_one() {
    let key = signing_key(Algorithm::Es256);
    let verifying = key.verifying_key();
    for message in 0..32_u8 {
        let signature = key.sign(&[message]).unwrap();
        assert!(es256::is_low(&signature));
        let mut twin = signature.clone();
        other_form(&mut twin);
        assert!(!es256::is_low(&twin));
        assert!(verifying.verify(&[message], &twin).is_ok(), "the standard takes both");
        assert!(verifying.verify_ours(&[message], &twin).is_err());
    }
}

#[test]
fn a_token_has_three_parts_of_one_alphabet() {
    let good = sign_compact(&signing_key(Algorithm::EdDsa), "JWT", &json!({"a": "??>"})).unwrap();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    assert!(Compact::parse(&good).is_ok());
    assert!(Compact::parse(&format!("{header}..{signature}")).is_ok(), "RFC 7515 lets it be empty");
    let parts = Malformed::Parts;
    refused("", parts);
    refused("..", parts);
    refused(&format!("{header}.{payload}"), parts);
    refused(&format!("{header}.{payload}."), parts);
    refused(&format!(".{payload}.{signature}"), parts);
    refused(&format!("{good}."), parts);
    refused(&format!(".{good}"), parts);
    refused(&format!("{header}..{payload}.{signature}"), parts);
    refused(&format!("{good}.{signature}.{signature}"), parts);
    for foreign in [" ", "\n", "\t", "=", "+", "/", "?", "\0", "é", "\u{FEFF}", "{", "\"", "~", "%"]
    {
        refused(&format!("{good}{foreign}"), Malformed::Character);
        refused(&format!("{foreign}{good}"), Malformed::Character);
        refused(&format!("{header}{foreign}.{payload}.{signature}"), Malformed::Character);
    }
}

#[test]
fn a_part_has_one_spelling() {
    // 64 bytes are 86 characters, the last of which has four bits to spare.
    let good = sign_compact(&signing_key(Algorithm::EdDsa), "JWT", &json!({})).unwrap();
    let (rest, last) = good.split_at(good.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let token = format!("{rest}{other}");
        let expected = (!"AQgw".contains(other)).then_some(Malformed::Encoding);
        assert_eq!(Compact::parse(&token).err(), expected, "{last} {other}");
    }
    refused(rest, Malformed::Encoding);
    refused(&headed(r#"{"alg":"HS256"}"#).replace(".e30.", ".e31."), Malformed::Encoding);
}

#[test]
fn a_header_is_a_strict_object_that_brings_no_key() {
    assert!(Compact::parse(&headed(r#"{"alg":"HS256"}"#)).is_ok());
    assert!(Compact::parse(&headed(r#"{"alg":"HS256","cty":"x","new":[{}]}"#)).is_ok());
    for name in ["crit", "b64", "zip", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"] {
        for value in ["null", "true", "[]", r#""x""#, "{}"] {
            refused(&headed(&format!(r#"{{"alg":"HS256","{name}":{value}}}"#)), Malformed::Header);
        }
    }
    refused(&headed(r#"{"alg":"HS256","\u006awk":{}}"#), Malformed::Header);
    for header in [
        "",
        "{}",
        "[]",
        r#""HS256""#,
        r#"["HS256"]"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":256}"#,
        r#"{"Alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":null}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","typ":["at+jwt"]}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","x":{"y":1,"y":2}}"#,
        r#"{"alg":"HS256"} {}"#,
        r#"{"alg":"HS256"}x"#,
        r#"{"alg":"HS256","x":"\ud800"}"#,
        "\u{FEFF}{\"alg\":\"HS256\"}",
    ] {
        let expected = if header.is_empty() { Malformed::Parts } else { Malformed::Header };
        refused(&headed(header), expected);
    }
}

#[test]
fn no_spelling_of_none_is_an_algorithm() {
    for name in ["none", "None", "nOnE", "NONE", "", " HS256", "hs256", "HS256\\u0000", "HS384"] {
        let token = headed(&format!(r#"{{"alg":"{name}"}}"#));
        assert_eq!(Compact::parse(&token).unwrap().algorithm(), Err(UnknownAlgorithm), "{name}");
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let target = signing_key(Algorithm::Rs256);
    let published = serde_json::to_string(&target.public_jwk()).unwrap();
    let secret = SigningKey::from_material(target.kid(), Algorithm::Hs256, published.as_bytes());
    let forged = sign_compact(&secret.unwrap(), "JWT", &json!({"sub": "admin"})).unwrap();
    let refused = Compact::parse(&forged).unwrap().verify(&target.verifying_key()).map(<[u8]>::len);
    assert_eq!(refused, Err(NotVerified::Algorithm));
}

#[test]
fn a_token_may_have_8_kib_and_not_a_byte_more() {
    let header = encode(r#"{"alg":"HS256"}"#);
    // Lengths of base64 that are 0 or 2 more than a multiple of four.
    let of_length = |length: usize| {
        let rest = length - header.len() - 2;
        [(rest - 2, 2), (rest - 3, 3), (rest - 4, 4)]
            .into_iter()
            .find(|(payload, _)| payload % 4 != 1)
            .map(|(payload, signature)| {
                format!("{header}.{}.{}", "A".repeat(payload), "A".repeat(signature))
            })
            .unwrap()
    };
    assert!(Compact::parse(&of_length(COMPACT_BYTES_MAX - 1)).is_ok());
    assert!(Compact::parse(&of_length(COMPACT_BYTES_MAX)).is_ok());
    refused(&of_length(COMPACT_BYTES_MAX + 1), Malformed::TooLong);
    refused(&"A".repeat(1 << 20), Malformed::TooLong);
    refused(&".".repeat(1 << 20), Malformed::TooLong);

    let key = signing_key(Algorithm::Hs256);
    let long = sign_compact(&key, "JWT", &json!({"groups": "g".repeat(7_000)}));
    assert!(matches!(long, Err(SignFailed::TooLong)));
}

#[test]
fn a_deep_header_is_refused_without_a_deep_stack() {
    let deep = format!(r#"{{"alg":"HS256","x":{}1{}}}"#, "[".repeat(2_900), "]".repeat(2_900));
    let token = headed(&deep);
    assert!(token.len() <= COMPACT_BYTES_MAX);
    let thread = std::thread::Builder::new().stack_size(64 * 1024);
    let parsed = thread.spawn(move || Compact::parse(&token).err()).unwrap();
    assert_eq!(parsed.join().unwrap(), Some(Malformed::Header));
}
