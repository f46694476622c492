use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use super::*;
use crate::id::{AccountId, KeyId, SessionId, TokenId};
use crate::jose::COMPACT_BYTES_MAX;
use crate::jose::sample::signing_key;

pub(super) const NOW: UnixTime = UnixTime(1_700_000_000);
const ISSUER: &str = "https://id.example.com";
const API: &str = "https://api.example.com";
const JKT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

pub(super) const EXPECTED: Expectation<'_> = Expectation {
    issuer: ISSUER,
    audience: API,
    algorithms: &Algorithm::ALL,
    shown: Shown::Bearer,
};

pub(super) fn claims() -> AccessClaims {
    AccessClaims {
        iss: ISSUER.into(),
        sub: AccountId(1),
        aud: Audiences::one(API),
        exp: UnixTime(NOW.0 + 300),
        iat: NOW,
        nbf: None,
        jti: TokenId(2),
        client_id: "shop".into(),
        scope: "orders profile".into(),
        sid: SessionId(3),
        auth_time: NOW,
        acr: "aal1".into(),
        amr: vec!["pwd".into()],
        groups: vec![],
        roles: vec![],
        cnf: None,
        status: None,
    }
}

pub(super) fn keys() -> KeySet {
    KeySet::of(Algorithm::ALL.map(|algorithm| signing_key(algorithm).verifying_key())).unwrap()
}

pub(super) fn key() -> SigningKey {
    signing_key(Algorithm::EdDsa)
}

fn encode(text: &str) -> String {
    Base64UrlUnpadded::encode_string(text.as_bytes())
}

/// A token of exactly this header and payload, rightly signed.
fn raw(header: &str, payload: &str, key: &SigningKey) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = Base64UrlUnpadded::encode_string(&key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// A token of our key whose payload is exactly this.
fn said(payload: &str) -> String {
    raw(&format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"at+jwt"}}"#, key().kid()), payload, &key())
}

/// The good claims, as JSON, with one changed.
fn with(name: &str, value: Value) -> String {
    let mut claims = serde_json::to_value(claims()).unwrap();
    claims[name] = value;
    said(&claims.to_string())
}

fn without(name: &str) -> String {
    let mut claims = serde_json::to_value(claims()).unwrap();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    said(&claims.to_string())
}

#[track_caller]
fn check(token: &str, expected: Result<(), TokenRefusal>) {
    check_as(token, &EXPECTED, NOW, expected);
}

#[track_caller]
fn check_as(
    token: &str,
    expectation: &Expectation<'_>,
    now: UnixTime,
    expected: Result<(), TokenRefusal>,
) {
    assert_eq!(verify(token, &keys(), expectation, now).map(|_| ()), expected, "{token:.300}");
}

#[test]
fn what_was_signed_is_what_is_read() {
    let full = AccessClaims {
        aud: Audiences::some(vec![API.into(), "https://other.example.com".into()]).unwrap(),
        nbf: Some(NOW),
        groups: vec!["staff".into()],
        roles: vec!["doorward.admin".into()],
        ..claims()
    };
    for algorithm in Algorithm::ALL {
        for claims in [claims(), full.clone()] {
            let token = sign(&claims, &signing_key(algorithm)).unwrap();
            let verified = verify(&token, &keys(), &EXPECTED, NOW).unwrap();
            assert_eq!((verified.sid(), verified.sub()), (SessionId(3), AccountId(1)));
            assert_eq!((verified.jti(), verified.iat()), (TokenId(2), NOW));
            assert_eq!(verified.exp(), UnixTime(NOW.0 + 300));
            assert_eq!(verified.unrevoked(), claims);
        }
    }
}

#[test]
fn the_claims_are_those_of_the_contract() {
    let written = serde_json::to_string(&claims()).unwrap();
    let zeros = "0".repeat(25);
    let expected = format!(
        concat!(
            r#"{{"iss":"https://id.example.com","sub":"acc_{0}1","aud":"https://api.example.com","#,
            r#""exp":1700000300,"iat":1700000000,"jti":"tok_{0}2","client_id":"shop","#,
            r#""scope":"orders profile","sid":"ses_{0}3","auth_time":1700000000,"acr":"aal1","#,
            r#""amr":["pwd"]}}"#
        ),
        zeros
    );
    assert_eq!(written, expected);
}

