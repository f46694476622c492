//! Refusals as OAuth 2.0 speaks them (RFC 6749, section 5.2).

use axum::response::{IntoResponse, Response};
use doorward_store::act::StoreFailed;
use http::StatusCode;
use http::header::{self, HeaderValue};

use super::{Problem, RETRY_AFTER};
use crate::flow::authorize::CodeError;
use crate::flow::client::{ClientError, OwnTokenError};
use crate::flow::dpop::DpopError;
use crate::flow::issue::IssueError;
use crate::flow::refresh::RefreshError;

/// A refusal with a word that every OAuth client knows.
#[derive(Debug)]
pub struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
    more: More,
}

/// What else the answer says.
#[derive(Clone, Copy, Debug)]
enum More {
    Nothing,
    /// How to show who one is.
    Challenge,
    /// When to come back.
    Retry,
}

impl OAuthError {
    fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description, more: More::Nothing }
    }

    /// A parameter is missing, sent twice, or of no use.
    #[must_use]
    pub fn invalid_request(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// It is not known here how to do what was asked for.
    #[must_use]
    pub fn unsupported_grant_type() -> Self {
        let description = "grant_type is authorization_code, client_credentials or refresh_token.";
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", description)
    }

    /// The scope is more than may be had.
    #[must_use]
    pub fn invalid_scope(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// The client may not do this.
    #[must_use]
    pub fn unauthorized_client(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unauthorized_client", description)
    }

    /// Nobody has shown which client this is.
    #[must_use]
    pub fn invalid_client() -> Self {
        let description = "Show the client's id and secret, in one way: Basic, or in the form.";
        let error = Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description);
        Self { more: More::Challenge, ..error }
    }

    fn invalid_grant() -> Self {
        let description = "The refresh token is not valid, or not any more.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    fn unavailable() -> Self {
        let description = "Nothing was changed. Try again in a moment.";
        let error =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description);
        Self { more: More::Retry, ..error }
    }
}

impl From<StoreFailed> for OAuthError {
    fn from(failure: StoreFailed) -> Self {
        tracing::error!(%failure, "the store failed");
        Self::unavailable()
    }
}

impl From<ClientError> for OAuthError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused => Self::invalid_client(),
            ClientError::Store(failure) => failure.into(),
        }
    }
}

impl From<IssueError> for OAuthError {
    fn from(error: IssueError) -> Self {
        tracing::error!(%error, "a token could not be issued");
        Self::unavailable()
    }
}

impl From<OwnTokenError> for OAuthError {
    fn from(error: OwnTokenError) -> Self {
        match error {
            OwnTokenError::Scope(_) => Self::invalid_scope("The client may not have that scope."),
            OwnTokenError::Issue(error) => error.into(),
        }
    }
}

impl From<RefreshError> for OAuthError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Unknown
            | RefreshError::Refused(_)
            | RefreshError::Reused(_)
            | RefreshError::Key
            | RefreshError::Asked(_)
            | RefreshError::Issue(IssueError::NotOffered) => {
                tracing::info!(%error, "a refresh token was refused");
                Self::invalid_grant()
            }
            RefreshError::Proof(error) => error.into(),
            RefreshError::Store(failure) => failure.into(),
            RefreshError::Issue(error) => error.into(),
        }
    }
}

impl From<CodeError> for OAuthError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Refused | CodeError::Again | CodeError::Issue(IssueError::NotOffered) => {
                tracing::info!(%error, "a code was refused");
                let description = "The code is not valid, or not any more.";
                Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
            }
            CodeError::Proof(error) => error.into(),
            CodeError::Store(failure) => failure.into(),
            CodeError::Issue(error) => error.into(),
        }
    }
}

impl From<DpopError> for OAuthError {
    fn from(error: DpopError) -> Self {
        match error {
            DpopError::NonceWanted => Self::new(
                StatusCode::BAD_REQUEST,
                "use_dpop_nonce",
                "Make the proof with the nonce in DPoP-Nonce.",
            ),
            DpopError::Missing | DpopError::Refused(_) | DpopError::Again => {
                tracing::info!(%error, "a proof was refused");
                Self::new(StatusCode::BAD_REQUEST, "invalid_dpop_proof", "The proof is not valid.")
            }
            DpopError::Full => {
                tracing::error!(%error, "no proof is accepted");
                Self::unavailable()
            }
            DpopError::Store(failure) => failure.into(),
        }
    }
}

/// A body that could not be read: too large, not a form, a field sent twice.
impl From<Problem> for OAuthError {
    fn from(problem: Problem) -> Self {
        let description = "Send a form (application/x-www-form-urlencoded), each field once.";
        Self { status: problem.status, ..Self::invalid_request(description) }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "error": self.error,
            "error_description": self.description,
        });
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        match self.more {
            More::Nothing => {}
            More::Challenge => {
                let challenge = "Basic realm=\"doorward\", charset=\"UTF-8\"";
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            More::Retry => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
            }
        }
        response
    }
}
