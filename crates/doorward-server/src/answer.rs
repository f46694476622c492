//! Answers: the only map from a refusal or a failure to HTTP.
//!
//! A flow says what it decided; this module says how that is spoken: a status, a stable `code`, and
//! words that tell the outside nothing that success would not. Every map is exhaustive, so a new
//! refusal does not compile until it has an answer. [`Problem`] is drawn at the edge, as
//! `application/problem+json` (RFC 9457) for programs and as a page for people.

use axum::response::{IntoResponse, Response};
use doorward_core::csrf::CsrfRefusal;
use doorward_store::act::{DataError, StoreFailed};
use doorward_wire::json::{JsonError, JsonErrorKind};
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::flow::account::{Faults, RegisterError};
use crate::flow::identify::IdentifyError;
use crate::flow::issue::IssueError;
use crate::flow::login::LoginError;
use crate::flow::logout::EndError;
use crate::flow::password::ProveError;
use crate::flow::refresh::RefreshError;
use crate::hashing::Busy;

/// How long a caller who was told to come back should wait, in seconds.
const RETRY_AFTER: u32 = 1;

/// What every 401 carries (RFC 9110, section 15.5.2).
const CHALLENGE: &str = "Bearer realm=\"doorward\"";

/// Something other than what was asked for.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// A stable word for programs: `wrong-credentials`.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
    more: Box<More>,
}

/// What few problems have, kept apart so that a `Result` with a problem stays small.
#[derive(Clone, Debug, Default)]
struct More {
    faults: Vec<Fault>,
    headers: HeaderMap,
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Where: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl Problem {
    /// A problem with a status, a stable code and a sentence.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: Box::default() }
    }

    /// What is wrong with which part of the request.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.more.faults
    }

    fn with_fault(
        mut self,
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        self.more.faults.push(Fault { pointer: pointer.into(), code, message: message.into() });
        self
    }

    fn with_header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.more.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    fn with_retry(mut self) -> Self {
        self.more.headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        self
    }

    /// No such page, or none that this caller may know of.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here.")
    }

    /// The method is not one of this path's.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This path does not answer to this method.",
        )
    }

    /// The body is of a type, or in an encoding, that this path does not read.
    #[must_use]
    pub fn media_type(expected: &'static str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            format!("Send {expected}, not compressed."),
        )
    }

    /// The body is over the limit.
    #[must_use]
    pub fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "A request's body may have 64 KiB at the most.",
        )
    }

    /// The header fields are over a limit.
    #[must_use]
    pub fn headers_too_large() -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "Header fields may have 16 KiB together, cookies 8 KiB and 180 of them.",
        )
    }

    /// The request is for a host that is not served here.
    #[must_use]
    pub fn misdirected() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown-host",
            "In development this server answers on localhost only. Start it with --url to serve a name.",
        )
    }

    /// A production server was reached without its proxy.
    #[must_use]
    pub fn insecure() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "https-required",
            "This server answers only over HTTPS, through its trusted proxy.",
        )
    }

    /// The request cannot be read as one request.
    #[must_use]
    pub fn malformed(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed-request", detail)
    }

    /// The request took too long.
    #[must_use]
    pub fn timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long to arrive.")
    }

    /// Nobody is signed in, in words for a program (RFC 6750, section 3).
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Sign in first: send the session cookie, or a bearer token.",
        )
        .with_header(header::WWW_AUTHENTICATE, CHALLENGE)
    }

    fn invalid_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "The access token is not valid here, or not any more.",
        )
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"doorward\", error=\"invalid_token\"")
    }

    /// The body's JSON, form or a member of it is of no use.
    #[must_use]
    pub fn invalid(pointer: &str, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message.clone())
            .with_fault(pointer, code, message)
    }

    /// Our own fault, already logged.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side. It has been logged.",
        )
    }

    fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Too many people are signing in right now. Try again in a moment.",
        )
        .with_retry()
    }
}

/// The edge draws the problem; until then it travels with an empty answer.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.more.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreFailed> for Problem {
    fn from(failure: StoreFailed) -> Self {
        tracing::error!(%failure, "the store failed");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store-unavailable",
            "Nothing was changed: our store does not answer. Try again in a moment.",
        )
        .with_retry()
    }
}

impl From<Busy> for Problem {
    fn from(_: Busy) -> Self {
        Self::busy()
    }
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        let (status, code) = match &error.kind {
            JsonErrorKind::Malformed => (StatusCode::BAD_REQUEST, "malformed-json"),
            JsonErrorKind::DuplicateMember => (StatusCode::BAD_REQUEST, "duplicate-member"),
            JsonErrorKind::TooDeep => (StatusCode::BAD_REQUEST, "too-deep"),
            JsonErrorKind::UnknownMember(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown-member"),
            JsonErrorKind::MissingMember(_) => (StatusCode::UNPROCESSABLE_ENTITY, "missing-member"),
            JsonErrorKind::WrongShape => (StatusCode::UNPROCESSABLE_ENTITY, "wrong-type"),
        };
        Self::new(status, code, error.message.clone()).with_fault(
            error.pointer,
            code,
            error.message,
        )
    }
}

impl From<CsrfRefusal> for Problem {
    fn from(refusal: CsrfRefusal) -> Self {
        let detail = match refusal {
            CsrfRefusal::FetchSite | CsrfRefusal::Origin => "This request came from another site.",
            CsrfRefusal::Unknown => {
                "A request that carries the session cookie must say where it comes from: send \
                 Origin or Sec-Fetch-Site."
            }
        };
        Self::new(StatusCode::FORBIDDEN, "csrf-rejected", detail)
    }
}