#[test]
fn every_refusal_has_a_word_of_its_own() {
    use TokenRefusal::*;
    let all = [
        Malformed,
        Type,
        Algorithm,
        Key,
        Signature,
        Claims,
        Issuer,
        Audience,
        Expired,
        NotYet,
        IssuedAhead,
        Binding,
    ];
    let words: std::collections::BTreeSet<_> = all.iter().map(|one| one.reason()).collect();
    assert_eq!(words.len(), all.len());
}

// The order of the steps.

#[test]
fn the_first_step_that_fails_decides() {
    // A token wrong at every step; each step is then set right, and the next one decides.
    let secret = signing_key(Algorithm::Hs256);
    let (wrong, right) = (&secret, &key());
    let kid = key().kid();
    let good = serde_json::to_value(claims()).unwrap();
    let payload = |right_claims: &[&str]| {
        let mut claims = json!({
            "iss": "https://evil.example", "aud": "https://other.example.com", "exp": 1,
            "nbf": NOW.0 + 900, "iat": NOW.0 + 900, "cnf": {"jkt": JKT}
        });
        for name in right_claims {
            claims[name] = good[name].clone();
        }
        claims.to_string()
    };
    let shape = ["sub", "jti", "client_id", "scope", "sid", "auth_time", "acr", "amr"];
    let upto = |more: &[&'static str]| payload(&[&shape[..], more].concat());

    check("{}", Err(TokenRefusal::Malformed));
    check(&raw(r#"{"alg":"none"}"#, "x", wrong), Err(TokenRefusal::Type));
    check(&raw(r#"{"alg":"none","typ":"at+jwt"}"#, "x", wrong), Err(TokenRefusal::Algorithm));
    check(&raw(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, "x", wrong), Err(TokenRefusal::Key));
    let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
    check(&raw(&header, "x", wrong), Err(TokenRefusal::Signature));
    check(&raw(&header, "x", right), Err(TokenRefusal::Claims));
    check(&said(&payload(&[])), Err(TokenRefusal::Claims));
    check(&said(&upto(&[])), Err(TokenRefusal::Issuer));
    check(&said(&upto(&["iss"])), Err(TokenRefusal::Audience));
    check(&said(&upto(&["iss", "aud"])), Err(TokenRefusal::Expired));
    let mut late = serde_json::from_str::<Value>(&upto(&["iss", "aud", "exp"])).unwrap();
    check(&said(&late.to_string()), Err(TokenRefusal::NotYet));
    late["nbf"] = json!(NOW.0);
    check(&said(&late.to_string()), Err(TokenRefusal::IssuedAhead));
    late["iat"] = json!(NOW.0);
    check(&said(&late.to_string()), Err(TokenRefusal::Binding));
    late.as_object_mut().unwrap().remove("cnf");
    check(&said(&late.to_string()), Ok(()));
}

// Structure and size.

#[test]
fn a_mebibyte_is_refused_unread() {
    check(&"A".repeat(1 << 20), Err(TokenRefusal::Malformed));
    check(&format!("{}.{}.AA", encode("{}"), "A".repeat(1 << 20)), Err(TokenRefusal::Malformed));
    let long = AccessClaims { scope: "s ".repeat(COMPACT_BYTES_MAX), ..claims() };
    assert!(matches!(sign(&long, &key()), Err(SignFailed::TooLong)));
}

#[test]
fn every_other_spelling_of_a_token_is_refused() {
    let good = sign(&claims(), &key()).unwrap();
    check(&good, Ok(()));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    for other in [
        format!("{good}="),
        format!("{good} "),
        format!("\n{good}"),
        format!("{good}."),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{payload}.{signature}"),
        format!("Bearer {good}"),
        format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#),
        String::new(),
    ] {
        check(&other, Err(TokenRefusal::Malformed));
    }
}

#[test]
fn a_header_that_brings_its_own_key_is_refused() {
    let kid = key().kid();
    let jwk = serde_json::to_string(&key().public_jwk()).unwrap();
    let payload = serde_json::to_string(&claims()).unwrap();
    for extra in [
        format!(r#""jwk":{jwk}"#),
        r#""jku":"https://attacker.example/keys""#.to_owned(),
        r#""x5u":"https://attacker.example/x""#.to_owned(),
        r#""x5c":["AA"]"#.to_owned(),
        r#""crit":["x"],"x":1"#.to_owned(),
        r#""b64":false"#.to_owned(),
        r#""zip":"DEF""#.to_owned(),
        r#""alg":"EdDSA""#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt",{extra}}}"#);
        check(&raw(&header, &payload, &key()), Err(TokenRefusal::Malformed));
    }
}

// typ

#[test]
fn another_kind_of_token_is_refused_by_its_type() {
    let typed = |typ: &str| sign_compact(&key(), typ, &claims()).unwrap();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        check(&typed(typ), Ok(()));
    }
    for typ in [
        "JWT",
        "",
        "jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "statuslist+jwt",
        "at+jwt ",
        " at+jwt",
        "at jwt",
        "at+jwt;v=1",
        "application/",
        "application/application/at+jwt",
        "text/at+jwt",
        "at+jwté",
    ] {
        check(&typed(typ), Err(TokenRefusal::Type));
    }
    let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, key().kid());
    let payload = serde_json::to_string(&claims()).unwrap();
    check(&raw(&header, &payload, &key()), Err(TokenRefusal::Type));
}

// alg and kid

#[test]
fn only_the_algorithms_of_the_audience_pass() {
    fn only(algorithms: &[Algorithm]) -> Expectation<'_> {
        Expectation { algorithms, ..EXPECTED }
    }
    for algorithm in Algorithm::ALL {
        let token = sign(&claims(), &signing_key(algorithm)).unwrap();
        check_as(&token, &only(&[algorithm]), NOW, Ok(()));
        let others: Vec<_> = Algorithm::ALL.into_iter().filter(|one| *one != algorithm).collect();
        check_as(&token, &only(&others), NOW, Err(TokenRefusal::Algorithm));
        check_as(&token, &only(&[]), NOW, Err(TokenRefusal::Algorithm));
    }
}

#[test]
fn a_name_that_is_no_algorithm_of_ours_is_refused() {
    let payload = serde_json::to_string(&claims()).unwrap();
    for alg in ["none", "None", "nOnE", "", "eddsa", "Ed25519", "RS512", "PS256", "ES384", "HS512"]
    {
        let header = format!(r#"{{"alg":"{alg}","kid":"{}","typ":"at+jwt"}}"#, key().kid());
        check(&raw(&header, &payload, &key()), Err(TokenRefusal::Algorithm));
    }
}

#[test]
fn a_key_is_found_by_its_whole_name_and_used_for_its_algorithm() {
    let payload = serde_json::to_string(&claims()).unwrap();
    let own = key().kid().to_string();
    let named = |kid: &str| {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}).to_string();
        raw(&header, &payload, &key())
    };
    check(&named(&own), Ok(()));
    for kid in [
        "",
        "../../dev/null",
        "' OR 1=1 --",
        "\0",
        &own[1..],
        &own.to_uppercase(),
        &format!("{own} "),
        &format!("{own}\0"),
        &KeyId(99).to_string(),
        &"k".repeat(4_096),
    ] {
        check(&named(kid), Err(TokenRefusal::Key));
    }
    // A key of ours, but of another algorithm than the header says.
    for other in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Hs256] {
        check(&named(&signing_key(other).kid().to_string()), Err(TokenRefusal::Key));
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let target = signing_key(Algorithm::Rs256);
    let jwk = serde_json::to_value(target.public_jwk()).unwrap();
    let payload = serde_json::to_string(&claims()).unwrap();
    for secret in [jwk.to_string(), format!("{jwk}\n"), jwk["n"].as_str().unwrap().to_owned()] {
        let attacker =
            SigningKey::from_material(target.kid(), Algorithm::Hs256, secret.as_bytes()).unwrap();
        let forged = sign(&claims(), &attacker).unwrap();
        check(&forged, Err(TokenRefusal::Key));
        let header = format!(r#"{{"alg":"RS256","kid":"{}","typ":"at+jwt"}}"#, target.kid());
        check(&raw(&header, &payload, &attacker), Err(TokenRefusal::Signature));
    }
}

// Signature

#[test]
fn a_token_with_any_character_changed_is_refused() {
    for algorithm in Algorithm::ALL {
        let good = sign(&claims(), &signing_key(algorithm)).unwrap();
        for at in (0..good.len()).step_by(5) {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(&changed, &keys(), &EXPECTED, NOW).is_err(), "{algorithm}: {at}");
        }
    }
}

#[test]
fn the_twin_of_an_es256_token_is_refused() {
    let key = signing_key(Algorithm::Es256);
    let good = sign(&claims(), &key).unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut twin = Base64UrlUnpadded::decode_vec(signature).unwrap();
    crate::jose::sample::other_form(&mut twin);
    let twin = format!("{signed}.{}", Base64UrlUnpadded::encode_string(&twin));
    check(&good, Ok(()));
    check(&twin, Err(TokenRefusal::Signature));
    // It is only for our own tokens that we may ask for one form: by the standard both are good.
    assert!(Compact::parse(&twin).unwrap().verify(&key.verifying_key()).is_ok());
}

#[test]
fn a_token_of_a_key_of_the_same_name_is_refused() {
    let forger =
        SigningKey::from_material(signing_key(Algorithm::Hs256).kid(), Algorithm::Hs256, &[0; 32]);
    check(&sign(&claims(), &forger.unwrap()).unwrap(), Err(TokenRefusal::Signature));
}

// Claims

#[test]
fn a_required_claim_that_is_missing_is_refused() {
    for name in [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "jti",
        "client_id",
        "scope",
        "sid",
        "auth_time",
        "acr",
        "amr",
    ] {
        check(&without(name), Err(TokenRefusal::Claims));
        check(&with(name, Value::Null), Err(TokenRefusal::Claims));
        check(&with(name, json!({})), Err(TokenRefusal::Claims));
        check(&with(name, json!(true)), Err(TokenRefusal::Claims));
    }
}

#[test]
fn an_optional_claim_is_of_its_type_or_absent() {
    for (name, wrong) in [
        ("nbf", json!("1")),
        ("nbf", json!(1.5)),
        ("nbf", Value::Null),
        ("groups", json!("staff")),
        ("groups", Value::Null),
        ("roles", json!([1])),
        ("cnf", Value::Null),
        ("cnf", json!([])),
        ("cnf", json!({})),
        ("cnf", json!({"jkt": null})),
        ("cnf", json!({"x5t#S256": "AA"})),
        ("cnf", json!({"jkt": JKT, "x5t#S256": "AA"})),
    ] {
        check(&with(name, wrong), Err(TokenRefusal::Claims));
    }
    check(&with("a claim of tomorrow", json!([{}])), Ok(()));
}

#[test]
fn a_time_is_a_whole_number_that_can_be_written() {
    let good = serde_json::to_string(&claims()).unwrap();
    let exp = |number: &str| said(&good.replace("1700000300", number));
    for number in [
        "-1",
        "-0",
        "1700000300.0",
        "1700000300.5",
        "1.7000003e9",
        "1e400",
        "-1e400",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "253402300800",
        r#""1700000300""#,
        "[1700000300]",
        "null",
        "true",
        "01",
        "0x1",
        "NaN",
        "Infinity",
    ] {
        check(&exp(number), Err(TokenRefusal::Claims));
    }
    check(&exp("253402300799"), Ok(()));
    check(&exp("0"), Err(TokenRefusal::Expired));
}

#[test]
fn claims_that_two_readers_would_read_differently_are_refused() {
    let good = serde_json::to_string(&claims()).unwrap();
    let end = good.len() - 1;
    let more = |text: &str| said(&format!("{},{text}}}", &good[..end]));
    check(&said(&good), Ok(()));
    check(&said(&format!(" {good}\n")), Ok(()));
    for other in [
        more(r#""sub":"acc_00000000000000000000000009""#),
        more(r#""\u0073ub":"acc_00000000000000000000000009""#),
        more(r#""x":{"y":1,"y":2}"#),
        more(r#""x":"\ud800""#),
        more(&format!(r#""x":{}{}"#, "[".repeat(32), "]".repeat(32))),
        more(&format!(r#""x":{}"#, "[".repeat(2_000))),
        said(&format!("\u{FEFF}{good}")),
        said(&format!("{good}x")),
        said(&format!("{good}{good}")),
        said(&format!("[{good}]")),
        said(""),
        said("null"),
    ] {
        check(&other, Err(TokenRefusal::Claims));
    }
    check(&more(&format!(r#""x":{}{}"#, "[".repeat(31), "]".repeat(31))), Ok(()));
}

#[test]
fn ids_of_another_kind_or_spelling_are_refused() {
    let session = SessionId(3).to_string();
    check(&with("sub", json!(session)), Err(TokenRefusal::Claims));
    check(&with("sid", json!(session.to_uppercase())), Err(TokenRefusal::Claims));
    check(&with("jti", json!("tok_1")), Err(TokenRefusal::Claims));
}

// iss and aud

#[test]
fn the_issuer_is_compared_letter_by_letter() {
    for issuer in [
        "https://id.example.com/",
        "https://ID.example.com",
        "http://id.example.com",
        "https://id.example.com@evil.example",
        "https://evil.example",
        " https://id.example.com",
        "",
    ] {
        check(&with("iss", json!(issuer)), Err(TokenRefusal::Issuer));
    }
}

#[test]
fn our_audience_must_be_among_the_audiences() {
    check(&with("aud", json!([API])), Ok(()));
    check(&with("aud", json!(["https://other.example.com", API])), Ok(()));
    for other in [
        json!("https://other.example.com"),
        json!("https://api.example.com/"),
        json!("HTTPS://API.EXAMPLE.COM"),
        json!(["https://other.example.com"]),
        json!(""),
        json!([""]),
    ] {
        check(&with("aud", other), Err(TokenRefusal::Audience));
    }
    for wrong in [json!([]), json!([[API]]), json!([API, 1]), json!({"0": API}), json!(1)] {
        check(&with("aud", wrong), Err(TokenRefusal::Claims));
    }
}

// Times

#[track_caller]
fn check_time(name: &str, at: u64, expected: Result<(), TokenRefusal>) {
    check(&with(name, json!(at)), expected);
}

#[test]
fn a_token_ends_when_its_end_and_the_leeway_are_reached() {
    check_time("exp", NOW.0 - 29, Ok(()));
    check_time("exp", NOW.0 - 30, Err(TokenRefusal::Expired));
    check_time("exp", NOW.0 - 31, Err(TokenRefusal::Expired));
}

#[test]
fn a_token_begins_within_the_leeway_before_its_nbf() {
    check_time("nbf", NOW.0, Ok(()));
    check_time("nbf", NOW.0 + 30, Ok(()));
    check_time("nbf", NOW.0 + 31, Err(TokenRefusal::NotYet));
}

#[test]
fn a_token_may_be_issued_within_the_leeway_ahead() {
    check_time("iat", NOW.0 - 1_000_000, Ok(()));
    check_time("iat", NOW.0 + 10, Ok(()));
    check_time("iat", NOW.0 + 30, Ok(()));
    check_time("iat", NOW.0 + 31, Err(TokenRefusal::IssuedAhead));
    check_time("iat", NOW.0 + 61, Err(TokenRefusal::IssuedAhead));
}

#[test]
fn a_remembered_token_still_ends() {
    let token = sign(&claims(), &key()).unwrap();
    let token = verify(&token, &keys(), &EXPECTED, NOW).unwrap();
    assert_eq!(token.check_time(UnixTime(NOW.0 + 329)), Ok(()));
    assert_eq!(token.check_time(UnixTime(NOW.0 + 330)), Err(TokenRefusal::Expired));
    assert_eq!(token.check_time(UnixTime(u64::MAX)), Err(TokenRefusal::Expired));
    assert_eq!(token.check_time(UnixTime(0)), Err(TokenRefusal::IssuedAhead));
}

// cnf

#[test]
fn a_bound_token_is_worth_nothing_without_its_key() {
    let cnf = Some(Confirmation { jkt: JKT.into() });
    let bound = sign(&AccessClaims { cnf, ..claims() }, &key()).unwrap();
    let unbound = sign(&claims(), &key()).unwrap();
    let proved = |jkt| Expectation { shown: Shown::WithProof { jkt }, ..EXPECTED };
    check_as(&bound, &EXPECTED, NOW, Err(TokenRefusal::Binding));
    check_as(&bound, &proved(JKT), NOW, Ok(()));
    check_as(&bound, &proved("another"), NOW, Err(TokenRefusal::Binding));
    check_as(&bound, &proved(""), NOW, Err(TokenRefusal::Binding));
    // RFC 9449, section 7.1: the scheme says that it is bound, so it must be.
    check_as(&unbound, &proved(JKT), NOW, Err(TokenRefusal::Binding));
    check_as(&unbound, &proved(""), NOW, Err(TokenRefusal::Binding));
}

#[test]
fn a_clients_token_is_no_accounts_and_an_accounts_no_clients() {
    let client = ClientClaims {
        iss: ISSUER.into(),
        sub: crate::id::ClientId(1),
        aud: Audiences::one(API),
        exp: UnixTime(NOW.0 + 300),
        iat: NOW,
        jti: TokenId(2),
        client_id: crate::id::ClientId(1),
        scope: String::new(),
        cnf: None,
        status: None,
    };
    let text = client.sign(&key()).unwrap();
    let read = |text: &str| VerifiedClientToken::verify(text, &keys(), &EXPECTED, NOW);
    assert_eq!(read(&text).map(VerifiedClientToken::unrevoked), Ok(client.clone()));
    assert_eq!(verify(&text, &keys(), &EXPECTED, NOW), Err(TokenRefusal::Claims));
    assert_eq!(read(&sign(&claims(), &key()).unwrap()), Err(TokenRefusal::Claims));
    // With everything that an account's has, it still names a client.
    let mut both = serde_json::to_value(claims()).unwrap();
    both["sub"] = json!(crate::id::ClientId(1));
    both["client_id"] = json!(crate::id::ClientId(1));
    let both = sign_compact(&key(), ACCESS_TOKEN_TYPE, &both).unwrap();
    assert_eq!(verify(&both, &keys(), &EXPECTED, NOW), Err(TokenRefusal::Claims));
    // Two clients in one token, a proof for a token that is bound to nothing, and each of the times.
    let other = ClientClaims { client_id: crate::id::ClientId(2), ..client.clone() };
    assert_eq!(read(&other.sign(&key()).unwrap()), Err(TokenRefusal::Claims));
    let bound = Expectation { shown: Shown::WithProof { jkt: JKT }, ..EXPECTED };
    let refused = VerifiedClientToken::verify(&text, &keys(), &bound, NOW);
    assert_eq!(refused, Err(TokenRefusal::Binding));
    for (now, expected) in [
        (NOW.0 + 329, Ok(())),
        (NOW.0 + 330, Err(TokenRefusal::Expired)),
        (NOW.0 - 30, Ok(())),
        (NOW.0 - 31, Err(TokenRefusal::IssuedAhead)),
    ] {
        let got = VerifiedClientToken::verify(&text, &keys(), &EXPECTED, UnixTime(now));
        assert_eq!(got.map(|_| ()), expected, "{now}");
    }
    let evil = ClientClaims { iss: "https://evil.example".into(), ..client.clone() };
    assert_eq!(read(&evil.sign(&key()).unwrap()), Err(TokenRefusal::Issuer));
    let elsewhere = ClientClaims { aud: Audiences::one("https://other.example"), ..client };
    assert_eq!(read(&elsewhere.sign(&key()).unwrap()), Err(TokenRefusal::Audience));
}
