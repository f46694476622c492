//! The tower layer.

use std::pin::Pin;
use std::task::{Context, Poll};

use doorward_wire::UnixTime;
use doorward_wire::dpop::HEADER;
use http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service};

use crate::proofs::Presented;
use crate::server::Said;
use crate::{Denied, Guard, Policy, ProofDenial};

/// Tells the time: this crate does not ask the machine.
pub type Clock = fn() -> UnixTime;

/// Puts a [`Guard`] before a service.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
    clock: Clock,
    policy: Policy,
}

impl GuardLayer {
    pub(crate) fn new(guard: Guard, clock: Clock) -> Self {
        Self { guard, clock, policy: Policy::default() }
    }

    /// What these routes do while it cannot be known whether a token was revoked.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { inner, guard: self.guard.clone(), clock: self.clock, policy: self.policy }
    }
}

/// A service that answers only to somebody.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
    guard: Guard,
    clock: Clock,
    policy: Policy,
}

impl<S, B, R> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was asked whether it is ready, and not a copy that was not.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let (guard, policy, now) = (self.guard.clone(), self.policy, (self.clock)());
        let (mut head, body) = request.into_parts();
        Box::pin(async move {
            let Said { who, cookies } = guard.who(policy, &head, now).await;
            let mut response = match who {
                Ok(identity) => {
                    head.extensions.insert(identity);
                    inner.call(Request::from_parts(head, body)).await?
                }
                Err(denied) => refusal(denied),
            };
            response.headers_mut().extend(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
            Ok(response)
        })
    }
}

/// What was shown, if it was shown once.
pub(crate) fn presented(head: &Parts) -> Result<Presented<'_>, Denied> {
    let mut sent = head.headers.get_all(AUTHORIZATION).iter();
    let value = sent.next().map(|value| value.to_str().map_err(|_| Denied::Unusable));
    if sent.next().is_some() {
        // Two credentials: nobody can say which one counts.
        return Err(Denied::Unusable);
    }
    let mut proofs = head.headers.get_all(HEADER).iter();
    let proof = proofs.next().filter(|_| proofs.next().is_none());
    Ok(Presented {
        authorization: value.transpose()?,
        proof: proof.and_then(|value| value.to_str().ok()),
        method: head.method.as_str(),
        path: head.uri.path(),
    })
}

/// The status of a refusal, a word for programs, and a challenge (RFC 6750, section 3): nothing about why,
/// and no error word without a credential.
pub(crate) fn in_http(denied: Denied) -> (StatusCode, &'static str, Option<&'static str>) {
    let invalid = Some("Bearer error=\"invalid_token\"");
    match denied {
        Denied::Nothing => (StatusCode::UNAUTHORIZED, "unauthenticated", Some("Bearer")),
        Denied::Unusable | Denied::Refused(_) | Denied::Revoked => {
            (StatusCode::UNAUTHORIZED, "invalid-token", invalid)
        }
        Denied::Proof(denial) => {
            if denial == ProofDenial::NoAddress {
                tracing::warn!("a token that is bound to a key was refused: {denial}");
            }
            let challenge = "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA RS256\"";
            (StatusCode::UNAUTHORIZED, "invalid-proof", Some(challenge))
        }
        Denied::CrossSite => (StatusCode::FORBIDDEN, "csrf-rejected", None),
        // The token is perhaps good: whoever threw it away would sign in again for nothing.
        Denied::Stale => (StatusCode::SERVICE_UNAVAILABLE, "stale", None),
    }
}

fn refusal<R: Default>(denied: Denied) -> Response<R> {
    let (status, _, challenge) = in_http(denied);
    let mut response = Response::new(R::default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(challenge.map(|it| (WWW_AUTHENTICATE, HeaderValue::from_static(it))));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
