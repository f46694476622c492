//! `/oauth/…`: what clients ask, in the words of OAuth 2.0.
//!
//! The authorization endpoint is in [`authorize`](super::authorize).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64ct::{Base64, Encoding};
use doorward_core::grant::OWN_CLIENT;
use doorward_core::refresh::PREFIX;
use doorward_wire::dpop;
use doorward_wire::jose::Algorithm;
use doorward_wire::pkce;
use doorward_wire::token::Confirmation;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::App;
use crate::answer::Problem;
use crate::answer::oauth::OAuthError;
use crate::flow::authorize;
use crate::flow::client::{self, KnownClient, Standing};
use crate::flow::dpop as flow_dpop;
use crate::flow::issue::{Proof, Welcome};
use crate::flow::{logout, personal, refresh};
use crate::request::{self, Client, Form, decoded};

/// Who a request says it is from.
enum Claimed {
    /// A client, with its secret.
    Secret(String, String),
    /// A client without one.
    Public(String),
    /// A program without a secret: that of our own logins.
    Own,
}

fn claimed(headers: &HeaderMap, form: &Form) -> Result<Claimed, OAuthError> {
    let (id, secret) = (form.text("client_id"), form.text("client_secret"));
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        // Two ways at once (RFC 6749, section 2.3): nobody can say which one counts.
        let (basic_id, basic_secret) =
            basic(value.as_bytes()).ok_or_else(OAuthError::invalid_client)?;
        if !secret.is_empty() || (!id.is_empty() && id != basic_id) {
            return Err(OAuthError::invalid_client());
        }
        return Ok(Claimed::Secret(basic_id, basic_secret));
    }
    match (id, secret) {
        (OWN_CLIENT, "") => Ok(Claimed::Own),
        ("", _) => Err(OAuthError::invalid_client()),
        (id, "") => Ok(Claimed::Public(id.to_owned())),
        (id, secret) => Ok(Claimed::Secret(id.to_owned(), secret.to_owned())),
    }
}

