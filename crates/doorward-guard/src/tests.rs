use std::convert::Infallible;

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_wire::jose::SigningKey;
use doorward_wire::token::{self, AccessClaims, Audiences, Confirmation};
use doorward_wire::{KeyId, TokenId};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

use super::*;

const ISSUER: &str = "https://id.example.com";
const API: &str = "https://api.example.com";
const NOON: UnixTime = UnixTime(1_800_000_000);

// An Ed25519 key for tests, in PKCS#8 (RFC 8410, section 10.3, version 1).
const PRIVATE: [u8; 48] = {
    let mut der = [0x55; 48];
    let head = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let mut at = 0;
    while at < head.len() {
        der[at] = head[at];
        at += 1;
    }
    der
};

fn key() -> SigningKey {
    SigningKey::from_material(KeyId(1), Algorithm::EdDsa, &PRIVATE).unwrap()
}

fn guard() -> Guard {
    let keys = JwkSet { keys: vec![key().public_jwk().unwrap()] };
    Guard::offline(ISSUER, API, &keys).unwrap()
}

fn token_for(audience: &str) -> String {
    bound_token(audience, None)
}

fn bound_token(audience: &str, cnf: Option<Confirmation>) -> String {
    let claims = AccessClaims {
        iss: ISSUER.to_owned(),
        sub: AccountId(7),
        aud: Audiences::one(audience),
        exp: UnixTime(NOON.0 + 300),
        iat: NOON,
        nbf: None,
        jti: TokenId(1),
        client_id: "doorward".to_owned(),
        scope: "orders.read".to_owned(),
        sid: SessionId(9),
        auth_time: NOON,
        acr: "aal1".to_owned(),
        amr: vec!["pwd".to_owned()],
        groups: Vec::new(),
        roles: Vec::new(),
        cnf,
        status: None,
    };
    token::sign(&claims, &key()).unwrap()
}

fn bearer(audience: &str) -> String {
    format!("Bearer {}", token_for(audience))
}

#[test]
fn a_token_for_this_audience_says_who_is_asking() {
    let identity = guard().check(Some(&bearer(API)), NOON).unwrap();
    assert_eq!((identity.account(), identity.session()), (AccountId(7), SessionId(9)));
    assert!(identity.allows("orders.read"));
    assert!(!identity.allows("orders"));
}

#[test]
fn a_token_for_another_audience_or_algorithm_or_past_its_end_says_nothing() {
    let refused = |guard: Guard, text: &str, now| guard.check(Some(text), now).unwrap_err();
    let audience = refused(guard(), &bearer("https://other.example.com"), NOON);
    assert_eq!(audience, Denied::Refused(TokenRefusal::Audience));
    let algorithm = refused(guard().accept(&[Algorithm::Es256]), &bearer(API), NOON);
    assert_eq!(algorithm, Denied::Refused(TokenRefusal::Algorithm));
    let expired = refused(guard(), &bearer(API), UnixTime(NOON.0 + 330));
    assert_eq!(expired, Denied::Refused(TokenRefusal::Expired));
}

#[test]
fn what_is_not_a_bearer_token_is_refused() {
    assert_eq!(guard().check(None, NOON), Err(Denied::Nothing));
    for text in ["", "Bearer", "Basic YTpi", "Token x.y.z"] {
        assert_eq!(guard().check(Some(text), NOON), Err(Denied::Unusable), "{text}");
    }
}

async fn through_the_layer(authorization: &[&str]) -> (StatusCode, Option<AccountId>) {
    let app = service_fn(async |request: Request<()>| {
        let account = request.extensions().get::<Identity>().map(Identity::account);
        Ok::<_, Infallible>(Response::new(account))
    });
    let mut request = Request::new(());
    for value in authorization {
        request.headers_mut().append("authorization", value.parse().unwrap());
    }
    let response = guard().layer(|| NOON).layer(app).oneshot(request).await.unwrap();
    (response.status(), *response.body())
}

#[tokio::test]
async fn the_layer_lets_somebody_past_and_nobody_else() {
    let good = bearer(API);
    assert_eq!(through_the_layer(&[&good]).await, (StatusCode::OK, Some(AccountId(7))));
    let nobody = (StatusCode::UNAUTHORIZED, None);
    assert_eq!(through_the_layer(&[]).await, nobody);
    assert_eq!(through_the_layer(&["Bearer x"]).await, nobody);
    assert_eq!(through_the_layer(&[&good, &good]).await, nobody);
}

