//! A program with a key of its own, that binds its tokens to it (RFC 9449).

use std::sync::atomic::{AtomicU64, Ordering};

use doorward_wire::dpop::ath;
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use super::client::Request;
use super::device::Device;
use super::server::{Member, Server, Tokens, login_body};

/// A program with a key.
pub(crate) struct Holder {
    /// The key.
    pub(crate) key: Device,
    count: AtomicU64,
}

impl Holder {
    /// One whose key is for this algorithm.
    pub(crate) fn by(algorithm: Algorithm) -> Self {
        Self { key: Device::by(algorithm), count: AtomicU64::new(0) }
    }

    /// One whose key is for ES256, as most are.
    pub(crate) fn new() -> Self {
        Self::by(Algorithm::Es256)
    }

    /// The header of an honest proof.
    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": self.key.alg(), "jwk": self.key.jwk() })
    }

    /// The claims of an honest proof for a request, with a token or without.
    pub(crate) fn claims(
        &self,
        server: &Server,
        (method, path): (&str, &str),
        token: Option<&str>,
    ) -> Value {
        let now = server.clock.time();
        let mut claims = json!({
            "jti": format!("proof-{}", self.count.fetch_add(1, Ordering::SeqCst)),
            "htm": method,
            "htu": format!("{}{path}", server.origin),
            "iat": now,
            "nonce": server.app.keys.nonces().nonce(now),
        });
        if let Some(token) = token {
            claims["ath"] = ath(token).into();
        }
        claims
    }

    /// An honest proof for a request.
    pub(crate) fn proof(
        &self,
        server: &Server,
        request: (&str, &str),
        token: Option<&str>,
    ) -> String {
        self.key.token(&self.header(), &self.claims(server, request, token))
    }

    /// `GET` of a path with a bound token and an honest proof.
    pub(crate) fn get(&self, server: &Server, path: &str, token: &str) -> Request {
        let proof = self.proof(server, ("GET", path), Some(token));
        shown(server.client().get(path), token, &proof)
    }

    /// Logs in, with tokens that are bound to the key.
    pub(crate) async fn tokens(&self, server: &Server, member: &Member, more: Value) -> Tokens {
        let path = "/api/v1/login";
        let request = server.client().post_json(path, &login_body(member, "token", more));
        let request = request.header("dpop", self.proof(server, ("POST", path), None));
        Tokens::read(&request.await.must_be(200))
    }

    /// Presents a refresh token with an honest proof.
    pub(crate) fn refreshing(&self, server: &Server, refresh: &str) -> Request {
        let path = "/api/v1/refresh";
        let request = server.client().post_json(path, &json!({ "refresh_token": refresh }));
        request.header("dpop", self.proof(server, ("POST", path), None))
    }
}

/// A request that shows a token with a proof.
pub(crate) fn shown(request: Request, token: &str, proof: &str) -> Request {
    request.header("authorization", format!("DPoP {token}")).header("dpop", proof)
}