impl From<IdentifyError> for Problem {
    fn from(error: IdentifyError) -> Self {
        use crate::flow::identify::Refused;
        match error {
            IdentifyError::Nothing => Self::unauthenticated(),
            IdentifyError::Refused(refused) => {
                tracing::info!(%refused, "a credential was refused");
                match refused {
                    Refused::Cookie(_) | Refused::Retired(_) => Self::unauthenticated(),
                    Refused::Token(_)
                    | Refused::TokenSession(_)
                    | Refused::TokenOlder
                    | Refused::Unusable => Self::invalid_token(),
                }
            }
            IdentifyError::Store(failure) => failure.into(),
        }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::NotOffered => Self::invalid(
                "/audience",
                "unknown-audience",
                "Tokens are not issued for this audience.",
            ),
            IssueError::Key(crate::keyring::KeyError::Store(failure)) => failure.into(),
            IssueError::Key(error) => {
                tracing::error!(%error, "there is no signing key");
                Self::internal()
            }
            IssueError::Sign => {
                tracing::error!("a token could not be signed");
                Self::internal()
            }
        }
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Wrong => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong-credentials",
                "That username and password don't match.",
            )
            .with_header(header::WWW_AUTHENTICATE, CHALLENGE),
            LoginError::UnknownAudience => IssueError::NotOffered.into(),
            LoginError::MalformedScope => Self::invalid(
                "/scope",
                "malformed-scope",
                "A scope is a list of names separated by single spaces (RFC 6749, section 3.3).",
            ),
            LoginError::Busy(busy) => busy.into(),
            LoginError::Hash => {
                tracing::error!("a password could not be checked");
                Self::internal()
            }
            LoginError::Store(failure) => failure.into(),
            LoginError::Issue(error) => error.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Unknown | RefreshError::Refused(_) | RefreshError::Reused(_) => {
                tracing::info!(%error, "a refresh token was refused");
                Self::new(
                    StatusCode::UNAUTHORIZED,
                    "invalid-refresh-token",
                    "The refresh token is not valid, or not any more. Sign in again.",
                )
                .with_header(header::WWW_AUTHENTICATE, CHALLENGE)
            }
            RefreshError::Store(failure) => failure.into(),
            RefreshError::Issue(error) => error.into(),
        }
    }
}

impl From<EndError> for Problem {
    fn from(error: EndError) -> Self {
        match error {
            EndError::NotYours => Self::not_found(),
            EndError::Store(failure) => failure.into(),
        }
    }
}

impl From<ProveError> for Problem {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Wrong => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong-credentials",
                "That is not your current password.",
            )
            .with_header(header::WWW_AUTHENTICATE, CHALLENGE),
            ProveError::Unacceptable(refusal) => {
                Self::invalid("/new", refusal.code(), refusal.to_string())
            }
            ProveError::Gone => Self::unauthenticated(),
            ProveError::Busy(busy) => busy.into(),
            ProveError::Hash => {
                tracing::error!("a password could not be hashed");
                Self::internal()
            }
            ProveError::Store(failure) => failure.into(),
            ProveError::Issue(error) => error.into(),
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Closed => Self::new(
                StatusCode::FORBIDDEN,
                "registration-closed",
                "Accounts are made by an administrator here.",
            ),
            RegisterError::LinkSpent => Self::new(
                StatusCode::FORBIDDEN,
                "setup-link-spent",
                "This setup link was used or is too old.",
            ),
            RegisterError::Invalid(faults) => faults.into(),
            RegisterError::Taken => Self::new(
                StatusCode::CONFLICT,
                "username-taken",
                "That username, one that looks like it, or that address is taken.",
            ),
            RegisterError::Busy(busy) => busy.into(),
            RegisterError::Hash => {
                tracing::error!("a password could not be hashed");
                Self::internal()
            }
            RegisterError::Store(failure) => failure.into(),
        }
    }
}

impl From<Faults> for Problem {
    fn from(faults: Faults) -> Self {
        let mut all = Vec::new();
        if let Some(refusal) = faults.username {
            all.push(("/username", refusal.code(), refusal.message().to_owned()));
        }
        if faults.email {
            all.push(("/email", "invalid-email", EMAIL_FAULT.to_owned()));
        }
        if let Some(refusal) = faults.password {
            all.push(("/password", refusal.code(), refusal.to_string()));
        }
        let (code, detail) = all
            .first()
            .map_or(("invalid", String::new()), |(_, code, message)| (*code, message.clone()));
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        all.into_iter().fold(problem, |problem, (pointer, code, message)| {
            problem.with_fault(pointer, code, message)
        })
    }
}

/// What is wrong with an address that is none.
pub const EMAIL_FAULT: &str = "This is not an e-mail address.";

impl From<DataError> for Problem {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Gone => Self::unauthenticated(),
            DataError::Conflict(current) => Self::new(
                StatusCode::CONFLICT,
                "version-conflict",
                format!("The key has version {current} by now; 0 means that it is not there."),
            ),
            DataError::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "session-data-too-large",
                "A session's data may have 64 KiB and 128 keys at the most. Nothing was stored.",
            ),
            DataError::Failed(failure) => failure.into(),
        }
    }
}