/// A proof of the test's own key for a request with this token.
fn proof(token: &str, jti: &str, change: impl Fn(&mut serde_json::Value)) -> String {
    let part =
        |value: &serde_json::Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let header = serde_json::json!({
        "typ": "dpop+jwt", "alg": "EdDSA", "jwk": key().public_jwk(),
    });
    let mut claims = serde_json::json!({
        "jti": jti,
        "htm": "GET",
        "htu": format!("{API}/orders"),
        "iat": NOON,
        "ath": doorward_wire::dpop::ath(token),
    });
    change(&mut claims);
    let text = format!("{}.{}", part(&header), part(&claims));
    let signature = key().sign(text.as_bytes()).unwrap();
    format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
}

#[tokio::test]
async fn a_bound_token_needs_a_proof_of_its_key_that_counts_once() {
    let jkt = key().public_jwk().unwrap().thumbprint().unwrap();
    let token = bound_token(API, Some(Confirmation { jkt }));
    let guard = guard().reached_at(API);
    let ask = async |authorization: String, proofs: &[String]| {
        let service = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(())));
        let mut request = Request::get("/orders?page=2").header("authorization", authorization);
        for proof in proofs {
            request = request.header("dpop", proof);
        }
        let layer = guard.layer(|| NOON);
        let response = layer.layer(service).oneshot(request.body(()).unwrap()).await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        (response.status(), challenge.map_or("", |it| it.to_str().unwrap()).to_owned())
    };
    let good = |jti: &str| proof(&token, jti, |_| ());
    let dpop = format!("DPoP {token}");
    assert_eq!(ask(dpop.clone(), &[good("1")]).await.0, StatusCode::OK);
    let refused = async |authorization: &str, proofs: &[String]| {
        let (status, challenge) = ask(authorization.to_owned(), proofs).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{proofs:?}");
        challenge
    };
    for proofs in [
        vec![good("1")],
        vec![],
        vec![good("2"), good("3")],
        vec![proof(&token, "4", |claims| claims["htm"] = "POST".into())],
        vec![proof(&token, "5", |claims| claims["htu"] = format!("{API}/other").into())],
        vec![proof(&token, "6", |claims| claims["htu"] = "https://evil.example/orders".into())],
        vec![proof(&token, "7", |claims| claims["iat"] = (NOON.0 - 61).into())],
        vec![proof(&token, "8", |claims| claims["iat"] = (NOON.0 + 61).into())],
        vec![proof(&token, "9", |claims| claims["ath"] = "AAAA".into())],
        vec![proof("another", "10", |_| ())],
    ] {
        let challenge = refused(&dpop, &proofs).await;
        assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\""), "{challenge}");
    }
    // One kind of token is never taken for the other.
    assert!(refused(&format!("Bearer {token}"), &[good("11")]).await.starts_with("Bearer"));
    let plain = token_for(API);
    refused(&format!("DPoP {plain}"), &[proof(&plain, "12", |_| ())]).await;
    let other = bound_token(API, Some(Confirmation { jkt: "A".repeat(43) }));
    refused(&format!("DPoP {other}"), &[proof(&other, "13", |_| ())]).await;
    assert_eq!(ask(dpop, &[good("11")]).await.0, StatusCode::OK, "it was not spent");
}

#[test]
fn a_guard_that_does_not_know_where_it_is_reached_takes_no_bound_token() {
    let jkt = key().public_jwk().unwrap().thumbprint().unwrap();
    let token = bound_token(API, Some(Confirmation { jkt }));
    let shown = format!("DPoP {token}");
    let said = guard().check(Some(&shown), NOON);
    assert_eq!(said, Err(Denied::Proof(ProofDenial::NoAddress)));
}

#[test]
fn as_many_proofs_are_remembered_as_may_be() {
    let token = "a.b.c";
    let read = |number: usize| {
        doorward_wire::dpop::Proof::read(&proof(token, &number.to_string(), |_| ())).unwrap()
    };
    let seen = SeenProofs::full_but_for(1, NOON);
    assert_eq!(seen.spend(&read(1), NOON), Ok(()));
    assert_eq!(seen.spend(&read(2), NOON), Err(ProofDenial::Full));
    assert_eq!(seen.spend(&read(2), UnixTime(NOON.0 + 121)), Ok(()), "the others are over");
}
