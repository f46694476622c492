use std::convert::Infallible;

use doorward_wire::KeyId;
use doorward_wire::TokenId;
use doorward_wire::jose::SigningKey;
use doorward_wire::token::{self, AccessClaims, Audiences};
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
        cnf: None,
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
    for text in ["", "Bearer", "Basic YTpi", "DPoP x.y.z"] {
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
