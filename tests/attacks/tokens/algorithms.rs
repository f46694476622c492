//! Algorithms: none, another, or a public key taken for a secret.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64ct::{Base64, Encoding};
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use super::{Forge, decode, encode, hmac_signed, taken_apart, with, without};

/// Attack 39 (RFC 8725, sections 3.1 and 3.2; ASVS 5.0, 9.1.2): no algorithm, or no signature.
#[tokio::test]
async fn a_token_without_a_signature_is_refused_whatever_it_says() {
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        let claims = encode(forge.claims.to_string());
        let signature = forge.tokens.access.rsplit_once('.').unwrap().1;
        let mut headers = vec![forge.header.clone(), without(&forge.header, "alg")];
        let names = [
            json!("none"),
            json!("None"),
            json!("NONE"),
            json!("nOnE"),
            json!("none "),
            json!(" none"),
            json!("no\u{0}ne"),
            json!(""),
            json!(null),
            json!(0),
            json!(true),
            json!([]),
            json!(["none"]),
            json!([algorithm.name()]),
            json!([algorithm.name(), "none"]),
            json!({"alg": "none"}),
            json!(format!("{}none", algorithm.name())),
        ];
        headers.extend(names.into_iter().map(|name| forge.header_with("alg", name)));
        // A shorter header, as libraries write it.
        headers.push(json!({"alg": "none"}));
        headers.push(json!({"alg": "none", "typ": "at+jwt"}));
        headers.push(json!({}));
        for header in &headers {
            let part = encode(header.to_string());
            let mut tokens = vec![
                format!("{part}.{claims}."),
                format!("{part}.{claims}"),
                format!("{part}.{claims}.."),
                format!("{part}..{claims}"),
                format!(".{claims}."),
                format!("{part}.{claims}.AA"),
                format!("{part}.{claims}.{}", "A".repeat(86)),
            ];
            if *header != forge.header {
                tokens.push(format!("{part}.{claims}.{signature}"));
                // As the server itself would sign it, if it could be brought to.
                tokens.push(forge.with_header(header));
            }
            for token in tokens {
                forge.refuses(&token, &format!("{algorithm}: {header}: {token}")).await;
            }
        }
        let access = &forge.tokens.access;
        let (stripped, _) = access.rsplit_once('.').unwrap();
        forge.refuses(stripped, "stripped with the dot").await;
        forge.refuses(&format!("{stripped}."), "stripped without the dot").await;
        let cut = access.len() - 1;
        forge.refuses(&access[..cut], "a signature cut short").await;
        forge.refuses(&format!("{access}A"), "a signature drawn out").await;
    }
}

/// Attack 40 (RFC 8725, section 2.1): what everybody can read, used as the secret of an HMAC.
#[tokio::test]
async fn a_public_key_is_no_secret_for_hmac() {
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        let published = forge.server.client().get("/.well-known/jwks.json").await.must_be(200);
        let set = published.json();
        let kid = forge.header["kid"].as_str().unwrap();
        let jwk = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid);
        assert_eq!(jwk.is_none(), algorithm == Algorithm::Hs256, "no shared secret is published");
        let mut secrets = vec![
            Vec::new(),
            vec![0],
            vec![0; 32],
            kid.as_bytes().to_vec(),
            b"secret".to_vec(),
            forge.server.origin.clone().into_bytes(),
            published.body.clone(),
            set.to_string().into_bytes(),
        ];
        if let Some(jwk) = jwk {
            secrets.extend(forms(jwk));
        }
        let mut count = 0;
        for mut secret in secrets {
            for end in ["", "\n", "\r\n"] {
                secret.extend_from_slice(end.as_bytes());
                for name in ["HS256", "hs256", algorithm.name()] {
                    let header = with(&forge.header, "alg", json!(name));
                    for header in [without(&header, "kid"), header] {
                        let token = hmac_signed(&secret, &header, &forge.claims);
                        forge.refuses(&token, &format!("{algorithm}: {header}")).await;
                        count += 1;
                    }
                }
            }
        }
        assert!(count > 100);
    }
}

/// Every form in which a public key may lie around.
fn forms(jwk: &Value) -> Vec<Vec<u8>> {
    let text = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
    let bytes = |name: &str| decode(&text(name));
    let mut forms = vec![
        jwk.to_string().into_bytes(),
        serde_json::to_string_pretty(jwk).unwrap().into_bytes(),
        json!({"keys": [jwk]}).to_string().into_bytes(),
        text("x").into_bytes(),
        text("n").into_bytes(),
        bytes("x"),
        bytes("n"),
    ];
    let (der, label) = match text("kty").as_str() {
        "OKP" => (vec![der(0x30, &[&hex("300506032b6570"), &der(0x03, &[&[0], &bytes("x")])])], ""),
        "EC" => {
            let point = [&[4][..], &bytes("x"), &bytes("y")].concat();
            let name = hex("301306072a8648ce3d020106082a8648ce3d030107");
            forms.push(point.clone());
            (vec![der(0x30, &[&name, &der(0x03, &[&[0], &point])])], "EC ")
        }
        "RSA" => {
            let n = der(0x02, &[&[0], &bytes("n")]);
            let pkcs1 = der(0x30, &[&n, &der(0x02, &[&bytes("e")])]);
            let name = hex("300d06092a864886f70d0101010500");
            (vec![der(0x30, &[&name, &der(0x03, &[&[0], &pkcs1])]), pkcs1], "RSA ")
        }
        other => panic!("{other}"),
    };
    for der in der {
        let base64 = Base64::encode_string(&der);
        let lines: Vec<&str> =
            base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        for label in ["", label] {
            let pem = format!(
                "-----BEGIN {label}PUBLIC KEY-----\n{}\n-----END {label}PUBLIC KEY-----",
                lines.join("\n")
            );
            forms.push(pem.replace('\n', "\r\n").into_bytes());
            forms.push(pem.into_bytes());
        }
        forms.push(base64.into_bytes());
        forms.push(der);
    }
    forms.retain(|form| !form.is_empty());
    forms
}

