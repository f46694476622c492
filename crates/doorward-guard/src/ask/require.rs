//! What a route asks of whoever asks for it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::response::{IntoResponse, Response};
use http::Request;
use tower::{Layer, Service};

use super::denial::Denial;
use super::protect::Asked;

/// What a route asks of whoever asks for it. A layer, under [`Guard::protect`](crate::Guard::protect).
#[derive(Clone, Debug, Default)]
pub struct Require {
    role: Option<String>,
    assurance: u8,
    within: Option<Duration>,
}

/// What [`Require`] makes of a service.
#[derive(Clone, Debug)]
pub struct Required<S> {
    inner: S,
    require: Require,
}

/// Somebody who is signed in; and more, as it goes on.
#[must_use]
pub fn require() -> Require {
    Require::default()
}

impl Require {
    /// Somebody with this role. Anybody else gets 403.
    #[must_use]
    pub fn role(self, role: &str) -> Self {
        Self { role: Some(role.to_owned()), ..self }
    }

    /// A proof at least as sure as this: 1, 2 or 3 (NIST SP 800-63B). Anybody else is to prove themselves.
    #[must_use]
    pub fn assurance(self, level: u8) -> Self {
        Self { assurance: level, ..self }
    }

    /// A proof that is not longer ago than this. Anybody else is to prove themselves again.
    #[must_use]
    pub fn proved_within(self, length: Duration) -> Self {
        Self { within: Some(length), ..self }
    }

    fn decide(&self, asked: &Asked) -> Result<(), Denial> {
        let identity = asked.who()?;
        if self.role.as_ref().is_some_and(|role| !identity.has_role(role)) {
            return Err(Denial::role());
        }
        let is_old =
            self.within.is_some_and(|within| asked.now().since(identity.proved_at()) > within);
        if is_old || identity.assurance() < self.assurance {
            return Err(Denial::proof(self.assurance, self.within, asked.way()));
        }
        Ok(())
    }
}

impl<S> Layer<S> for Require {
    type Service = Required<S>;

    fn layer(&self, inner: S) -> Required<S> {
        Required { inner, require: self.clone() }
    }
}

impl<S, B> Service<Request<B>> for Required<S>
where
    S: Service<Request<B>>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = Asked::of(request.extensions(), request.method(), request.uri());
        if let Err(denial) = asked.and_then(|asked| self.require.decide(&asked)) {
            return Box::pin(async move { Ok(denial.into_response()) });
        }
        let response = self.inner.call(request);
        Box::pin(async move { Ok(response.await?.into_response()) })
    }
}
