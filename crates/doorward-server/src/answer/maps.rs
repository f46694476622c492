//! Which refusal and which failure becomes which problem: exhaustively, so that a new one does not
//! compile until it has an answer.

use doorward_core::signal::SIGNALS_SCOPE;
use doorward_store::act::{DataError, StoreFailed};
use doorward_wire::csrf::CsrfRefusal;
use doorward_wire::json::{JsonError, JsonErrorKind};
use http::{StatusCode, header};

use super::{CHALLENGE, EMAIL_FAULT, Problem};
use crate::feed::FeedError;
use crate::flow::account::{Faults, RegisterError};
use crate::flow::binding::{BindingError, ProofError};
use crate::flow::dpop::DpopError;
use crate::flow::forward::ForwardError;
use crate::flow::identify::{IdentifyError, Refused};
use crate::flow::issue::IssueError;
use crate::flow::login::LoginError;
use crate::flow::logout::EndError;
use crate::flow::notice::AnswerError;
use crate::flow::password::ProveError;
use crate::flow::personal::{MakeError, ShowError};
use crate::flow::refresh::RefreshError;
use crate::flow::signal::SignalError;
use crate::flow::site::SiteError;
use crate::hashing::Busy;
use crate::keyring::KeyError;
use crate::sites::{DocumentRefusal, KEPT_MAX};

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

impl From<MakeError> for Problem {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Nobody => Self::unauthenticated(),
            MakeError::NotInPerson => Self::new(
                StatusCode::FORBIDDEN,
                "in-person-only",
                "A personal access token is made by its owner in person: with the session cookie.",
            ),
            MakeError::TooLongAgo => Self::too_long_ago(),
            MakeError::Name => Self::invalid(
                "/name",
                "malformed-name",
                "A name has 1 to 64 characters, none of them a control character.",
            ),
            MakeError::Scope => Self::invalid(
                "/scope",
                "malformed-scope",
                "Scopes are names with single spaces between, of those that may be had here.",
            ),
            MakeError::Audience => Self::from(IssueError::NotOffered),
            MakeError::Life => Self::invalid(
                "/expires_in",
                "out-of-range",
                "expires_in is from 60 to 31622400 seconds.",
            ),
            MakeError::TooMany => Self::new(
                StatusCode::CONFLICT,
                "too-many",
                "An account has fifty personal access tokens at the most. Revoke one first.",
            ),
            MakeError::Store(failure) => failure.into(),
        }
    }
}

impl From<SignalError> for Problem {
    fn from(error: SignalError) -> Self {
        match error {
            SignalError::Scope => Self::insufficient_scope(SIGNALS_SCOPE),
            SignalError::Unknown => Self::not_found(),
            SignalError::Taken => Self::new(
                StatusCode::CONFLICT,
                "stream-taken",
                "A client has one stream, and there are a hundred at the most.",
            ),
            SignalError::Endpoint => Self::invalid(
                "/delivery/endpoint_url",
                "malformed-endpoint",
                "Signals are pushed to https addresses, of 2048 bytes at the most.",
            ),
            SignalError::State => {
                Self::invalid("/state", "too-long", "state has 1024 bytes at the most.")
            }
            SignalError::TooMany => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many",
                "Ten verifications wait already. Fetch them first.",
            )
            .with_retry(),
            SignalError::Store(failure) => failure.into(),
            SignalError::Issue(error) => error.into(),
        }
    }
}

impl From<ShowError> for Problem {
    fn from(error: ShowError) -> Self {
        match error {
            ShowError::Unknown | ShowError::Refused(_) => {
                tracing::info!(%error, "a credential was refused");
                Self::invalid_token()
            }
            ShowError::Store(failure) => failure.into(),
        }
    }
}

impl From<ForwardError> for Problem {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::UnknownSite(origin) => {
                tracing::warn!(
                    %origin,
                    "a proxy asked about a site that is not set up; try: [[site]] origin = \"{origin}\""
                );
                Self::new(
                    StatusCode::FORBIDDEN,
                    "unknown-site",
                    "This site is not one that Doorward was told to protect.",
                )
            }
            ForwardError::Store(failure) => failure.into(),
        }
    }
}

