//! Answers: the only map from a refusal or a failure to HTTP.
//!
//! A flow says what it decided; this module says how that is spoken: a status, a stable `code`, and
//! words that tell the outside nothing that success would not. Every map is exhaustive, so a new
//! refusal does not compile until it has an answer. [`Problem`] is drawn at the edge, as
//! `application/problem+json` (RFC 9457) for programs and as a page for people.

use axum::response::{IntoResponse, Response};
use doorward_core::site::Denial;
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};

mod maps;
pub mod oauth;

/// How long a caller who was told to come back should wait, in seconds.
const RETRY_AFTER: u32 = 1;

/// What every 401 carries (RFC 9110, section 15.5.2).
const CHALLENGE: &str = "Bearer realm=\"doorward\"";

/// The code of [`Problem::once_more`].
const ONCE_MORE: &str = "once-more";

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
    current_version: Option<u64>,
    headers: HeaderMap,
    page: Option<&'static str>,
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

    /// The version that a key of session data has now, where the writer believed another.
    #[must_use]
    pub fn current_version(&self) -> Option<u64> {
        self.more.current_version
    }

    /// The page that puts it right, where a person is sent instead of being told.
    #[must_use]
    pub fn page(&self) -> Option<&'static str> {
        self.more.page
    }

    fn with_page(mut self, page: &'static str) -> Self {
        self.more.page = Some(page);
        self
    }

    /// Tells it to programs that read the document, and to those that read `ETag`.
    fn with_version(mut self, version: u64) -> Self {
        self.more.current_version = Some(version);
        crate::edge::set(&mut self.more.headers, header::ETAG, &format!("\"{version}\""));
        self
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

    /// The caller wants another kind of answer than there is.
    #[must_use]
    pub fn not_acceptable(kind: &'static str) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", format!("This is {kind} only."))
    }

    /// What was true at another time is not kept.
    #[must_use]
    pub fn no_history() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "no-history",
            "A status list says what is so now, and not what was at another time.",
        )
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

    /// The request does not look like its session's own. In what it does not is not told: a thief
    /// would know what to copy.
    fn reauthentication_required() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "reauthentication-required",
            "This looks like another browser or another place than this session's own. Prove that it \
             is still you.",
        )
        .with_header(header::WWW_AUTHENTICATE, CHALLENGE)
        .with_page("/account/confirm")
    }

    /// A person comes from elsewhere, and their browser has still to show its device's key: the page
    /// of this problem asks for itself again, and is drawn for nobody else.
    #[must_use]
    pub fn once_more() -> Self {
        Self { code: ONCE_MORE, ..Self::unauthenticated() }
    }

    /// Somebody is signed in, and proved themselves too long ago for this (RFC 9470, section 3).
    #[must_use]
    pub fn too_long_ago() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "reauthentication-required",
            "You proved yourself too long ago for this. Prove again that it is you.",
        )
        .with_header(
            header::WWW_AUTHENTICATE,
            "Bearer realm=\"doorward\", error=\"insufficient_user_authentication\"",
        )
    }

    /// Somebody is signed in and may not open this part of a site: no login would change that.
    #[must_use]
    pub fn not_allowed(denial: Denial) -> Self {
        let detail = match denial {
            Denial::Closed => "Nobody may open this.",
            Denial::NotOneOfThem => "You are signed in, and this is for others.",
            Denial::Assurance => "This needs a second factor, and you have shown one.",
        };
        Self::new(StatusCode::FORBIDDEN, "not-allowed", detail)
    }

    /// A client that nobody knows sent somebody here, or one that wants them back at an address of another's:
    /// they stay (RFC 6749, section 4.1.2.1).
    #[must_use]
    pub fn unknown_app() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "unknown-app",
            "The app that sent you here is not known here, or wants you back at an address that is not its \
             own.",
        )
    }

    /// A browser was sent to a site again and again, and came back each time.
    #[must_use]
    pub fn leads_nowhere() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "leads-nowhere",
            "You are signed in, and the site that you came from does not see it: its proxy may not pass \
             cookies on to Doorward.",
        )
    }

    /// Whether this is [`once_more`](Self::once_more).
    #[must_use]
    pub fn is_once_more(&self) -> bool {
        self.code == ONCE_MORE
    }

    /// Whoever is signed in is no administrator.
    #[must_use]
    pub fn not_an_administrator() -> Self {
        Self::new(StatusCode::FORBIDDEN, "administrators-only", "This is for administrators.")
    }

    /// The token does not allow this (RFC 6750, section 3.1).
    #[must_use]
    pub fn insufficient_scope(scope: &'static str) -> Self {
        let mut problem = Self::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            format!("This needs an access token with the scope {scope}."),
        );
        let challenge =
            format!("Bearer realm=\"doorward\", error=\"insufficient_scope\", scope=\"{scope}\"");
        crate::edge::set(&mut problem.more.headers, header::WWW_AUTHENTICATE, &challenge);
        problem
    }

    fn invalid_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "The access token is not valid here, or not any more.",
        )
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"doorward\", error=\"invalid_token\"")
    }

    /// The same where a token is shown with a proof (RFC 9449, section 7.1). A failure of ours stays one.
    fn at_a_resource(mut self) -> Self {
        if self.status.is_client_error() {
            self.status = StatusCode::UNAUTHORIZED;
            let challenge = format!(
                "DPoP realm=\"doorward\", error=\"{}\", algs=\"ES256 EdDSA RS256\"",
                self.code
            );
            crate::edge::set(&mut self.more.headers, header::WWW_AUTHENTICATE, &challenge);
        }
        self
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

/// What is wrong with an address that is none.
pub const EMAIL_FAULT: &str = "This is not an e-mail address.";
