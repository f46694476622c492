//! The tower layer.

use std::pin::Pin;
use std::task::{Context, Poll};

use doorward_wire::UnixTime;
use doorward_wire::dpop::HEADER;
use http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service};

use crate::proofs::Presented;
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let now = (self.clock)();
        let presented = match presented(&request) {
            Ok(presented) => presented,
            Err(denied) => return Box::pin(async move { Ok(refusal(denied)) }),
        };
        let said = self.guard.check_presented(self.policy, presented, now);
        if self.policy == Policy::Introspect && said == Err(Denied::Stale) {
            // The service that was asked whether it is ready, and not a copy that was not.
            let fresh = self.inner.clone();
            let mut inner = std::mem::replace(&mut self.inner, fresh);
            let (guard, policy) = (self.guard.clone(), self.policy);
            let authorization = presented.authorization.map(str::to_owned);
            let proof = presented.proof.map(str::to_owned);
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            return Box::pin(async move {
                let presented = Presented {
                    authorization: authorization.as_deref(),
                    proof: proof.as_deref(),
                    method: method.as_str(),
                    path: &path,
                };
                match guard.identify_presented(policy, presented, now).await {
                    Ok(identity) => {
                        request.extensions_mut().insert(identity);
                        inner.call(request).await
                    }
                    Err(denied) => Ok(refusal(denied)),
                }
            });
        }
        match said {
            Ok(identity) => {
                request.extensions_mut().insert(identity);
                Box::pin(self.inner.call(request))
            }
            Err(denied) => Box::pin(async move { Ok(refusal(denied)) }),
        }
    }
}

/// What was shown, if it was shown once.
fn presented<B>(request: &Request<B>) -> Result<Presented<'_>, Denied> {
    let mut sent = request.headers().get_all(AUTHORIZATION).iter();
    let value = sent.next().map(|value| value.to_str().map_err(|_| Denied::Unusable));
    if sent.next().is_some() {
        // Two credentials: nobody can say which one counts.
        return Err(Denied::Unusable);
    }
    let mut proofs = request.headers().get_all(HEADER).iter();
    let proof = proofs.next().filter(|_| proofs.next().is_none());
    Ok(Presented {
        authorization: value.transpose()?,
        proof: proof.and_then(|value| value.to_str().ok()),
        method: request.method().as_str(),
        path: request.uri().path(),
    })
}

/// 401 as RFC 6750, section 3, has it: nothing about why, and no error word without a credential.
fn refusal<R: Default>(denied: Denied) -> Response<R> {
    let challenge = match denied {
        Denied::Nothing => Some("Bearer"),
        Denied::Unusable | Denied::Refused(_) | Denied::Revoked => {
            Some("Bearer error=\"invalid_token\"")
        }
        Denied::Proof(denial) => {
            if denial == ProofDenial::NoAddress {
                tracing::warn!("a token that is bound to a key was refused: {denial}");
            }
            Some("DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA RS256\"")
        }
        // The token is perhaps good: whoever threw it away would sign in again for nothing.
        Denied::Stale => None,
    };
    let mut response = Response::new(R::default());
    let headers = response.headers_mut();
    if let Some(challenge) = challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    } else {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
