//! `/livez`, `/readyz`, `/healthz`: for whoever keeps the process running.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::App;

/// `GET /livez`: the process answers. It never touches the store.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the store reads and commits, and we were not asked to stop.
pub async fn ready(State(app): State<App>) -> Response {
    if app.draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    match app.probe().await {
        Ok(()) => "ok\n".into_response(),
        Err(failure) => {
            tracing::error!(%failure, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "store\n").into_response()
        }
    }
}
