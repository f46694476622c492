//! Tokens: forged, altered, stripped, confused, stolen from another kind, shown in the wrong place.
//!
//! A forger here takes a real token of the server apart, changes it, and signs it again: with a key
//! of its own, with what is public, or, where the signature must not be the reason for the refusal,
//! with the server's own key.

mod algorithms;
mod bombs;
mod claims;
mod parameters;
mod presentation;
mod spelling;

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_server::settings::Audience;
use doorward_wire::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::Clean;
use crate::harness::{Member, Server, Tokens};

/// A service of another algorithm than our own API's.
const SHOP: &str = "https://shop.example";

/// A server, a member with a live session in tokens, and that session's access token taken apart.
struct Forge {
    server: Server,
    alice: Member,
    tokens: Tokens,
    header: Value,
    claims: Value,
    key: Arc<SigningKey>,
}

impl Forge {
    /// A forge for tokens of this algorithm. The service [`SHOP`] has tokens of another.
    async fn of(algorithm: Algorithm) -> Self {
        let server = Server::with(|settings| {
            settings.algorithm = algorithm;
            settings.audiences = vec![Audience {
                name: SHOP.to_owned(),
                algorithm: match algorithm {
                    Algorithm::Es256 => Algorithm::EdDsa,
                    _ => Algorithm::Es256,
                },
                scopes: vec!["orders".to_owned()],
            }];
        })
        .await;
        let alice = server.member("alice").await;
        let tokens = server.tokens(&alice).await;
        let (header, claims) = taken_apart(&tokens.access);
        let (app, keys) = (&server.app, &server.app.keys);
        let name = (algorithm, app.settings.site.issuer());
        let key = keys.signing(name, &*server.store, &app.ambient).await.unwrap();
        let forge = Self { server, alice, tokens, header, claims, key };
        // The forge is right: what it does not change is a good token.
        forge.passes(&forge.tokens.access.clone(), "the real token").await;
        let same = forge.signed(&forge.header.to_string(), &forge.claims.to_string());
        forge.passes(&same, "the same token, signed again").await;
        forge
    }

    /// Signs with the server's own key.
    fn signed(&self, header: &str, claims: &str) -> String {
        self.signed_bytes(header.as_bytes(), claims.as_bytes())
    }

    fn signed_bytes(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", encode(&signature))
    }

    /// The real claims under another header, signed by the server's own key.
    fn with_header(&self, header: &Value) -> String {
        self.signed(&header.to_string(), &self.claims.to_string())
    }

    /// The real header over other claims, signed by the server's own key.
    fn with_claims(&self, claims: &Value) -> String {
        self.signed(&self.header.to_string(), &claims.to_string())
    }

    /// The header with one parameter set.
    fn header_with(&self, name: &str, value: Value) -> Value {
        with(&self.header, name, value)
    }

    /// The claims with one set, to any text of JSON: `1e400` has no place in a [`Value`].
    fn claims_with(&self, name: &str, json: &str) -> String {
        let marked = with(&self.claims, name, json!("(here)")).to_string();
        marked.replace("\"(here)\"", json)
    }

    async fn passes(&self, token: &str, what: &str) {
        let reply = self.server.whoami(token).await.clean();
        assert_eq!(reply.status, 200, "{what}: {}", reply.describe());
        assert_eq!(reply.json()["account"]["username"], "alice", "{what}");
    }

    /// Refused, as RFC 6750, section 3.1, says it; and the caller hears no reason.
    async fn refuses(&self, token: &str, what: &str) {
        let reply = self.server.whoami(token).await.clean();
        assert_eq!(reply.status, 401, "{what}: {}", reply.describe());
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert_eq!(challenge, "Bearer realm=\"doorward\", error=\"invalid_token\"", "{what}");
        let detail = reply.json()["detail"].clone();
        reply.must_be_problem(401, "invalid_token");
        assert_eq!(detail, "The access token is not valid here, or not any more.", "{what}");
    }
}

/// A token's header and claims.
fn taken_apart(token: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| serde_json::from_slice(&decode(part)).unwrap();
    assert_eq!(parts.len(), 3);
    (read(parts[0]), read(parts[1]))
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name).unwrap();
    object
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

fn decode(part: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(part).unwrap()
}

/// Signs with HMAC-SHA-256, under a secret of any length.
fn hmac_signed(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", encode(tag))
}
