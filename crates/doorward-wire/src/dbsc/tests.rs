use std::fmt::Write;

use super::*;
use crate::jose::{Algorithm, SigningKey, sample};
use crate::time::UnixTime;

// What Chromium 156 sent, with software keys that are gone.

/// A first proof over `chal-reg-1`.
const CHROMIUM_FIRST: &str = "eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6InhKRzJlYW5Pamw0\
    OXhjVm5ZaGhTNklBZXEtaVpVWjZUb3JEdm1aZXFyZUUiLCJ5IjoicnAxVmk1aFlIQ1BXZWdkRDlZZ3phUWtH\
    aTRmZ1dtcEJ4WFptMVJVNVVBZyJ9LCJ0eXAiOiJkYnNjK2p3dCJ9.eyJhdXRob3JpemF0aW9uIjoiYXV0aHo\
    tMSIsImp0aSI6ImNoYWwtcmVnLTEifQ.m4D24URTWBhhYEfCoYBGU_HzDA8q1_hkKDCsNDfrPXOOk5tpB7nU\
    efp0LVvoYRp9HtwcXsQ5uWcuWnHqj0xEGQ";

/// The next proof of the same browser, over `chal-next-1`.
const CHROMIUM_NEXT: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJqdGkiOiJjaGFsLW5leHQtMSJ9.XE4hDQBp66T\
    VfFLUes6Q0tHXtQcPqi4FlfVPvIuM_-4pyMa3IfKhO1N1F5dCVEPttq3vYqzbgjfeG28OnRdXzA";

/// The modulus of another browser's key.
const CHROMIUM_RSA: &str = "snF5Hc9kLcDV7e7Ceul75RJEpfCUUC6XGTT_y8Yde63Da-GcrmR6TpLZRN_0KvZ669Fp3Dtdl_g4AuNWC_PE\
    ZTL44DQlbEjXSACta5kIcRDzPrS0uQmIhOjZU0b2M7jmQ6ZxejlEO_c_yyxh6k9WeUUa1aDCGAoTJ0o4CpJG\
    EA4gzDVcEa6KRrvntFLmWmiCLJjBDRuAz0GZiz90Ehfrnnq47O-K8hoVzeDclsfhQ2Hw0B8hNLT_nm5PUNgb\
    HSEd4hvZercvBcgp5ExxWjeWO9sMWdrFPZ94q1dVXQsZ4JBYK4v2aS41wiow_JhpL69mX-ZGVsXRBxBxR-B3\
    KZi-9Q";

/// A proof with it, over `chal-next-1`.
const CHROMIUM_RSA_NEXT: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJqdGkiOiJjaGFsLW5leHQtMSJ9.NWiSTQ5Jpy0\
    YVP-0uFuW4NJ1uE8BPruI-qIo8gp9tXgEg_z6ATZcrOzESh4p3sGbb8L5Lr9aGI8YlTpVyyUn4aKqHG9kPd8\
    w1rV2_gIghZh99qwCzj3Vuyi336JoiOGEflr-MNrjLrOwCqgRk90UFzDXrMAaYLk0Mftm58jxTD258kEBtOx\
    o7TaV2EyFXg5Qv8sVShEYrQR4OEdBDfbIFOiFo7ZOa2Dr6EChvukS7pYAJeX22qFE2W_3nbWu6OrDfeaUpyC\
    AylJemlZRx9ZpQXwNxASL440sINytrNfPlfmsoT-jVljy1LIzrC55qtnEWgMBcxU6Wn_DNDchMW0maA";

const SID: SessionId = SessionId(7);

fn key(algorithm: Algorithm) -> SigningKey {
    sample::signing_key(algorithm)
}

/// A token with any header and payload, signed.
fn token(signer: &SigningKey, header: &Value, payload: &Value) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let mut token = format!("{}.{}", part(header), part(payload));
    let signature = signer.sign(token.as_bytes()).unwrap();
    write!(token, ".{}", Base64UrlUnpadded::encode_string(&signature)).unwrap();
    token
}

fn jwk(signer: &SigningKey) -> Value {
    let jwk = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    let Value::Object(mut jwk) = jwk else { panic!("a key is an object") };
    // As a browser writes it.
    jwk.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
    Value::Object(jwk)
}

fn first(signer: &SigningKey) -> String {
    let alg = signer.algorithm().name();
    let header = json!({ "alg": alg, "typ": "dbsc+jwt", "jwk": jwk(signer) });
    token(signer, &header, &json!({ "jti": "c0" }))
}