/// Distinguished encoding: a tag, a length, and what it holds.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 128 => bytes.push(short),
        Ok(short) => bytes.extend([0x81, short]),
        Err(_) => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    [bytes, content].concat()
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The control of attack 40: the public key is written as other programs write it, or the attack
/// would prove nothing.
#[tokio::test]
async fn the_forms_of_a_public_key_are_those_of_other_programs() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let forge = Forge::of(algorithm).await;
        let jwk = serde_json::to_value(forge.key.public_jwk().unwrap()).unwrap();
        let forms = forms(&jwk);
        let begins = |form: &&Vec<u8>| form.starts_with(b"-----BEGIN PUBLIC KEY-----\n");
        let pem = String::from_utf8(forms.iter().find(begins).unwrap().clone()).unwrap();
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = Base64::decode_vec(&lines).unwrap();
        let by: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::EdDsa => &signature::ED25519,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            _ => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        let (message, tag) = forge.tokens.access.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(by, der);
        key.verify(message.as_bytes(), &decode(tag)).unwrap();
    }
}

/// Attack 41 (RFC 8725, section 3.1): the right key under another algorithm's name, and another key
/// under the right one.
#[tokio::test]
async fn a_token_s_algorithm_is_its_key_s_and_no_other() {
    const NAMES: [&str; 26] = [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "Ed448",
        "eddsa",
        "EDDSA",
        "HS256",
        "HS384",
        "HS512",
        "hs256",
        "es256",
        "rs256",
        "RS1",
        "RSA1_5",
        "dir",
        "ML-DSA-44",
        "SHA256withECDSA",
    ];
    let random = SystemRandom::new();
    let ed_pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let ed = Ed25519KeyPair::from_pkcs8(ed_pkcs8.as_ref()).unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        for name in NAMES {
            let header = forge.header_with("alg", json!(name));
            let message =
                format!("{}.{}", encode(header.to_string()), encode(forge.claims.to_string()));
            if name != algorithm.name() {
                forge.refuses(&forge.with_header(&header), &format!("{algorithm} as {name}")).await;
            }
            // Signed rightly, by a key of the attacker's, for each family.
            let message = message.as_bytes();
            let rsa_signed = |padding: &'static dyn signature::RsaEncoding| {
                let mut bytes = vec![0; rsa.public_modulus_len()];
                rsa.sign(padding, &random, message, &mut bytes).unwrap();
                bytes
            };
            let signatures = [
                ed.sign(message).as_ref().to_vec(),
                ec.sign(&random, message).unwrap().as_ref().to_vec(),
                rsa_signed(&signature::RSA_PKCS1_SHA256),
                rsa_signed(&signature::RSA_PKCS1_SHA512),
                rsa_signed(&signature::RSA_PSS_SHA256),
            ];
            for signature in signatures {
                let message = std::str::from_utf8(message).unwrap();
                let token = format!("{message}.{}", encode(&signature));
                forge.refuses(&token, &format!("{algorithm}: {name} by another key")).await;
            }
        }
    }
}

/// Attack 41: the key of another service's tokens, which the server knows and publishes, is not a
/// key of ours.
#[tokio::test]
async fn a_good_token_of_another_algorithm_and_audience_is_refused() {
    for algorithm in Algorithm::ALL {
        let forge = Forge::of(algorithm).await;
        let audience = json!({"audience": super::SHOP, "scope": "orders"});
        let theirs = forge.server.tokens_with(&forge.alice, audience).await;
        let (header, _) = taken_apart(&theirs.access);
        assert_ne!(header["alg"], algorithm.name());
        forge.refuses(&theirs.access, "for the shop").await;
        // The right claims under the shop's key, were it to sign them.
        let other = header["alg"].as_str().unwrap().parse().unwrap();
        let app = &forge.server.app;
        let name = (other, super::SHOP);
        let key = app.keys.signing(name, &*app.store, &app.ambient).await.unwrap();
        let message =
            format!("{}.{}", encode(header.to_string()), encode(forge.claims.to_string()));
        let signature = key.sign(message.as_bytes()).unwrap();
        let token = format!("{message}.{}", encode(&signature));
        forge.refuses(&token, "our claims under the shop's key").await;
    }
}

/// Attack 45 (RFC 8725, section 3.8): another server's key, which says the same of itself as ours.
#[tokio::test]
async fn a_key_of_another_server_is_not_ours() {
    for algorithm in Algorithm::ALL {
        let (ours, theirs) = (Forge::of(algorithm).await, Forge::of(algorithm).await);
        ours.refuses(&theirs.tokens.access, "a token of theirs").await;
        let as_ours = theirs.signed(&theirs.header.to_string(), &ours.claims.to_string());
        ours.refuses(&as_ours, "our claims under their key").await;
        let named = theirs.signed(&ours.header.to_string(), &ours.claims.to_string());
        ours.refuses(&named, "our claims under their key and our key's name").await;
    }
}