/// Reads `Basic`, whose two parts are encoded as in a form before (RFC 6749, section 2.3.1).
fn basic(value: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(value).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Base64::decode_vec(encoded.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (id, secret) = (&pair[..colon], &pair[colon + 1..]);
    Some((decoded(id).ok()?, decoded(secret).ok()?))
}

async fn known(app: &App, headers: &HeaderMap, form: &Form) -> Result<KnownClient, OAuthError> {
    match claimed(headers, form)? {
        Claimed::Secret(id, secret) => Ok(client::authenticate(app, &id, &secret).await?),
        Claimed::Own | Claimed::Public(_) => Err(OAuthError::invalid_client()),
    }
}

/// The client behind a code or a refresh token. One that has a secret shows it.
async fn known_or_public(app: &App, claimed: Claimed) -> Result<Option<KnownClient>, OAuthError> {
    match claimed {
        Claimed::Own => Ok(None),
        Claimed::Secret(id, secret) => Ok(Some(client::authenticate(app, &id, &secret).await?)),
        Claimed::Public(id) => Ok(Some(client::public(app, &id).await?)),
    }
}

/// `POST /oauth/token` (RFC 6749, section 3.2).
pub async fn token(
    State(app): State<App>,
    from: Client,
    headers: HeaderMap,
    form: Result<Form, Problem>,
) -> Result<Response, OAuthError> {
    let form = form?;
    match form.text("grant_type") {
        "client_credentials" => own_token(&app, &from, &headers, &form).await,
        "authorization_code" => redeemed(&app, &from, &headers, &form).await,
        "refresh_token" => renewed(&app, &from, &headers, &form).await,
        "" => Err(OAuthError::invalid_request("grant_type is missing.")),
        _ => Err(OAuthError::unsupported_grant_type()),
    }
}

async fn own_token(
    app: &App,
    from: &Client,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Response, OAuthError> {
    let client = known(app, headers, form).await?;
    let proof = request::shown_key(app, headers, from)?;
    let jkt = flow_dpop::accept(app, proof.as_ref()).await?;
    let (token, scope) = client::own_token(app, &client, (form.given("scope"), jkt)).await?;
    let body = json!({
        "access_token": token.jwt,
        "token_type": if jkt.is_some() { "DPoP" } else { "Bearer" },
        "expires_in": token.life.as_secs(),
        "scope": scope,
    });
    Ok(axum::Json(body).into_response())
}

async fn renewed(
    app: &App,
    from: &Client,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Response, OAuthError> {
    let client = known_or_public(app, claimed(headers, form)?).await?;
    let name = client.map_or_else(|| OWN_CLIENT.to_owned(), |client| client.id().to_string());
    if form.given("scope").is_some_and(|scope| !scope.is_empty()) {
        let description = "Leave scope out: it stays what it was at the login.";
        return Err(OAuthError::invalid_scope(description));
    }
    let presented = form.given("refresh_token");
    let presented =
        presented.ok_or_else(|| OAuthError::invalid_request("refresh_token is missing."))?;
    let proof = request::shown_key(app, headers, from)?;
    let presented = (presented, &*name, proof.as_ref());
    let welcome = refresh::refresh(app, presented, from.sighting(headers)).await?;
    told(&welcome)
}

async fn redeemed(
    app: &App,
    from: &Client,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Response, OAuthError> {
    let client = known_or_public(app, claimed(headers, form)?).await?;
    let client = client.ok_or_else(|| {
        OAuthError::unauthorized_client("Codes are for clients: doorward client add --redirect.")
    })?;
    let needed = |name, description| {
        let value = form.given(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| OAuthError::invalid_request(description))
    };
    let proof = request::shown_key(app, headers, from)?;
    let presented = authorize::Presented {
        code: needed("code", "code is missing.")?,
        redirect_uri: form.given("redirect_uri"),
        verifier: needed("code_verifier", "code_verifier is missing (PKCE, RFC 7636).")?,
        proof: proof.as_ref(),
    };
    let welcome =
        authorize::redeem(app, client.client(), presented, from.sighting(headers)).await?;
    told(&welcome)
}

/// What a client is told, once.
fn told(welcome: &Welcome) -> Result<Response, OAuthError> {
    let Proof::Tokens(tokens) = &welcome.proof else {
        return Err(OAuthError::invalid_request("This is no refresh token."));
    };
    let body = json!({
        "access_token": tokens.access.jwt,
        "token_type": tokens.kind(),
        "expires_in": tokens.access.life.as_secs(),
        "refresh_token": format!("{PREFIX}{}", tokens.refresh.expose().as_str()),
        "scope": tokens.scope,
    });
    Ok(axum::Json(body).into_response())
}

fn presented(form: &Form) -> Result<&str, OAuthError> {
    let token = form.given("token").filter(|token| !token.is_empty());
    token.ok_or_else(|| OAuthError::invalid_request("token is missing."))
}

/// `POST /oauth/introspect` (RFC 7662). `token_type_hint` may be sent, and is not needed.
pub async fn introspect(
    State(app): State<App>,
    headers: HeaderMap,
    form: Result<Form, Problem>,
) -> Result<Response, OAuthError> {
    let form = form?;
    let client = known(&app, &headers, &form).await?;
    let standing = client::look_at(&app, &client, presented(&form)?).await?;
    let issuer = app.settings.site.issuer();
    let said = standing.map_or_else(|| json!({ "active": false }), |it| active(&it, issuer));
    Ok(axum::Json(said).into_response())
}

fn active(standing: &Standing, issuer: &str) -> Value {
    match standing {
        Standing::Account(account) => {
            let (claims, live) = &**account;
            let mut document = json!({
                "active": true,
                "scope": claims.scope,
                "client_id": claims.client_id,
                "username": live.account().map(|account| account.username.as_str()),
                "token_type": kind(claims.cnf.as_ref()),
                "exp": claims.exp,
                "iat": claims.iat,
                "sub": claims.sub,
                "aud": claims.aud,
                "iss": claims.iss,
                "jti": claims.jti,
                "sid": claims.sid,
                "auth_time": claims.auth_time,
                "acr": claims.acr,
                "amr": claims.amr,
            });
            if let Some(cnf) = &claims.cnf {
                document["cnf"] = json!(cnf);
            }
            if !claims.roles.is_empty() {
                document["roles"] = json!(claims.roles);
            }
            document
        }
        Standing::Personal(personal) => {
            let (token, account) = (personal.token(), personal.account());
            json!({
                "active": true,
                "scope": token.grant.scope,
                "client_id": token.grant.client,
                "username": account.username.as_str(),
                "token_type": "Bearer",
                "exp": token.expires_at,
                "iat": token.created_at,
                "sub": account.id,
                "aud": if token.grant.audience.is_empty() { issuer } else { &token.grant.audience },
                "iss": issuer,
                "jti": token.id,
            })
        }
        Standing::Own(claims) => {
            let mut document = json!({
                "active": true,
                "scope": claims.scope,
                "client_id": claims.client_id,
                "token_type": kind(claims.cnf.as_ref()),
                "exp": claims.exp,
                "iat": claims.iat,
                "sub": claims.sub,
                "aud": claims.aud,
                "iss": claims.iss,
                "jti": claims.jti,
            });
            if let Some(cnf) = &claims.cnf {
                document["cnf"] = json!(cnf);
            }
            document
        }
    }
}

/// How a token is shown, by what it is bound to.
fn kind(cnf: Option<&Confirmation>) -> &'static str {
    if cnf.is_some() { "DPoP" } else { "Bearer" }
}

/// `POST /oauth/revoke` (RFC 7009). A token of a login ends its session: one session, one switch. Of a
/// token that is unknown, or somebody else's, nothing is said.
pub async fn revoke(
    State(app): State<App>,
    from: Client,
    headers: HeaderMap,
    form: Result<Form, Problem>,
) -> Result<Response, OAuthError> {
    let form = form?;
    let device = from.device(&headers);
    match claimed(&headers, &form)? {
        Claimed::Own => {
            let token = presented(&form)?;
            if personal::is_one(token) {
                personal::end_found(&app, token, &device).await?;
            } else if token.starts_with(PREFIX) {
                logout::logout_by_refresh(&app, token, &device).await?;
            } else {
                client::end_session_of(&app, token, &device).await?;
            }
        }
        claimed => {
            let client = known_or_public(&app, claimed).await?;
            let client = client.ok_or_else(OAuthError::invalid_client)?;
            client::revoke_own(&app, &client, presented(&form)?, &device).await?;
        }
    }
    Ok(StatusCode::OK.into_response())
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414): what there is, and nothing else.
pub async fn metadata(State(app): State<App>) -> Response {
    let issuer = app.settings.site.issuer();
    let secret = ["client_secret_basic", "client_secret_post"];
    let or_none = ["client_secret_basic", "client_secret_post", "none"];
    let algorithms: std::collections::BTreeSet<_> =
        app.settings.algorithms().map(Algorithm::name).collect();
    let document = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": [pkce::METHOD],
        "prompt_values_supported": ["none", "login"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": or_none,
        "introspection_endpoint_auth_methods_supported": secret,
        "revocation_endpoint_auth_methods_supported": or_none,
        "access_token_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(Algorithm::name),
    });
    let headers = [
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (headers, axum::Json(document)).into_response()
}