#[track_caller]
fn refused_first(text: &str, expected: ProofRefusal) {
    assert_eq!(Registration::read(text).err(), Some(expected));
}

#[test]
fn what_chromium_sends_is_read() {
    let registration = Registration::read(CHROMIUM_FIRST).unwrap();
    assert_eq!(registration.claims.challenge, "chal-reg-1");
    assert_eq!(registration.claims.audience, None);
    let kept = ProofKey::from_json(&registration.key.to_json()).unwrap();
    assert_eq!(kept.thumbprint(), registration.key.thumbprint());
    assert_eq!(kept.verify(CHROMIUM_NEXT).unwrap().challenge, "chal-next-1");
    let rsa = json!({ "kty": "RSA", "n": CHROMIUM_RSA, "e": "AQAB" });
    let rsa = ProofKey::from_json(&rsa.to_string()).unwrap();
    assert_eq!(rsa.verify(CHROMIUM_RSA_NEXT).unwrap().challenge, "chal-next-1");
    assert_eq!(kept.verify(CHROMIUM_RSA_NEXT), Err(ProofRefusal::Algorithm));
}

#[test]
fn both_kinds_of_key_are_taken_and_no_other() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let signer = key(algorithm);
        let registration = Registration::read(&first(&signer)).unwrap();
        let alg = algorithm.name();
        let next =
            token(&signer, &json!({ "alg": alg, "typ": "dbsc+jwt" }), &json!({ "jti": "c1" }));
        assert_eq!(registration.key.verify(&next).unwrap().challenge, "c1");
    }
    refused_first(&first(&key(Algorithm::EdDsa)), ProofRefusal::Algorithm);
}

#[test]
fn a_first_proof_brings_a_good_key_and_is_signed_with_it() {
    let (signer, payload) = (key(Algorithm::Es256), json!({ "jti": "c0" }));
    let header = |more: Value| {
        let mut header = json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk(&signer) });
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        token(&signer, &header, &payload)
    };
    assert!(Registration::read(&header(json!({}))).is_ok());
    let without = token(&signer, &json!({ "alg": "ES256", "typ": "dbsc+jwt" }), &payload);
    refused_first(&without, ProofRefusal::Malformed);
    refused_first(&header(json!({ "jwk": null })), ProofRefusal::Malformed);
    refused_first(&header(json!({ "jwk": "text" })), ProofRefusal::Malformed);
    refused_first(&header(json!({ "jku": "https://evil.example" })), ProofRefusal::Malformed);
    refused_first(&header(json!({ "alg": "none" })), ProofRefusal::Algorithm);
    refused_first(&header(json!({ "alg": "RS256" })), ProofRefusal::Algorithm);
    for typ in ["JWT", "at+jwt", "DBSC+JWT", "application/dbsc+jwt", ""] {
        refused_first(&header(json!({ "typ": typ })), ProofRefusal::Type);
    }
    let mut private = jwk(&signer);
    private["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    refused_first(&header(json!({ "jwk": private })), ProofRefusal::Malformed);
    let mut elsewhere = jwk(&signer);
    elsewhere["y"] = elsewhere["x"].clone();
    refused_first(&header(json!({ "jwk": elsewhere })), ProofRefusal::Key);
    let theirs = jwk(&key(Algorithm::Rs256));
    refused_first(&header(json!({ "jwk": theirs })), ProofRefusal::Algorithm);
}

#[test]
fn a_later_proof_brings_no_key_and_is_signed_with_the_first() {
    let signer = key(Algorithm::Es256);
    let kept = Registration::read(&first(&signer)).unwrap().key;
    assert_eq!(kept.verify(&first(&signer)), Err(ProofRefusal::Malformed));
    let header = json!({ "alg": "ES256", "typ": "dbsc+jwt" });
    let good = token(&signer, &header, &json!({ "jti": "c1" }));
    assert!(kept.verify(&good).is_ok());
    assert_eq!(kept.verify(CHROMIUM_NEXT), Err(ProofRefusal::Signature));
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    assert_eq!(kept.verify(unsigned), Err(ProofRefusal::Malformed));
    assert_eq!(kept.verify(&format!("{unsigned}.")), Err(ProofRefusal::Malformed));
    let none =
        token(&signer, &json!({ "alg": "none", "typ": "dbsc+jwt" }), &json!({ "jti": "c1" }));
    assert_eq!(kept.verify(&none), Err(ProofRefusal::Algorithm));
    for payload in
        [json!({}), json!({ "jti": 1 }), json!({ "jti": "c1", "aud": null }), json!("c1")]
    {
        assert_eq!(kept.verify(&token(&signer, &header, &payload)), Err(ProofRefusal::Claims));
    }
}