impl From<SiteError> for Problem {
    fn from(error: SiteError) -> Self {
        let conflict = |code, detail: String| Self::new(StatusCode::CONFLICT, code, detail);
        match error {
            SiteError::Document(refusal) => {
                let pointer = match &refusal {
                    DocumentRefusal::Origin(_) => String::new(),
                    DocumentRefusal::TooManyRules => "/rules".to_owned(),
                    DocumentRefusal::Terms(None, refusal) => format!("/{}", refusal.member()),
                    DocumentRefusal::Terms(Some(rule), refusal) => {
                        format!("/rules/{rule}/{}", refusal.member())
                    }
                };
                Self::invalid(&pointer, "malformed-site", refusal.to_string())
            }
            SiteError::Configured(origin) => conflict(
                "site-configured",
                format!("{origin} stands in the configuration, which wins: change it there."),
            ),
            SiteError::Full => {
                conflict("too-many-sites", format!("{KEPT_MAX} sites are kept at the most."))
            }
            SiteError::Unknown => Self::not_found(),
            SiteError::UnknownAccount => {
                Self::invalid("/account", "unknown-account", "There is no account of that name.")
            }
            SiteError::Address => Self::invalid(
                "/url",
                "malformed-address",
                "An address has a scheme, a host and a path, as in https://wiki.example.com/page.",
            ),
            SiteError::Store(failure) => failure.into(),
        }
    }
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Full => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-readers",
                "As many follow the revocations as may: 256. Try again in a moment.",
            )
            .with_retry(),
            FeedError::Ahead => Self::new(
                StatusCode::CONFLICT,
                "ahead-of-log",
                "The log ends before that entry: it is another log than you know. Begin again at 0, and \
                 keep what you know.",
            ),
            FeedError::Store(failure) => failure.into(),
            FeedError::Sign(error) => error.into(),
        }
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
        match error {
            IdentifyError::Nothing => Self::unauthenticated(),
            IdentifyError::Refused(refused) => {
                tracing::info!(%refused, "a credential was refused");
                match refused {
                    Refused::Cookie(_)
                    | Refused::Retired(_)
                    | Refused::Unbound(_)
                    | Refused::Pass(_)
                    | Refused::PassOlder => Self::unauthenticated(),
                    Refused::Token(_)
                    | Refused::TokenSession(_)
                    | Refused::TokenOlder
                    | Refused::TokenClient
                    | Refused::Unusable => Self::invalid_token(),
                    Refused::Bound(_) | Refused::BoundSession => {
                        Self::invalid_token().at_a_resource()
                    }
                }
            }
            IdentifyError::Asked(_) => {
                tracing::info!(%error, "a request does not look like its session's own");
                Self::reauthentication_required()
            }
            IdentifyError::Proof(error) => Self::from(error).at_a_resource(),
            IdentifyError::Store(failure) => failure.into(),
        }
    }
}

/// At a request for tokens. Elsewhere see [`IdentifyError::Proof`].
impl From<DpopError> for Problem {
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
                Self::busy()
            }
            DpopError::Store(failure) => failure.into(),
        }
    }
}

impl From<BindingError> for Problem {
    fn from(error: BindingError) -> Self {
        match error {
            BindingError::NoSession => Self::unauthenticated(),
            BindingError::Proof(ProofError::Bound) => Self::new(
                StatusCode::CONFLICT,
                "already-bound",
                "This session is bound to a device, and stays so.",
            ),
            BindingError::Proof(error) => {
                tracing::info!(%error, "a proof of a device was refused");
                Self::new(
                    StatusCode::FORBIDDEN,
                    "proof-refused",
                    "This does not show that the session's device is asking.",
                )
            }
            BindingError::Challenge(..) => Self::new(
                StatusCode::FORBIDDEN,
                "challenge",
                "Sign the challenge in Secure-Session-Challenge, and send it again.",
            ),
            BindingError::Unreadable => {
                tracing::error!("the key that a session is bound to cannot be read");
                Self::internal()
            }
            BindingError::Store(failure) => failure.into(),
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
            IssueError::Store(failure) | IssueError::Key(KeyError::Store(failure)) => {
                failure.into()
            }
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
            LoginError::Proof(error) => error.into(),
            LoginError::Store(failure) => failure.into(),
            LoginError::Issue(error) => error.into(),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Unknown
            | RefreshError::Refused(_)
            | RefreshError::Reused(_)
            | RefreshError::Key => {
                tracing::info!(%error, "a refresh token was refused");
                Self::new(
                    StatusCode::UNAUTHORIZED,
                    "invalid-refresh-token",
                    "The refresh token is not valid, or not any more. Sign in again.",
                )
                .with_header(header::WWW_AUTHENTICATE, CHALLENGE)
            }
            RefreshError::Asked(_) => {
                tracing::info!(%error, "a refresh does not look like its session's own");
                Self::reauthentication_required()
            }
            RefreshError::Proof(error) => error.into(),
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

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::NotOpen => Self::not_found(),
            AnswerError::Store(failure) => failure.into(),
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

impl From<DataError> for Problem {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Gone => Self::unauthenticated(),
            DataError::Conflict(current) => Self::new(
                StatusCode::CONFLICT,
                "version-conflict",
                format!("The key has version {current} by now; 0 means that it is not there."),
            )
            .with_version(current),
            DataError::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "session-data-too-large",
                "A session's data may have 64 KiB and 128 keys at the most. Nothing was stored.",
            ),
            DataError::Failed(failure) => failure.into(),
        }
    }
}
