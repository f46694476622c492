//! The layer that finds out who is asking, before any handler is called.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_core::response::{IntoResponse, Response};
use doorward_wire::UnixTime;
use http::header::SET_COOKIE;
use http::{Extensions, Method, Request, Uri};
use tower::{Layer, Service};

use super::data::Notebook;
use super::denial::{Denial, Way};
use crate::server::Said;
use crate::{Clock, Denied, Guard, Identity, Policy};

/// Finds out who is asking before any handler is called, and lets everybody through: the handlers say
/// whom they want. See [`Guard::protect`].
#[derive(Clone, Debug)]
pub struct Protect {
    guard: Guard,
    clock: Clock,
    policy: Policy,
}

/// What [`Protect`] makes of a service.
#[derive(Clone, Debug)]
pub struct Protected<S> {
    inner: S,
    layer: Protect,
}

/// What the layer found out, for extractors.
#[derive(Clone, Debug)]
pub(super) struct Asked(Arc<Known>);

#[derive(Debug)]
struct Known {
    who: Result<Identity, Denied>,
    way: Way,
    now: UnixTime,
    notebook: Option<Notebook>,
}

impl Asked {
    /// What was found out about a request, if the layer is there.
    pub(super) fn of(all: &Extensions, method: &Method, uri: &Uri) -> Result<Self, Denial> {
        all.get::<Self>().cloned().ok_or_else(|| {
            let path = uri.path();
            tracing::error!(
                %method,
                path,
                "a handler asks who is there, and nothing finds out; try: router.layer(guard.protect(clock))"
            );
            Denial::no_layer()
        })
    }

    pub(super) fn found(&self) -> &Result<Identity, Denied> {
        &self.0.who
    }

    pub(super) fn who(&self) -> Result<Identity, Denial> {
        self.0.who.clone().map_err(|denied| Denial::denied(denied, self.way()))
    }

    pub(super) fn way(&self) -> Way {
        self.0.way.clone()
    }

    /// When it was asked.
    pub(super) fn now(&self) -> UnixTime {
        self.0.now
    }

    pub(super) fn notebook(&self) -> Option<&Notebook> {
        self.0.notebook.as_ref()
    }
}

impl Protect {
    pub(crate) fn new(guard: Guard, clock: Clock) -> Self {
        Self { guard, clock, policy: Policy::default() }
    }

    /// What these routes do while it cannot be known whether a token was revoked.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }
}

impl<S> Layer<S> for Protect {
    type Service = Protected<S>;

    fn layer(&self, inner: S) -> Protected<S> {
        Protected { inner, layer: self.clone() }
    }
}

impl<S, B> Service<Request<B>> for Protected<S>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was asked whether it is ready, and not a copy that was not.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let Protect { guard, clock, policy } = self.layer.clone();
        let (mut head, body) = request.into_parts();
        Box::pin(async move {
            let now = clock();
            let Said { who, cookies } = guard.who(policy, &head, now).await;
            let way = Way::of(&guard, &head);
            let notebook = guard.sessions().map(|it| Notebook::of(it.clone(), &head));
            let asked = Asked(Arc::new(Known { who, way, now: guard.time(now), notebook }));
            head.extensions.insert(asked.clone());
            let mut response = inner.call(Request::from_parts(head, body)).await?.into_response();
            let mut cookies = cookies;
            if let Some(notebook) =
                asked.notebook().filter(|_| !response.status().is_server_error())
                && let Err(denial) = notebook.write(&mut cookies).await
            {
                response = denial.into_response();
            }
            response.headers_mut().extend(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
            Ok(response)
        })
    }
}