#[test]
fn a_ticket_is_good_for_its_session_its_key_and_its_kind_alone() {
    let tickets = TicketKey::from_secret(&[1; 32]);
    let (key, other) = (Thumbprint([2; 32]), Thumbprint([3; 32]));
    let shown =
        |text: &str| PresentedTicket::read([format!("{COOKIE}={text}").as_bytes()]).unwrap();
    let cookie = tickets.cookie((SID, key), UnixTime(99));
    let read = |about, text: &str| tickets.read_cookie(about, &shown(text));
    assert_eq!(read((SID, key), &cookie), Some(UnixTime(99)));
    assert_eq!(read((SessionId(8), key), &cookie), None);
    assert_eq!(read((SID, other), &cookie), None);
    let elsewhere = TicketKey::from_secret(&[9; 32]);
    assert_eq!(elsewhere.read_cookie((SID, key), &shown(&cookie)), None);

    let bound = About::Bound(SID, key);
    let challenge = tickets.challenge(bound, 77, [5; 16]);
    assert_eq!(tickets.read_challenge(bound, &challenge), Some(77));
    for about in
        [About::Registration(SID), About::Bound(SID, other), About::Bound(SessionId(8), key)]
    {
        assert_eq!(tickets.read_challenge(about, &challenge), None);
    }
    assert_eq!(tickets.read_challenge(bound, &cookie), None);
    assert_eq!(read((SID, key), &challenge), None);
    for index in 0..cookie.len() {
        let mut changed = cookie.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        assert_eq!(read((SID, key), std::str::from_utf8(&changed).unwrap()), None, "{index}");
    }
    for text in ["", "A", &cookie[1..], &format!("{cookie}="), &format!("{cookie}A")] {
        assert_eq!(read((SID, key), text), None, "{text}");
    }
}

#[test]
fn two_bound_cookies_count_as_none() {
    let one = format!("{COOKIE}=a");
    assert!(PresentedTicket::read([one.as_bytes()]).is_some());
    assert!(PresentedTicket::read([one.as_bytes(), one.as_bytes()]).is_none());
    assert!(PresentedTicket::read([format!("{one}; {one}").as_bytes()]).is_none());
    assert!(PresentedTicket::read([&b"doorward-bound=a; __Host-Http-doorward=a"[..]]).is_none());
}

#[test]
fn a_value_is_read_bare_or_quoted_and_in_no_other_way() {
    for good in ["a.b-c_d", "\"a.b-c_d\"", " a.b-c_d\t"] {
        assert_eq!(bare(good), Some("a.b-c_d"), "{good:?}");
    }
    for bad in
        ["", "\"\"", "\"", "\"a", "a\"", "a;b=1", "\"a\";b", "a, b", "\"a\\\"b\"", "a b", "é"]
    {
        assert_eq!(bare(bad), None, "{bad:?}");
    }
}

#[test]
fn what_a_browser_is_told_is_what_it_understands() {
    assert_eq!(offer("c0"), "(ES256 RS256);path=\"/dbsc/register\";challenge=\"c0\"");
    assert_eq!(next_challenge("c1", SID), format!("\"c1\";id=\"{SID}\""));
    let told = instructions(SID, "id.example.com");
    assert_eq!(told["session_identifier"], SID.to_string());
    assert_eq!(told["refresh_url"], "/dbsc/refresh");
    assert_eq!(told["scope"]["include_site"], false);
    let attributes = told["credentials"][0]["attributes"].as_str().unwrap();
    let life = std::time::Duration::from_mins(10);
    assert_eq!(set_cookie("v", life), format!("{COOKIE}=v; {attributes}; Max-Age=600"));
    assert_eq!(clear_cookie(), format!("{COOKIE}=; {attributes}; Max-Age=0"));
}

#[test]
fn what_opens_a_session_is_not_printed() {
    let tickets = TicketKey::from_secret(&[1; 32]);
    let value = tickets.cookie((SID, Thumbprint([2; 32])), UnixTime(99));
    let shown = PresentedTicket::read([format!("{COOKIE}={value}").as_bytes()]).unwrap();
    assert_eq!(format!("{shown:?} {tickets:?}"), "PresentedTicket(…) TicketKey(…)");
}
