//! The two requests that the authorization code flow makes, and the address it sends a browser to.

use anyhow::ensure;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// Doorward, as one client of it sees it.
pub(crate) struct Doorward {
    pub(crate) issuer: String,
    pub(crate) redirect_uri: String,
    pub(crate) client: (String, String),
}

#[derive(Clone, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// 256 random bits, as text.
pub(crate) fn random() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).unwrap_or_else(|_| std::process::abort());
    Base64UrlUnpadded::encode_string(&bytes)
}

impl Doorward {
    /// Where a browser signs in.
    pub(crate) fn way_in(&self, state: &str, verifier: &str) -> String {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
        let query = Serializer::new(String::new())
            .extend_pairs([("response_type", "code"), ("client_id", &*self.client.0)])
            .extend_pairs([("state", state), ("code_challenge_method", "S256")])
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_challenge", &Base64UrlUnpadded::encode_string(hash.as_ref()))
            .finish();
        format!("{}/oauth/authorize?{query}", self.issuer)
    }

    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> anyhow::Result<Tokens> {
        let grant = ("grant_type", "authorization_code");
        let back = ("redirect_uri", &*self.redirect_uri);
        let form = [grant, ("code", code), back, ("code_verifier", verifier)];
        Ok(serde_json::from_slice(&self.ask("/oauth/token", &form).await?)?)
    }

    /// Two that ask at once with the same refresh token get the same successor.
    pub(crate) async fn renew(&self, refresh_token: &str) -> anyhow::Result<Tokens> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        Ok(serde_json::from_slice(&self.ask("/oauth/token", &form).await?)?)
    }

    pub(crate) async fn give_back(&self, token: &str) -> anyhow::Result<()> {
        self.ask("/oauth/revoke", &[("token", token)]).await.map(|_| ())
    }

    async fn ask(&self, path: &str, form: &[(&str, &str)]) -> anyhow::Result<Bytes> {
        let (id, secret) = &self.client;
        let basic = Base64::encode_string(format!("{id}:{secret}").as_bytes());
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(format!("{}{path}", self.issuer))
            .header(AUTHORIZATION, format!("Basic {basic}"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(body)))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(answer.into_body().collect().await?.to_bytes())
    }
}
