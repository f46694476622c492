//! Asking the issuer about one token (RFC 7662).

use bytes::Bytes;
use doorward_wire::json;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;

use crate::credential::Credential;
use crate::dial::{Address, NoAnswer};

#[derive(Deserialize)]
struct Said {
    active: bool,
}

/// Whether the issuer says that a token counts. What else it says of it is not needed: the token was
/// verified here.
pub(crate) async fn is_active(
    address: &Address,
    credential: &Credential,
    token: &str,
) -> Result<bool, NoAnswer> {
    let basic = credential.basic().ok_or(NoAnswer::Senseless("only a client may ask"))?;
    // A compact token has no character that a form would change.
    let body = Bytes::from(format!("token={token}"));
    let request = Request::post("/oauth/introspect")
        .header(AUTHORIZATION, basic)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(body))
        .map_err(|_| NoAnswer::Senseless("a request that cannot be written"))?;
    let answer = address.ask(request).await?;
    match answer.status() {
        StatusCode::OK => {
            let said: Said = json::strict(answer.body())
                .map_err(|_| NoAnswer::Senseless("no answer about a token"))?;
            Ok(said.active)
        }
        status => Err(NoAnswer::Status(status)),
    }
}
