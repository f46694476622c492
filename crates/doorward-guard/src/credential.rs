//! What a guard shows its server, to be told of revocations.

use std::fmt;

use bytes::Bytes;
use doorward_wire::json;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::dial::{Address, NoAnswer};
use crate::moment::Moment;

/// What a guard shows its server. It must be allowed the scope `doorward.revocations`.
pub enum Credential {
    /// A token that it has already.
    Token(Zeroizing<String>),
    /// A client's id and secret (`doorward client add`), for which it gets a token of five minutes
    /// whenever it needs one (RFC 6749, section 4.4).
    Client {
        /// The client's id: `cli_…`.
        id: String,
        /// Its secret.
        secret: Zeroizing<String>,
    },
}

impl Credential {
    /// A client's id and secret.
    #[must_use]
    pub fn client(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::Client { id: id.into(), secret: Zeroizing::new(secret.into()) }
    }

    /// A token.
    #[must_use]
    pub fn token(token: impl Into<String>) -> Self {
        Self::Token(Zeroizing::new(token.into()))
    }

    /// How a client says who it is: `Basic`, with each part encoded as in a form (RFC 6749, section
    /// 2.3.1). Neither our ids nor our secrets have a character that such a form would change.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        use base64ct::{Base64, Encoding};
        let Self::Client { id, secret } = self else { return None };
        let pair = Zeroizing::new(format!("{id}:{}", secret.as_str()));
        let mut value =
            HeaderValue::from_str(&format!("Basic {}", Base64::encode_string(pair.as_bytes())))
                .ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(…)"),
            Self::Client { id, .. } => write!(f, "Client({id}, …)"),
        }
    }
}

/// A credential, and the token that was got for it.
pub(crate) struct Purse {
    credential: std::sync::Arc<Credential>,
    token: Option<(HeaderValue, Moment)>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Purse {
    pub(crate) fn new(credential: std::sync::Arc<Credential>) -> Self {
        Self { credential, token: None }
    }

    /// Forgets the token: it was refused.
    pub(crate) fn forget(&mut self) {
        self.token = None;
    }

    /// The header that says who we are.
    pub(crate) async fn bearer(&mut self, address: &Address) -> Result<HeaderValue, NoAnswer> {
        if let Credential::Token(token) = &*self.credential {
            return bearer(token);
        }
        if let Some((value, until)) = &self.token
            && Moment::now() < *until
        {
            return Ok(value.clone());
        }
        let granted = grant(&self.credential, address).await?;
        let token = Zeroizing::new(granted.access_token);
        let value = bearer(&token)?;
        // It is renewed when half of its life is over.
        let half = std::time::Duration::from_secs(granted.expires_in / 2);
        self.token = Some((value.clone(), Moment::now().after(half)));
        Ok(value)
    }
}

fn bearer(token: &str) -> Result<HeaderValue, NoAnswer> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| NoAnswer::Senseless("a token that is none"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn grant(credential: &Credential, address: &Address) -> Result<Granted, NoAnswer> {
    let basic = credential.basic().ok_or(NoAnswer::Senseless("a client that has no name"))?;
    let body = "grant_type=client_credentials&scope=doorward.revocations";
    let request = Request::post("/oauth/token")
        .header(AUTHORIZATION, basic)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .map_err(|_| NoAnswer::Senseless("a request that cannot be written"))?;
    let answer = address.ask(request).await?;
    match answer.status() {
        StatusCode::OK => {
            json::strict(answer.body()).map_err(|_| NoAnswer::Senseless("no token in the answer"))
        }
        status => Err(NoAnswer::Status(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let client = Credential::client("cli_1", "hidden-secret");
        let token = Credential::token("hidden-token");
        let printed = format!("{client:?} {token:?} {:?}", client.basic());
        assert_eq!(printed, "Client(cli_1, …) Token(…) Some(Sensitive)");
        assert!(token.basic().is_none());
    }
}
