use serde_json::{Value, json};

use super::*;
use crate::jose::SigningKey;
use crate::jose::sample::signing_key;

const NOW: UnixTime = UnixTime(1_700_000_000);
const TARGET: Target<'_> =
    Target { method: "POST", origin: "https://id.example.com", path: "/oauth/token" };

fn base64url(value: &Value) -> String {
    Base64UrlUnpadded::encode_string(value.to_string().as_bytes())
}

/// A proof whose header and claims are these, signed by `key`.
fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", base64url(header), base64url(claims));
    let signature = key.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
}

fn header(key: &SigningKey) -> Value {
    json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.public_jwk() })
}

fn claims() -> Value {
    json!({ "jti": "1", "htm": "POST", "htu": "https://id.example.com/oauth/token", "iat": NOW })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[track_caller]
fn check(claims: &Value, token: Option<&str>, expected: Result<(), ProofRefusal>) {
    let key = signing_key(Algorithm::Es256);
    let read = Proof::read(&signed(&key, &header(&key), claims));
    assert_eq!(read.and_then(|proof| proof.check(&TARGET, token, NOW)), expected, "{claims}");
}

#[test]
fn a_proof_by_each_algorithm_is_good_and_names_its_key() {
    for algorithm in ALGORITHMS {
        let key = signing_key(algorithm);
        let proof = Proof::read(&signed(&key, &header(&key), &claims())).unwrap();
        assert_eq!(Some(proof.thumbprint().to_string()), key.public_jwk().unwrap().thumbprint());
        assert_eq!(proof.check(&TARGET, None, NOW), Ok(()));
    }
}

#[test]
fn a_header_that_no_proof_has_is_refused() {
    let key = signing_key(Algorithm::Es256);
    let changed = |name: &str, value: Value| {
        let mut header = header(&key);
        header[name] = value;
        Proof::read(&signed(&key, &header, &claims()))
    };
    for typ in ["JWT", "at+jwt", "DPOP+JWT", "application/dpop+jwt", "dbsc+jwt"] {
        assert_eq!(changed("typ", typ.into()), Err(ProofRefusal::Type), "{typ}");
    }
    assert_eq!(changed("typ", Value::Null), Err(ProofRefusal::Malformed));
    for alg in ["none", "HS256", "EdDSA", "ES384", "RS256"] {
        assert_eq!(changed("alg", alg.into()), Err(ProofRefusal::Signature), "{alg}");
    }
    let mut private = header(&key)["jwk"].clone();
    private["d"] = "AAAA".into();
    assert_eq!(changed("jwk", private), Err(ProofRefusal::Malformed));
    let shared = json!({ "kty": "oct", "k": "AAAA" });
    assert_eq!(changed("jwk", shared), Err(ProofRefusal::Malformed));
    let other = json!(signing_key(Algorithm::EdDsa).public_jwk());
    assert_eq!(changed("jwk", other), Err(ProofRefusal::Signature));
    for (name, value) in [("kid", json!(1)), ("crit", json!(["x"])), ("jku", json!("https://a"))] {
        assert_eq!(changed(name, value), Err(ProofRefusal::Malformed), "{name}");
    }
    let mut keyless = header(&key);
    keyless.as_object_mut().unwrap().remove("jwk");
    let keyless = signed(&key, &keyless, &claims());
    assert_eq!(Proof::read(&keyless), Err(ProofRefusal::Malformed));
    assert_eq!(Proof::read(""), Err(ProofRefusal::Malformed));
}

#[test]
fn a_proof_is_for_one_method_and_one_address() {
    let target = Err(ProofRefusal::Target);
    for method in ["GET", "post", "", "POST "] {
        check(&with("htm", method.into()), None, target);
    }
    for url in [
        "https://id.example.com/oauth/token?a=b",
        "https://id.example.com/oauth/token#x",
        "HTTPS://ID.EXAMPLE.COM/oauth/token",
        "https://id.example.com:443/oauth/token",
        "https://id.example.com/oauth/%74oken",
    ] {
        check(&with("htu", url.into()), None, Ok(()));
    }
    for url in [
        "",
        "/oauth/token",
        "https://id.example.com",
        "https://id.example.com/",
        "https://id.example.com/oauth/token/",
        "https://id.example.com/OAUTH/token",
        "https://id.example.com/oauth%2Ftoken",
        "http://id.example.com/oauth/token",
        "https://id.example.com:8443/oauth/token",
        "https://evil.example/oauth/token",
        "https://id.example.com@evil.example/oauth/token",
        "https://id.example.com.evil.example/oauth/token",
        "ftp://id.example.com/oauth/token",
    ] {
        check(&with("htu", url.into()), None, target);
    }
}

#[test]
fn a_proof_is_for_one_token() {
    let token = Err(ProofRefusal::Token);
    check(&claims(), Some("a.b.c"), token);
    check(&with("ath", ath("a.b.d").into()), Some("a.b.c"), token);
    check(&with("ath", format!("{}=", ath("a.b.c")).into()), Some("a.b.c"), token);
    check(&with("ath", ath("a.b.c").into()), Some("a.b.c"), Ok(()));
}

#[test]
fn a_proof_is_of_now() {
    for (iat, expected) in [
        (NOW.0 - 300, Ok(())),
        (NOW.0 + 300, Ok(())),
        (NOW.0 - 301, Err(ProofRefusal::Time)),
        (NOW.0 + 301, Err(ProofRefusal::Time)),
        (0, Err(ProofRefusal::Time)),
        (u64::MAX, Err(ProofRefusal::Time)),
    ] {
        check(&with("iat", iat.into()), None, expected);
    }
}

#[test]
fn claims_have_the_type_they_must_have() {
    let claim = Err(ProofRefusal::Claims);
    for (name, value) in [
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
        ("jti", json!(1)),
        ("iat", json!("1700000000")),
        ("iat", json!(-1)),
        ("iat", json!(1.5)),
        ("htm", json!(["POST"])),
        ("htu", Value::Null),
        ("ath", Value::Null),
        ("nonce", json!(1)),
    ] {
        check(&with(name, value), None, claim);
    }
    for name in ["jti", "htm", "htu", "iat"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        check(&without, None, claim);
    }
}

#[test]
fn a_proof_is_known_by_its_key_and_its_name() {
    let digest = |algorithm, jti: &str| {
        let key = signing_key(algorithm);
        Proof::read(&signed(&key, &header(&key), &with("jti", jti.into()))).unwrap().digest()
    };
    let one = digest(Algorithm::Es256, "1");
    assert_eq!(one, digest(Algorithm::Es256, "1"), "whatever its signature");
    assert_ne!(one, digest(Algorithm::Es256, "2"));
    assert_ne!(one, digest(Algorithm::EdDsa, "1"));
}

#[test]
fn a_nonce_is_ours_or_none() {
    let key = NonceKey::from_secret(&[1; 32]);
    let nonce = key.nonce(NOW);
    for wrong in [
        "",
        "x",
        &nonce[1..],
        &format!("{nonce}="),
        &format!("{nonce}A"),
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert!(!key.accepts(wrong, NOW), "{wrong}");
    }
    assert!(key.accepts(&nonce, UnixTime(NOW.0 - 100)), "another node's clock is ahead");
    assert!(!key.accepts(&nonce, UnixTime(NOW.0 - 400)));
    assert_eq!(format!("{key:?}"), "NonceKey(…)");
}
